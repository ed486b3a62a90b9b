"""A database as Relay's Sequelize migrations make it."""

from tests.layouts.foreign_databases import values

TABLES = (
    """CREATE TABLE chats (id uuid PRIMARY KEY, title varchar(255) NOT NULL,
    repository_name varchar(255) NOT NULL, repository_full_name varchar(255) NOT NULL,
    created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL,
    last_accessed_at timestamptz NOT NULL, active_issue_number integer, active_issue_title text,
    active_issue_url text, quiet_mode boolean NOT NULL DEFAULT false)""",
    """CREATE TABLE messages (id uuid PRIMARY KEY,
    chat_id uuid NOT NULL REFERENCES chats (id) ON DELETE CASCADE,
    type varchar(50) NOT NULL, content text NOT NULL, metadata jsonb,
    created_at timestamptz NOT NULL)""",
    """CREATE TABLE chat_snapshots (id uuid PRIMARY KEY,
    chat_id uuid NOT NULL REFERENCES chats (id) ON DELETE CASCADE,
    transcriptions jsonb, function_results jsonb, claude_streaming_texts jsonb,
    claude_todo_writes jsonb, repository_issues jsonb, created_at timestamptz NOT NULL,
    claude_session_id varchar(255))""",
    "CREATE TABLE sequelize_meta (name varchar(255) PRIMARY KEY)",
)
CHAT = "11111111-1111-4111-8111-1111111111%02d"
MESSAGE = "33333333-3333-4333-8333-3333333333%02d"
SNAPSHOT = "44444444-4444-4444-8444-4444444444%02d"
AT = "2025-06-20 01:00:%02d+00"

_CHATS = values(
    [
        (
            *(CHAT % 1, "Voice", "relay", "acme/relay", AT % 0, AT % 40, AT % 50),
            *(12, "Fix voice", "https://example.org/12", True),
        ),
        (
            *(CHAT % 2, "Only spoken", "demo", "acme/demo", AT % 0, AT % 5, AT % 5),
            *(None, None, None, False),
        ),
        (
            *(CHAT % 3, "Nothing said", "demo", "acme/demo", AT % 0, AT % 1, AT % 1),
            *(None, None, None, False),
        ),
    ]
)
_MESSAGES = values(
    [
        (MESSAGE % 1, CHAT % 1, "user", "open issue 12", None, AT % 0),
        (MESSAGE % 2, CHAT % 1, "openai", "Opening it", '{"issue": {"number": 12}}', AT % 1),
        (
            *(MESSAGE % 3, CHAT % 1, "function_result", '{"success":true}'),
            *('{"name": "select_issue", "args": {"number": 12}}', AT % 2),
        ),
        (MESSAGE % 4, CHAT % 1, "claude", "Plan", '{"streaming": true}', AT % 3),
        (MESSAGE % 5, CHAT % 1, "claude_streaming", "Pl", None, AT % 3),
        (MESSAGE % 6, CHAT % 1, "claude_todowrite", '[{"content":"a"}]', None, AT % 3),
        (MESSAGE % 7, CHAT % 1, "system", "Connected", None, AT % 4),
        (MESSAGE % 8, CHAT % 1, "error", "boom", None, AT % 5),
        (MESSAGE % 9, CHAT % 1, "gemini", "from a later version", None, AT % 6),
    ]
)
_SNAPSHOTS = values(
    [
        (
            *(SNAPSHOT % 1, CHAT % 1, '[{"text": "open issue 12"}]', "[]", "[]"),
            *('[{"todos": []}]', '[{"number": 12}]', AT % 5, "session-1"),
        ),
        (
            *(SNAPSHOT % 2, CHAT % 2),
            '[{"text": "what is open?", "timestamp": "2025-06-20T01:00:01Z"}]',
            '[{"function": "list_issues", "result": [1], "timestamp": "2025-06-20T01:00:02Z"}]',
            '[{"content": "One issue.", "timestamp": "2025-06-20T01:00:03Z"}]',
            (
                '[{"todos": [{"id": "1", "content": "fix", "status": "completed"}],'
                ' "timestamp": "2025-06-20T01:00:04Z"}]'
            ),
            *(None, AT % 4, None),
        ),
        (
            *(SNAPSHOT % 3, CHAT % 2),
            (
                '[{"text": "what is open?", "timestamp": "2025-06-20T01:00:01Z"},'
                ' {"text": "thanks", "timestamp": "2025-06-20T01:00:05Z"}]'
            ),
            *("[]", "[]", "[]", None, AT % 6, None),
        ),
    ]
)
ROWS = (
    f"INSERT INTO chats VALUES {_CHATS}",
    f"INSERT INTO messages VALUES {_MESSAGES}",
    f"INSERT INTO chat_snapshots VALUES {_SNAPSHOTS}",
)

TRIGGERS = (
    """CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN NEW.updated_at = now(); RETURN NEW; END $$""",
    """CREATE FUNCTION access() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN UPDATE chats SET last_accessed_at = now() WHERE id = NEW.chat_id; RETURN NEW; END $$""",
    "CREATE TRIGGER touched BEFORE UPDATE ON chats FOR EACH ROW EXECUTE FUNCTION touch()",
    "CREATE TRIGGER accessed AFTER INSERT ON messages FOR EACH ROW EXECUTE FUNCTION access()",
    "ALTER TABLE messages ENABLE ALWAYS TRIGGER accessed",
)
"""What the document's SQL makes beside the tables: each message changes the times of its chat."""
