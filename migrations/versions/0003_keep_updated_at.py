"""Keep conversations.updated_at by triggers, for applications that write messages directly.

chatdb sets it itself: its bulk work says `SET LOCAL chatdb.bulk = 'on'` on PostgreSQL and drops
the triggers within its transaction on SQLite. Citus has no triggers: there they are left out.
"""

from alembic import op
from sqlalchemy import text

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

EVENTS = {"insert": "new", "update": "new", "delete": "old"}

FUNCTION = """
CREATE FUNCTION chatdb_touch_conversations() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  IF current_setting('chatdb.bulk', true) = 'on' THEN
    RETURN NULL;
  END IF;
  EXECUTE format(
    'UPDATE %I.conversations c SET updated_at = greatest(c.updated_at, clock_timestamp())'
    ' FROM (SELECT DISTINCT organization_id, conversation_id FROM changed) AS m'
    ' WHERE c.organization_id = m.organization_id AND c.id = m.conversation_id',
    TG_TABLE_SCHEMA);
  RETURN NULL;
END
$body$
"""

NOW = "strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'"


def upgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        for event, row in EVENTS.items():
            op.execute(
                f"CREATE TRIGGER messages_touch_{event} AFTER {event.upper()} ON messages BEGIN"
                f" UPDATE conversations SET updated_at = max(updated_at, {NOW})"
                f" WHERE organization_id = {row}.organization_id AND id = {row}.conversation_id;"
                " END"
            )
    elif not _is_citus():
        op.execute(FUNCTION)
        for event, row in EVENTS.items():
            op.execute(
                f"CREATE TRIGGER messages_touch_{event} AFTER {event.upper()} ON messages"
                f" REFERENCING {row.upper()} TABLE AS changed"
                " FOR EACH STATEMENT EXECUTE FUNCTION chatdb_touch_conversations()"
            )


def downgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        for event in EVENTS:
            op.execute(f"DROP TRIGGER messages_touch_{event}")
    elif not _is_citus():
        for event in EVENTS:
            op.execute(f"DROP TRIGGER messages_touch_{event} ON messages")
        op.execute("DROP FUNCTION chatdb_touch_conversations()")


def _is_citus() -> bool:
    query = text("SELECT 1 FROM pg_extension WHERE extname = 'citus'")
    return op.get_context().as_sql is False and op.get_bind().scalar(query) is not None
