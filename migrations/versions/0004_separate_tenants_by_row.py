"""Separate tenants row by row on PostgreSQL: policies for every role but the owner.

A role that does not own the tables sees and writes what belongs to `app.organization_id`, and of
that, when `app.user_id` is set, what belongs to that user; nothing while the first is unset, empty
or no UUID. The owner is not bound: COPY and pg_dump must have everything. Each setting is read
once a statement; CASE, where OR would do, lets the planner expect half of the rows instead of
none. SQLite has no roles.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SEPARATORS = "-./<&+~\u201c\u201d\u2018\u2019\u2014\u2013\u2026"
"""As in revision 0002: the expression has to be that of the index."""

ORGANIZATION = (
    "(SELECT CASE WHEN current_setting('app.organization_id', true)"
    " ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'"
    " THEN current_setting('app.organization_id', true)::uuid END)"
)
USER = "(SELECT nullif(current_setting('app.user_id', true), ''))"

OWN_CONVERSATION = (
    f"organization_id = {ORGANIZATION}"
    f" AND CASE WHEN {USER} IS NULL THEN true ELSE coalesce(user_id = {USER}, false) END"
)


def _in_conversation_of_user(table: str) -> str:
    return (
        f"organization_id = {ORGANIZATION} AND CASE WHEN {USER} IS NULL THEN true"
        " ELSE EXISTS (SELECT FROM conversations c WHERE"
        f" c.organization_id = {table}.organization_id AND c.id = {table}.conversation_id"
        f" AND c.user_id = {USER}) END"
    )


POLICIES = {
    "organizations": ("ALL", f"id = {ORGANIZATION}"),
    "conversations": ("ALL", OWN_CONVERSATION),
    "messages": ("ALL", _in_conversation_of_user("messages")),
    "snapshots": ("ALL", _in_conversation_of_user("snapshots")),
    "tombstones": ("ALL", f"organization_id = {ORGANIZATION}"),
    "chatdb_settings": ("SELECT", "key IN ('environment', 'search_index')"),
    "chatdb_log": (
        "ALL",
        f"kind IN ('import', 'deletion') AND details ->> 'organization_id' = {ORGANIZATION}::text",
    ),
}
CLOSED = ("chatdb_leases",)
"""Tables with no policy: nobody but the owner sees a row."""

OWN_PATH = "SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true)"
SEARCH = """
CREATE FUNCTION chatdb_search_hits(
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
          SELECT m.created_at, m.conversation_id, m.id, m.content FROM messages m
          WHERE m.organization_id = organization
            AND m.created_at >= coalesce(since, '-infinity')
            AND m.created_at <= coalesce(until, 'infinity')
            AND {own}
          ORDER BY m.created_at DESC, m.conversation_id DESC, m.id DESC LIMIT steps) AS w
        WHERE {words} @@ words
        ORDER BY w.created_at DESC, w.conversation_id DESC, w.id DESC LIMIT most) AS f;
      IF cardinality(ids) = most THEN
        RETURN QUERY SELECT * FROM unnest(times, conversations_found, ids);
        RETURN;
      END IF;
    END IF;
  END IF;
  RETURN QUERY WITH hits AS MATERIALIZED (
    SELECT m.created_at, m.conversation_id, m.id FROM messages m
    WHERE {words} @@ words
      AND CASE WHEN by_words THEN m.organization_id IS NOT DISTINCT FROM organization
        ELSE m.organization_id = organization END
      AND m.created_at >= coalesce(since, '-infinity')
      AND m.created_at <= coalesce(until, 'infinity')
      AND {own})
  SELECT h.created_at, h.conversation_id, h.id FROM hits h
  ORDER BY h.created_at DESC, h.conversation_id DESC, h.id DESC LIMIT most;
END
$body$
"""
"""Full-text search for roles that the policies bind: `@@` is not leakproof, so that for them it
may not use the index before a policy has been checked. The newest `most` hits, newest first. Only
the query, the times and the number come from outside; which way is faster (from the newest message
on, or by the index) is decided by the planner's estimate, which is never handed out; `guide` is
estimated instead of a query whose many forms of a word would add up. IS NOT DISTINCT FROM goes by
no index: where the words are few, theirs is the way."""
OWN = """CASE WHEN person IS NULL THEN true ELSE EXISTS (SELECT FROM conversations c
              WHERE c.organization_id = m.organization_id AND c.id = m.conversation_id
                AND c.user_id = person) END"""


def upgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        return
    op.execute("ALTER VIEW conversation_summaries SET (security_invoker = true)")
    for table in (*POLICIES, *CLOSED):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    for table, (command, condition) in POLICIES.items():
        op.execute(f"CREATE POLICY {table}_tenant ON {table} FOR {command} USING ({condition})")
    op.execute(OWN_PATH)
    op.execute(_search_function())
    op.execute("REVOKE ALL ON FUNCTION chatdb_search_hits FROM PUBLIC")


def downgrade() -> None:
    """What was lost of it is no hindrance: going back and forth makes it anew."""
    if op.get_context().dialect.name == "sqlite":
        return
    op.execute("DROP FUNCTION IF EXISTS chatdb_search_hits")
    for table in POLICIES:
        op.execute(f"DROP POLICY IF EXISTS {table}_tenant ON {table}")
    for table in (*POLICIES, *CLOSED):
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    op.execute("ALTER VIEW conversation_summaries RESET (security_invoker)")


def _search_function() -> str:
    return SEARCH.format(organization=ORGANIZATION, user=USER, own=OWN, words=_words())


def _words() -> str:
    expression = "left(content, 100000)"
    for separator in SEPARATORS:
        expression = f"replace({expression}, '{separator}', ' ')"
    return f"to_tsvector('simple'::regconfig, {expression})"
