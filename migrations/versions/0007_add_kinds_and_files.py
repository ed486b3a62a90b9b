"""Add kinds of conversations, what people saw beside a message, who wrote it, and kept files.

Columns that may be NULL, or that have a constant default, are added at once, whatever the size of
their table; the check of the kind reads `conversations` once. Going back, documents, memories and
canvases become conversations like any other, and the texts and the files' names are lost.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

KINDS = "kind IN ('chat', 'document', 'memory', 'canvas')"
OF_CONVERSATIONS = ("missing_since", "kind")
OF_MESSAGES = ("user_id", "attached_text")
NAMED = """
type IN ('index', 'trigger') AND (sql LIKE '%missing_since%' OR sql LIKE '%attached_text%'
  OR tbl_name = 'conversations' AND sql LIKE '%kind%'
  OR tbl_name = 'messages' AND sql LIKE '%user_id%')
"""
"""What on SQLite may name one of them."""

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
           AS last_message_at,
       c.pinned_at{more}
  FROM conversations c
"""
BEFORE = SUMMARIES.format(more="")
AFTER = SUMMARIES.format(more=", c.kind, c.missing_since")

FORMER = "conversation_summaries_of_0007"
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
"""As in revision 0006: a view loses a column only by being made anew."""

ORGANIZATION = (
    "(SELECT CASE WHEN current_setting('app.organization_id', true)"
    " ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'"
    " THEN current_setting('app.organization_id', true)::uuid END)"
)
USER = "(SELECT nullif(current_setting('app.user_id', true), ''))"
OWN = f"organization_id = {ORGANIZATION}"
POLICIES = {
    "files": (
        f"USING ({OWN} AND CASE WHEN {USER} IS NULL THEN true"
        " ELSE EXISTS (SELECT FROM message_files f WHERE"
        " f.organization_id = files.organization_id AND f.digest = files.digest) END)"
        f" WITH CHECK ({OWN})"
    ),
    "message_files": (
        f"USING ({OWN} AND CASE WHEN {USER} IS NULL THEN true"
        " ELSE EXISTS (SELECT FROM conversations c WHERE"
        " c.organization_id = message_files.organization_id"
        f" AND c.id = message_files.conversation_id AND c.user_id = {USER}) END)"
    ),
}
"""As in revision 0004. A user has the files of the own messages, whose policy binds the look for
them too; a file is there before its message tells of it."""

GRANT_AS_ON_SNAPSHOTS = """
DO $body$
DECLARE
  given record;
BEGIN
  FOR given IN SELECT a.privilege_type AS privilege, a.grantee
    FROM pg_class c CROSS JOIN aclexplode(c.relacl) AS a
    WHERE c.oid = 'snapshots'::regclass AND a.grantee <> c.relowner
  LOOP
    EXECUTE format('GRANT %s ON files, message_files TO %s', given.privilege,
      CASE WHEN given.grantee = 0 THEN 'PUBLIC' ELSE given.grantee::regrole::text END);
  END LOOP;
END
$body$
"""
"""As in revision 0005: who could export and import before can still."""


def upgrade() -> None:
    sqlite = op.get_context().dialect.name == "sqlite"
    _add_columns(sqlite=sqlite)
    _make_tables(sqlite=sqlite)
    if sqlite:
        op.execute(f"DROP VIEW {VIEW}")
        op.execute(f"CREATE VIEW {VIEW} AS {AFTER}")
        return
    op.execute(f"CREATE OR REPLACE VIEW {VIEW} WITH (security_invoker = true) AS {AFTER}")
    for table, condition in POLICIES.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY {table}_tenant ON {table} FOR ALL {condition}")
    op.execute(GRANT_AS_ON_SNAPSHOTS)


def _add_columns(*, sqlite: bool) -> None:
    kind = "kind text DEFAULT 'chat' NOT NULL"
    check = f"CONSTRAINT ck_conversations_kind CHECK ({KINDS})"
    if sqlite:
        # Alembic would build the table anew for a check; SQLite takes one with its column.
        op.execute(f"ALTER TABLE conversations ADD COLUMN {kind} {check}")
    else:
        op.execute(f"ALTER TABLE conversations ADD COLUMN {kind}")
        op.execute(f"ALTER TABLE conversations ADD {check}")
    time = sa.Text() if sqlite else sa.DateTime(timezone=True)
    op.execute(
        "CREATE INDEX ix_conversations_kind ON conversations"
        " (organization_id, kind, updated_at DESC, id DESC) WHERE kind <> 'chat'"
    )
    op.add_column("conversations", sa.Column("missing_since", time))
    op.add_column("messages", sa.Column("attached_text", sa.Text()))
    op.add_column("messages", sa.Column("user_id", sa.Text()))


def _make_tables(*, sqlite: bool) -> None:
    uuid: Any = sa.Text() if sqlite else sa.Uuid()
    op.create_table(
        "files",
        sa.Column("organization_id", uuid, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("media_type", sa.Text()),
        sa.PrimaryKeyConstraint("organization_id", "digest", name="pk_files"),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name="fk_files_organizations",
            ondelete="CASCADE",
        ),
    )
    key = ("organization_id", "conversation_id", "message_id", "position")
    op.create_table(
        "message_files",
        sa.Column("organization_id", uuid, nullable=False),
        sa.Column("conversation_id", uuid, nullable=False),
        sa.Column("message_id", uuid, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("name", sa.Text()),
        sa.PrimaryKeyConstraint(*key, name="pk_message_files"),
        sa.ForeignKeyConstraint(
            ["organization_id", "conversation_id"],
            ["conversations.organization_id", "conversations.id"],
            name="fk_message_files_conversations",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_message_files_digest", "message_files", ["organization_id", "digest"])


def downgrade() -> None:
    op.drop_index("ix_conversations_kind", "conversations")
    # The policy of the one looks into the other.
    op.drop_table("files")
    op.drop_table("message_files")
    if op.get_context().dialect.name == "sqlite":
        op.execute(f"DROP VIEW {VIEW}")
        _drop_columns_of_sqlite()
        op.execute(f"CREATE VIEW {VIEW} AS {BEFORE}")
        return
    op.execute(f"ALTER VIEW {VIEW} RENAME TO {FORMER}")
    op.execute(f"CREATE VIEW {VIEW} WITH (security_invoker = true) AS {BEFORE}")
    op.execute(GRANT_AS_ON_FORMER)
    op.execute(f"DROP VIEW {FORMER}")
    _drop_columns()


def _drop_columns() -> None:
    for name in OF_MESSAGES:
        op.drop_column("messages", name)
    for name in OF_CONVERSATIONS:
        op.drop_column("conversations", name)


def _drop_columns_of_sqlite() -> None:
    """As in revision 0006: beside a view that is broken, SQLite drops a column unchecked only."""
    try:
        _drop_columns()
    except sa.exc.OperationalError as error:
        named = sa.text(f"SELECT count(*) FROM sqlite_master WHERE {NAMED}")
        if "error in view" not in str(error) or op.get_bind().execute(named).scalar_one():
            raise
        op.execute("PRAGMA writable_schema = ON")
        _drop_columns()
        op.execute("PRAGMA writable_schema = OFF")
