"""Helvino's tables as its ORM makes them: the client fills ids and `updatedAt`."""

PRISMA = (
    """CREATE TABLE organizations (id text PRIMARY KEY, key text NOT NULL UNIQUE,
    name text NOT NULL, "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" timestamp(3) NOT NULL)""",
    """CREATE TABLE visitors (id text PRIMARY KEY,
    "orgId" text NOT NULL REFERENCES organizations (id) ON DELETE CASCADE ON UPDATE CASCADE,
    "visitorKey" text NOT NULL, "userAgent" text, city text,
    "firstSeenAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "lastSeenAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" timestamp(3) NOT NULL, UNIQUE ("orgId", "visitorKey"))""",
    """CREATE TABLE conversations (id text PRIMARY KEY,
    "orgId" text NOT NULL REFERENCES organizations (id) ON DELETE CASCADE ON UPDATE CASCADE,
    "createdAt" timestamp(3) NOT NULL, "updatedAt" timestamp(3) NOT NULL,
    "messageCount" integer NOT NULL DEFAULT 0,
    "visitorId" text REFERENCES visitors (id) ON DELETE SET NULL ON UPDATE CASCADE,
    status text NOT NULL DEFAULT 'OPEN', "closedAt" timestamp(3),
    "hasUnreadFromUser" boolean NOT NULL DEFAULT false, topic text)""",
    """CREATE TABLE messages (id text PRIMARY KEY,
    "conversationId" text NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    "orgId" text NOT NULL REFERENCES organizations (id) ON DELETE CASCADE, role text NOT NULL,
    content text NOT NULL, "timestamp" timestamp(3) NOT NULL)""",
)
AT = "2026-01-01 10:00:%02d.123"
PRISMA_ROWS = (
    f"INSERT INTO organizations VALUES ('o1', 'demo', 'Demo', '{AT % 0}', '{AT % 1}')",
    f"""INSERT INTO visitors (id, "orgId", "visitorKey", city, "firstSeenAt", "lastSeenAt",
    "createdAt", "updatedAt")
    VALUES ('v1', 'o1', 'key-1', 'Köln', '{AT % 0}', '{AT % 1}', '{AT % 2}', '{AT % 3}')""",
    f"""INSERT INTO conversations VALUES
    ('', 'o1', '{AT % 0}', '{AT % 9}', 1, NULL, 'OPEN', NULL, false, NULL),
    ('c1', 'o1', '{AT % 0}', '{AT % 9}', 1, 'v1', 'odd status', '{AT % 8}', true, 'sales')""",
    f"""INSERT INTO messages VALUES ('', '', 'o1', 'user', 'of empty ids', '{AT % 3}'),
    ('m1', 'c1', 'o1', 'agent', '', '{AT % 4}')""",
)
