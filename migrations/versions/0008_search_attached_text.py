"""Search the text that people saw beside a message together with the message's own.

PostgreSQL gets a second index, of the messages that have such text: the first one need not be built
anew, and building this one reads the table once, while writers wait. On SQLite the index stays: its
view and triggers add the text. Either way the words of both are one text, cut as before.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

INDEX = "ix_messages_attached_search"
INCOMPLETE = """
INSERT INTO chatdb_settings (key, value)
SELECT 'attached_text', 'incomplete'
WHERE EXISTS (SELECT 1 FROM conversations
  WHERE source IN ('chatgpt', 'claude', 'claude-design'))
"""
"""What was imported before has the texts in its metadata: `chatdb messages reindex` fills them."""

EVENTS = {
    "insert": ("INSERT", ("new",)),
    "delete": ("DELETE", ("old",)),
    "update": ("UPDATE OF rid, content", ("old", "new")),
}


def _text_of_sqlite(row: str, *, attached: bool) -> str:
    text = f"{row}content"
    if attached:
        text += f" || coalesce(' ' || {row}attached_text, '')"
    return f"substr({text}, 1, 100000)"


def _trigger(event: str, *, attached: bool) -> str:
    when, rows = EVENTS[event]
    if attached and event == "update":
        when += ", attached_text"
    statements = ""
    for row in rows:
        text = _text_of_sqlite(f"{row}.", attached=attached)
        if row == "old":
            statements += (
                "\n  INSERT INTO messages_search(messages_search, rowid, content)"
                f"\n  VALUES ('delete', old.rid, {text});"
            )
        else:
            statements += (
                f"\n  INSERT INTO messages_search(rowid, content) VALUES (new.rid, {text});"
            )
    return f"CREATE TRIGGER messages_search_{event} AFTER {when} ON messages BEGIN{statements}\nEND"


OFF = "WHERE key = 'search_index_statements'"
IS_OFF = f"SELECT 1 FROM chatdb_settings {OFF}"
OTHERWISE_INDEXED = (
    " SELECT {first}rid, content FROM messages_search_source"
    " WHERE rid IN (SELECT rid FROM messages WHERE attached_text IS NOT NULL)"
)


def _is_off() -> bool:
    """Tell whether the index is off, or an import has yet to build it."""
    return not op.get_context().as_sql and bool(op.get_bind().scalar(sa.text(IS_OFF)))


def _make_on_sqlite(*, attached: bool) -> None:
    """Make the view and the triggers, or, where the index is off, what will make them."""
    triggers = [_trigger(event, attached=attached) for event in EVENTS]
    is_off = _is_off()
    if not is_off:
        op.execute(
            "INSERT INTO messages_search(messages_search, rowid, content)"
            + OTHERWISE_INDEXED.format(first="'delete', ")
        )
    text = _text_of_sqlite("", attached=attached)
    op.execute("DROP VIEW messages_search_source")
    op.execute(
        f"CREATE VIEW messages_search_source AS\nSELECT rid, {text} AS content FROM messages"
    )
    if is_off:
        op.get_bind().execute(
            sa.text(f"UPDATE chatdb_settings SET value = json_array(:a, :b, :c) {OFF}"),
            dict(zip("abc", triggers, strict=True)),
        )
        return
    op.execute("INSERT INTO messages_search(rowid, content)" + OTHERWISE_INDEXED.format(first=""))
    for event in EVENTS:
        op.execute(f"DROP TRIGGER IF EXISTS messages_search_{event}")
    for trigger in triggers:
        op.execute(trigger)


SEPARATORS = "-./<&+~\u201c\u201d\u2018\u2019\u2014\u2013\u2026"
"""As in revision 0002."""


def _words(text: str) -> str:
    expression = f"left({text}, 100000)"
    for separator in SEPARATORS:
        expression = f"replace({expression}, '{separator}', ' ')"
    return f"to_tsvector('simple'::regconfig, {expression})"


OWN = _words("content")
JOINED = _words("content || ' ' || attached_text")
CREATE_INDEX = (
    f"CREATE INDEX {INDEX} ON messages USING gin ({JOINED}) WHERE attached_text IS NOT NULL"
)
DROP_INDEX = f"DROP INDEX IF EXISTS {INDEX}"
BUILD_LATER = f"""
UPDATE chatdb_settings SET value = (value::jsonb || to_jsonb(CAST(:statement AS text)))::text
{OFF}
"""
BUILD_NO_LONGER = f"""
UPDATE chatdb_settings SET value = (
  SELECT coalesce(jsonb_agg(each), '[]') FROM jsonb_array_elements(value::jsonb) AS each
  WHERE each #>> '{{}}' NOT LIKE '%{INDEX}%')::text
{OFF}
"""
"""Where the index is off, or an import has yet to build it, both are built together."""

ORGANIZATION = (
    "(SELECT CASE WHEN current_setting('app.organization_id', true)"
    " ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'"
    " THEN current_setting('app.organization_id', true)::uuid END)"
)
USER = "(SELECT nullif(current_setting('app.user_id', true), ''))"
OWN_ROW = """CASE WHEN person IS NULL THEN true ELSE EXISTS (SELECT FROM conversations c
              WHERE c.organization_id = m.organization_id AND c.id = m.conversation_id
                AND c.user_id = person) END"""
HITS = """
    SELECT m.created_at, m.conversation_id, m.id FROM messages m
    WHERE {condition}
      AND CASE WHEN by_words THEN m.organization_id IS NOT DISTINCT FROM organization
        ELSE m.organization_id = organization END
      AND m.created_at >= coalesce(since, '-infinity')
      AND m.created_at <= coalesce(until, 'infinity')
      AND {own}"""
SEARCH = """
CREATE OR REPLACE FUNCTION chatdb_search_hits(
  words tsquery, most integer DEFAULT NULL,
  since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
  guide tsquery DEFAULT NULL)
RETURNS TABLE (created_at timestamptz, conversation_id uuid, id uuid)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT SET plan_cache_mode = 'force_custom_plan'
SET work_mem = '64MB' SET jit = 'off' SET enable_seqscan = 'off'
AS $body$
DECLARE
  organization constant uuid := {organization};
  person constant text := {user};
  plan json; by_words boolean; expected float8; everything float8; steps bigint;
  times timestamptz[]; conversations_found uuid[]; ids uuid[];
BEGIN
  IF organization IS NULL OR words IS NULL THEN
    RETURN;
  END IF;
  EXECUTE format($query$EXPLAIN (FORMAT JSON) SELECT FROM messages
    WHERE {words} @@ %L::tsquery$query$, coalesce(guide, words)) INTO plan;
  expected := (plan -> 0 -> 'Plan' ->> 'Plan Rows')::float8;
  by_words := expected <= 20000;
  IF most IS NOT NULL THEN
    SELECT c.reltuples INTO everything FROM pg_class c WHERE c.oid = 'messages'::regclass;
    steps := greatest(500, 3 * most * everything / greatest(expected, 1));
    IF expected >= 500 AND 12 * steps < expected THEN
      SELECT array_agg(f.created_at), array_agg(f.conversation_id), array_agg(f.id)
      INTO times, conversations_found, ids FROM (
        SELECT w.* FROM (
          SELECT m.created_at, m.conversation_id, m.id, m.content{columns} FROM messages m
          WHERE m.organization_id = organization
            AND m.created_at >= coalesce(since, '-infinity')
            AND m.created_at <= coalesce(until, 'infinity')
            AND {own}
          ORDER BY m.created_at DESC, m.conversation_id DESC, m.id DESC LIMIT steps) AS w
        WHERE {either}
        ORDER BY w.created_at DESC, w.conversation_id DESC, w.id DESC LIMIT most) AS f;
      IF cardinality(ids) = most THEN
        RETURN QUERY SELECT * FROM unnest(times, conversations_found, ids);
        RETURN;
      END IF;
    END IF;
  END IF;
  RETURN QUERY WITH hits AS MATERIALIZED ({hits})
  SELECT h.created_at, h.conversation_id, h.id FROM hits h
  ORDER BY h.created_at DESC, h.conversation_id DESC, h.id DESC LIMIT most;
END
$body$
"""
"""As in revision 0004, with the hits of each of the two indexes on its own: for conditions joined
by OR the planner would parse the text of every hit once more."""
POLICY = "ALTER POLICY chatdb_settings_tenant ON chatdb_settings USING (key IN ({keys}))"
OWN_PATH = "SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true)"


def _search_function(*, attached: bool) -> str:
    own = f"{OWN} @@ words"
    joined = f"{JOINED} @@ words"
    arms = [own]
    if attached:
        arms = [f"attached_text IS NULL AND {own}", f"attached_text IS NOT NULL AND {joined}"]
    return SEARCH.format(
        organization=ORGANIZATION,
        user=USER,
        words=OWN,
        columns=", m.attached_text" if attached else "",
        own=OWN_ROW,
        either=" OR ".join(arms),
        hits=" UNION ALL ".join(HITS.format(condition=arm, own=OWN_ROW) for arm in arms),
    )


def upgrade() -> None:
    op.execute(INCOMPLETE)
    if op.get_context().dialect.name == "sqlite":
        _make_on_sqlite(attached=True)
        return
    op.execute(POLICY.format(keys="'environment', 'search_index', 'attached_text'"))
    if _is_off():
        op.get_bind().execute(sa.text(BUILD_LATER), {"statement": CREATE_INDEX})
    else:
        op.execute(CREATE_INDEX)
    op.execute(OWN_PATH)
    op.execute(_search_function(attached=True))


def downgrade() -> None:
    op.execute("DELETE FROM chatdb_settings WHERE key = 'attached_text'")
    if op.get_context().dialect.name == "sqlite":
        _make_on_sqlite(attached=False)
        return
    op.execute(POLICY.format(keys="'environment', 'search_index'"))
    op.execute(DROP_INDEX)
    op.execute(BUILD_NO_LONGER)
    op.execute(OWN_PATH)
    op.execute(_search_function(attached=False))
