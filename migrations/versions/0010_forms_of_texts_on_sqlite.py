"""Index one normal form of words on SQLite too.

FTS5 splits most texts as the normal form does. What it cannot split so is kept beside the index in
a form that it can, which chatdb makes: triggers index such a text as it is meanwhile, and queue its
row, as this revision does.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

EVENTS = {
    "insert": ("INSERT", ("new",)),
    "delete": ("DELETE", ("old",)),
    "update": ("UPDATE OF rid, content, attached_text", ("old", "new")),
}
FORMS = "CREATE TABLE messages_search_forms (rid INTEGER NOT NULL PRIMARY KEY, form TEXT NOT NULL)"
QUEUE = "CREATE TABLE messages_search_queue (rid INTEGER NOT NULL PRIMARY KEY)"
# Marks and symbols are parts of words, so that a form is split at its blanks only.
TOKENIZER = "unicode61 remove_diacritics 2 categories ''L* M* N* S* Cn'' separators ''$+<=>^`|~''"
FORMER_TOKENIZER = "unicode61 remove_diacritics 2"
TEXT = "substr({row}content || coalesce(' ' || {row}attached_text, ''), 1, 100000)"
GIVEN = "coalesce((SELECT form FROM messages_search_forms f WHERE f.rid = {row}rid), {text})"
"""What FTS5 was given of a row."""
IS_NOT_ASCII = "length({text}) <> length(CAST({text} AS BLOB))"
OFF = "WHERE key = 'search_index_statements'"


def upgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        _make(forms=True)


def downgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        _make(forms=False)


def _is_off() -> bool:
    """Tell whether the index is off, or an import has yet to build it."""
    if op.get_context().as_sql:
        return False
    return bool(op.get_bind().scalar(sa.text(f"SELECT 1 FROM chatdb_settings {OFF}")))


def _given(row: str, *, forms: bool) -> str:
    text = TEXT.format(row=row)
    return GIVEN.format(row=row or "messages.", text=text) if forms else text


def _trigger(event: str, *, forms: bool) -> str:
    when, rows = EVENTS[event]
    statements = ""
    for row in rows:
        text = TEXT.format(row=f"{row}.")
        if row == "new":
            statements += (
                f"\n  INSERT INTO messages_search(rowid, content) VALUES (new.rid, {text});"
            )
            if forms:
                statements += (
                    "\n  INSERT OR REPLACE INTO messages_search_queue(rid)"
                    f"\n  SELECT new.rid WHERE {IS_NOT_ASCII.format(text=text)};"
                )
            continue
        statements += (
            "\n  INSERT INTO messages_search(messages_search, rowid, content)"
            f"\n  VALUES ('delete', old.rid, {_given('old.', forms=forms)});"
        )
        for table in ("forms", "queue") if forms else ():
            statements += f"\n  DELETE FROM messages_search_{table} WHERE rid = old.rid;"
    return f"CREATE TRIGGER messages_search_{event} AFTER {when} ON messages BEGIN{statements}\nEND"


def _make(*, forms: bool) -> None:
    """Make all of the index anew, or, where it is off, what it will be built of."""
    for event in EVENTS:
        op.execute(f"DROP TRIGGER IF EXISTS messages_search_{event}")
    op.execute("DROP TABLE messages_search")
    op.execute("DROP VIEW messages_search_source")
    for table, statement in (("forms", FORMS), ("queue", QUEUE)):
        op.execute(statement if forms else f"DROP TABLE messages_search_{table}")
    op.execute(
        "CREATE VIEW messages_search_source AS"
        f"\nSELECT rid, {_given('', forms=forms)} AS content FROM messages"
    )
    op.execute(
        "CREATE VIRTUAL TABLE messages_search USING fts5("
        "\n  content, content='messages_search_source', content_rowid='rid',"
        f"\n  tokenize='{TOKENIZER if forms else FORMER_TOKENIZER}')"
    )
    triggers = [_trigger(event, forms=forms) for event in EVENTS]
    if _is_off():
        value = f"UPDATE chatdb_settings SET value = json_array(:a, :b, :c) {OFF}"
        op.get_bind().execute(sa.text(value), dict(zip("abc", triggers, strict=True)))
        return
    op.execute("INSERT INTO messages_search(messages_search) VALUES ('rebuild')")
    if forms:
        text = TEXT.format(row="")
        op.execute(
            "INSERT INTO messages_search_queue(rid) SELECT rid FROM messages"
            f" WHERE {IS_NOT_ASCII.format(text=text)}"
        )
    for trigger in triggers:
        op.execute(trigger)
