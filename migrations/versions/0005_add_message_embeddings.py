"""Add the embeddings of messages: vectors by model, in pgvector's type where it is installed.

The extension is never created here: every backup of the database would need it from then on.
Who installs it later may alter the column (docs/schema.md); both types are right.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLE = "message_embeddings"

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

USE_PGVECTOR = f"""
DO $body$
DECLARE
  place text := (SELECT n.nspname FROM pg_extension e JOIN pg_namespace n
    ON n.oid = e.extnamespace WHERE e.extname = 'vector');
BEGIN
  IF place IS NOT NULL THEN
    EXECUTE format('ALTER TABLE {TABLE} ALTER COLUMN vector TYPE %I.vector'
      ' USING vector::text::%I.vector', place, place);
  END IF;
END
$body$
"""
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
"""Who could export and import before can still: roles that were given their rights by hand, too."""


def upgrade() -> None:
    sqlite = op.get_context().dialect.name == "sqlite"
    uuid: Any = sa.Text() if sqlite else sa.Uuid()
    key = ("organization_id", "conversation_id", "message_id", "model")
    op.create_table(
        TABLE,
        sa.Column("organization_id", uuid, nullable=False),
        sa.Column("conversation_id", uuid, nullable=False),
        sa.Column("message_id", uuid, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("vector", sa.Text() if sqlite else JSONB(), nullable=False),
        sa.PrimaryKeyConstraint(*key, name="pk_message_embeddings"),
        sa.ForeignKeyConstraint(
            ["organization_id", "conversation_id"],
            ["conversations.organization_id", "conversations.id"],
            name="fk_message_embeddings_conversations",
            ondelete="CASCADE",
        ),
    )
    if sqlite:
        return
    op.execute(USE_PGVECTOR)
    op.execute(f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY {TABLE}_tenant ON {TABLE} FOR ALL USING ({IN_CONVERSATION_OF_USER})")
    op.execute(GRANT_AS_ON_SNAPSHOTS)


def downgrade() -> None:
    op.drop_table(TABLE)
