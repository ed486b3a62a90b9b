"""Databases as each of ChatMCP's three schemas makes them."""

from tests.layouts.foreign_databases import values

FIRST_MIGRATION = (
    """CREATE TABLE conversations (id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    title VARCHAR(255) NOT NULL, userId VARCHAR(255) NOT NULL,
    createdAt TIMESTAMPTZ DEFAULT now(), updatedAt TIMESTAMPTZ DEFAULT now())""",
    """CREATE TABLE messages (id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    conversationId UUID NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    role VARCHAR(50) NOT NULL CHECK (role IN ('user', 'assistant', 'system')),
    content TEXT NOT NULL, reasoning JSONB, functionCalls JSONB, functionOutputs JSONB,
    createdAt TIMESTAMPTZ DEFAULT now(),
    CONSTRAINT fk_conversation FOREIGN KEY (conversationId) REFERENCES conversations (id))""",
    """CREATE FUNCTION update_conversation_timestamp() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN UPDATE conversations SET updatedAt = now() WHERE id = NEW.conversationId;
    RETURN NEW; END $$""",
    """CREATE TRIGGER trigger_update_conversation_timestamp AFTER INSERT OR UPDATE ON messages
    FOR EACH ROW EXECUTE FUNCTION update_conversation_timestamp()""",
)
COMPOSE = (
    "CREATE EXTENSION vector",
    """CREATE TABLE conversations (id uuid PRIMARY KEY, user_id varchar(255) NOT NULL,
    title varchar(255) NOT NULL, created_at timestamptz, updated_at timestamptz)""",
    """CREATE TABLE messages (id uuid PRIMARY KEY,
    conversation_id uuid NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    role varchar(50) NOT NULL, content text NOT NULL, reasoning jsonb, function_calls jsonb,
    function_outputs jsonb, embedding vector(3), created_at timestamptz)""",
)
SUPABASE = (
    """CREATE TABLE conversations (id uuid PRIMARY KEY, title text NOT NULL,
    user_id text NOT NULL DEFAULT 'anonymous', created_at timestamptz, updated_at timestamptz)""",
    """CREATE TABLE messages (id uuid PRIMARY KEY,
    conversation_id uuid NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    role text NOT NULL, content text NOT NULL, reasoning jsonb, function_calls jsonb,
    function_outputs jsonb, embedding text, created_at timestamptz)""",
)

TALK = "550e8400-e29b-41d4-a716-4466554400%02d"
MESSAGE = "40b9ad94-a1b5-42f7-8fd3-0bcc0aabb3%02d"
AT = "2025-06-01 10:00:%02d+00"
CALLS = '[{"id": "c1", "name": "weather", "status": "completed", "arguments": {"city": "Paris"}}]'
OUTPUTS = '[{"id": "o1", "output": {"temp": 18}, "functionCallId": "c1"}]'
REASONING = '{"effort": "medium", "summary": "looked it up"}'

_TALKS = [
    (TALK % 1, "Weather", "auth0|ann", AT % 0, AT % 30),
    (TALK % 2, "Empty", "auth0|bob", AT % 0, AT % 0),
]
_MESSAGES = [
    (MESSAGE % 1, TALK % 1, "system", "You are helpful", None, None, None, AT % 0),
    (MESSAGE % 2, TALK % 1, "user", "Paris?", None, None, None, AT % 1),
    (MESSAGE % 3, TALK % 1, "assistant", "18 degrees", REASONING, CALLS, OUTPUTS, AT % 2),
]


def rows(*, folded: bool) -> tuple[str, ...]:
    """Write the INSERTs; the conversations' times last, for a trigger changes them."""
    user = "userid" if folded else "user_id"
    created, updated = ("createdat", "updatedat") if folded else ("created_at", "updated_at")
    parent = "conversationid" if folded else "conversation_id"
    calls, outputs = (
        ("functioncalls", "functionoutputs") if folded else ("function_calls", "function_outputs")
    )
    return (
        (
            f"INSERT INTO conversations (id, title, {user}, {created}, {updated})"
            f" VALUES {values(_TALKS)}"
        ),
        (
            f"INSERT INTO messages (id, {parent}, role, content, reasoning, {calls}, {outputs},"
            f" {created}) VALUES {values(_MESSAGES)}"
        ),
        f"UPDATE conversations SET {updated} = '{AT % 30}' WHERE id = '{TALK % 1}'",
    )
