"""Add the vectors that chatdb makes of messages, to search by meaning.

They are made of the messages' texts, and can be made again: no export has them. The numbers are
single precision: bytes on SQLite, an array on PostgreSQL, which pgvector can index as it is.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TABLE = "message_vectors"

ORGANIZATION = (
    "(SELECT CASE WHEN current_setting('app.organization_id', true)"
    " ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'"
    " THEN current_setting('app.organization_id', true)::uuid END)"
)
USER = "(SELECT nullif(current_setting('app.user_id', true), ''))"
IN_CONVERSATION_OF_USER = (
    f"organization_id = {ORGANIZATION} AND CASE WHEN {USER} IS NULL THEN true"
    " ELSE EXISTS (SELECT FROM conversations c WHERE"
    f" c.organization_id = {TABLE}.organization_id AND c.id = {TABLE}.conversation_id"
    f" AND c.user_id = {USER}) END"
)
"""As in revision 0004, for what belongs to a conversation."""

GRANT_AS_ON_SNAPSHOTS = f"""
DO $body$
DECLARE
  given record;
BEGIN
  FOR given IN SELECT a.privilege_type AS privilege, a.grantee
    FROM pg_class c CROSS JOIN aclexplode(c.relacl) AS a
    WHERE c.oid = 'snapshots'::regclass AND a.grantee <> c.relowner
  LOOP
    EXECUTE format('GRANT %s ON {TABLE} TO %s', given.privilege,
      CASE WHEN given.grantee = 0 THEN 'PUBLIC' ELSE given.grantee::regrole::text END);
  END LOOP;
END
$body$
"""
"""As in revision 0005: an application's role can search by meaning too."""


def upgrade() -> None:
    sqlite = op.get_context().dialect.name == "sqlite"
    uuid: Any = sa.Text() if sqlite else sa.Uuid()
    vector: Any = sa.LargeBinary() if sqlite else ARRAY(sa.REAL())
    op.create_table(
        TABLE,
        sa.Column("organization_id", uuid, nullable=False),
        sa.Column("conversation_id", uuid, nullable=False),
        sa.Column("message_id", uuid, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("vector", vector),
        sa.PrimaryKeyConstraint(
            *("organization_id", "conversation_id", "message_id", "model"),
            name="pk_message_vectors",
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "conversation_id"],
            ["conversations.organization_id", "conversations.id"],
            name="fk_message_vectors_conversations",
            ondelete="CASCADE",
        ),
    )
    if sqlite:
        return
    op.execute(f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY {TABLE}_tenant ON {TABLE} FOR ALL USING ({IN_CONVERSATION_OF_USER})")
    op.execute(GRANT_AS_ON_SNAPSHOTS)


def downgrade() -> None:
    op.drop_table(TABLE)
