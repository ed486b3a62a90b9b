"""Add full-text search: a GIN index on PostgreSQL, an FTS5 table with its triggers on SQLite."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SEPARATORS = "-./<&+~\u201c\u201d\u2018\u2019\u2014\u2013\u2026"
"""What PostgreSQL's parser would make hosts, paths, tags, signs and hyphenated words of, and quotes
and dashes that a database in the C locale takes for letters: blanks, so that both databases see
the same words."""

SQLITE = (
    """
CREATE VIEW messages_search_source AS
SELECT rid, substr(content, 1, 100000) AS content FROM messages
""",
    """
CREATE VIRTUAL TABLE messages_search USING fts5(
  content, content='messages_search_source', content_rowid='rid',
  tokenize='unicode61 remove_diacritics 2')
""",
    "INSERT INTO messages_search(messages_search) VALUES('rebuild')",
    """
CREATE TRIGGER messages_search_insert AFTER INSERT ON messages BEGIN
  INSERT INTO messages_search(rowid, content) VALUES (new.rid, substr(new.content, 1, 100000));
END
""",
    """
CREATE TRIGGER messages_search_delete AFTER DELETE ON messages BEGIN
  INSERT INTO messages_search(messages_search, rowid, content)
  VALUES ('delete', old.rid, substr(old.content, 1, 100000));
END
""",
    """
CREATE TRIGGER messages_search_update AFTER UPDATE OF rid, content ON messages BEGIN
  INSERT INTO messages_search(messages_search, rowid, content)
  VALUES ('delete', old.rid, substr(old.content, 1, 100000));
  INSERT INTO messages_search(rowid, content) VALUES (new.rid, substr(new.content, 1, 100000));
END
""",
)


def upgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        for statement in SQLITE:
            op.execute(statement)
    else:
        op.execute(
            "CREATE INDEX ix_messages_content_search ON messages"
            f" USING gin (to_tsvector('simple'::regconfig, {_blanked('left(content, 100000)')}))"
        )


def downgrade() -> None:
    """The index may be off (see docs/schema.md); what is kept to build it again goes with it."""
    if op.get_context().dialect.name == "sqlite":
        for trigger in ("update", "delete", "insert"):
            op.execute(f"DROP TRIGGER IF EXISTS messages_search_{trigger}")
        op.execute("DROP TABLE messages_search")
        op.execute("DROP VIEW messages_search_source")
    else:
        op.execute("DROP INDEX IF EXISTS ix_messages_content_search")
    op.execute(
        "DELETE FROM chatdb_settings WHERE key IN ('search_index', 'search_index_statements')"
    )


def _blanked(expression: str) -> str:
    """Nested replace() costs next to nothing; translate() would double the cost of the index."""
    for separator in SEPARATORS:
        expression = f"replace({expression}, '{separator}', ' ')"
    return expression
