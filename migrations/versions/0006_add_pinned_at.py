"""Add pinned_at, the time a conversation was pinned, to its table and to the view.

A column that may be NULL and has no default is added at once, whatever the size of the table.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

VIEW = "conversation_summaries"

SUMMARIES = """
SELECT c.organization_id, c.id, c.user_id, c.title, c.current_message_id, c.created_at,
       c.updated_at, c.last_accessed_at, c.archived_at, c.starred_at, c.edited_at, c.source,
       c.source_name, c.source_id, c.source_hash, c.metadata,
       (SELECT count(*) FROM messages m
         WHERE m.organization_id = c.organization_id AND m.conversation_id = c.id)
           AS message_count,
       (SELECT min(m.created_at) FROM messages m
         WHERE m.organization_id = c.organization_id AND m.conversation_id = c.id)
           AS first_message_at,
       (SELECT max(m.created_at) FROM messages m
         WHERE m.organization_id = c.organization_id AND m.conversation_id = c.id)
           AS last_message_at{more}
  FROM conversations c
"""
BEFORE = SUMMARIES.format(more="")
AFTER = SUMMARIES.format(more=",\n       c.pinned_at")
"""PostgreSQL adds columns to a view only at its end, unless the view is dropped and made again."""

FORMER = "conversation_summaries_of_0006"
GRANT_AS_ON_FORMER = f"""
DO $body$
DECLARE
  given record;
BEGIN
  FOR given IN SELECT DISTINCT a.grantee
    FROM pg_class c CROSS JOIN aclexplode(c.relacl) AS a
    WHERE c.oid = '{VIEW}'::regclass AND a.grantee <> c.relowner
  LOOP
    EXECUTE format('REVOKE ALL ON {VIEW} FROM %s',
      CASE WHEN given.grantee = 0 THEN 'PUBLIC' ELSE given.grantee::regrole::text END);
  END LOOP;
  FOR given IN SELECT a.privilege_type AS privilege, a.grantee
    FROM pg_class c CROSS JOIN aclexplode(c.relacl) AS a
    WHERE c.oid = '{FORMER}'::regclass AND a.grantee <> c.relowner
  LOOP
    EXECUTE format('GRANT %s ON {VIEW} TO %s', given.privilege,
      CASE WHEN given.grantee = 0 THEN 'PUBLIC' ELSE given.grantee::regrole::text END);
  END LOOP;
END
$body$
"""
"""A view loses a column only by being made anew: it would lose its rights with it, and have those
that roles get on new tables by default."""


def upgrade() -> None:
    sqlite = op.get_context().dialect.name == "sqlite"
    time = sa.Text() if sqlite else sa.DateTime(timezone=True)
    op.add_column("conversations", sa.Column("pinned_at", time))
    if sqlite:
        op.execute(f"DROP VIEW {VIEW}")
        op.execute(f"CREATE VIEW {VIEW} AS {AFTER}")
    else:
        op.execute(f"CREATE OR REPLACE VIEW {VIEW} WITH (security_invoker = true) AS {AFTER}")


def _drop_column_of_sqlite() -> None:
    """Drop the column, even beside a view of an application that is broken already.

    SQLite refuses then, whatever the view is about, unless it is to write the schema unchecked:
    an index or trigger that names the column would make the file unreadable.
    """
    try:
        op.drop_column("conversations", "pinned_at")
    except sa.exc.OperationalError as error:
        named = sa.text(
            "SELECT count(*) FROM sqlite_master"
            " WHERE type IN ('index', 'trigger') AND sql LIKE '%pinned_at%'"
        )
        if "error in view" not in str(error) or op.get_bind().execute(named).scalar_one():
            raise
        op.execute("PRAGMA writable_schema = ON")
        op.drop_column("conversations", "pinned_at")
        op.execute("PRAGMA writable_schema = OFF")


def downgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        op.execute(f"DROP VIEW {VIEW}")
        _drop_column_of_sqlite()
        op.execute(f"CREATE VIEW {VIEW} AS {BEFORE}")
        return
    op.execute(f"ALTER VIEW {VIEW} RENAME TO {FORMER}")
    op.execute(f"CREATE VIEW {VIEW} WITH (security_invoker = true) AS {BEFORE}")
    op.execute(GRANT_AS_ON_FORMER)
    op.execute(f"DROP VIEW {FORMER}")
    op.drop_column("conversations", "pinned_at")
