-- The schema of chatdb at revision 0003, written by chatdb 0.1.0 for postgresql.
-- Run it on an empty database, in one transaction.

CREATE TABLE chatdb_leases (
    name text NOT NULL,
    owner text NOT NULL,
    expires_at timestamp with time zone NOT NULL
);

CREATE TABLE chatdb_log (
    id uuid NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    sha256 text,
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    outcome text NOT NULL,
    details jsonb NOT NULL
);

CREATE TABLE chatdb_settings (
    key text NOT NULL,
    value text NOT NULL
);

CREATE TABLE chatdb_version (
    version_num character varying(32) NOT NULL
);

CREATE TABLE conversations (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    user_id text,
    title text,
    current_message_id uuid,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    last_accessed_at timestamp with time zone,
    archived_at timestamp with time zone,
    starred_at timestamp with time zone,
    edited_at timestamp with time zone,
    source text,
    source_name text,
    source_id text,
    source_hash text,
    metadata jsonb NOT NULL
);

CREATE TABLE messages (
    organization_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    id uuid NOT NULL,
    parent_id uuid,
    position integer NOT NULL,
    role text NOT NULL,
    author text,
    model text,
    content text NOT NULL,
    reasoning jsonb,
    tool_calls jsonb,
    tool_outputs jsonb,
    attachments jsonb,
    source_id text,
    edited_at timestamp with time zone,
    metadata jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL
);

CREATE TABLE organizations (
    id uuid NOT NULL,
    key text NOT NULL,
    name text NOT NULL,
    created_at timestamp with time zone NOT NULL
);

CREATE TABLE snapshots (
    organization_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    id uuid NOT NULL,
    state jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL
);

CREATE TABLE tombstones (
    organization_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    message_id uuid NOT NULL,
    deleted_at timestamp with time zone NOT NULL,
    reason text
);

ALTER TABLE chatdb_leases ADD CONSTRAINT pk_chatdb_leases PRIMARY KEY (name);

ALTER TABLE chatdb_log ADD CONSTRAINT pk_chatdb_log PRIMARY KEY (id);

ALTER TABLE chatdb_settings ADD CONSTRAINT pk_chatdb_settings PRIMARY KEY (key);

ALTER TABLE chatdb_version ADD CONSTRAINT chatdb_version_pkc PRIMARY KEY (version_num);

ALTER TABLE conversations ADD CONSTRAINT pk_conversations PRIMARY KEY (organization_id, id);

ALTER TABLE messages ADD CONSTRAINT pk_messages PRIMARY KEY (organization_id, conversation_id, id);

ALTER TABLE messages ADD CONSTRAINT uq_messages_position UNIQUE (organization_id, conversation_id, "position");

ALTER TABLE messages ADD CONSTRAINT ck_messages_role CHECK ((role = ANY (ARRAY['user'::text, 'assistant'::text, 'system'::text, 'tool'::text])));

ALTER TABLE organizations ADD CONSTRAINT pk_organizations PRIMARY KEY (id);

ALTER TABLE organizations ADD CONSTRAINT uq_organizations_key UNIQUE (key);

ALTER TABLE snapshots ADD CONSTRAINT pk_snapshots PRIMARY KEY (organization_id, conversation_id, id);

ALTER TABLE tombstones ADD CONSTRAINT pk_tombstones PRIMARY KEY (organization_id, conversation_id, message_id);

ALTER TABLE conversations ADD CONSTRAINT fk_conversations_organizations FOREIGN KEY (organization_id) REFERENCES organizations(id) ON DELETE CASCADE;

ALTER TABLE messages ADD CONSTRAINT fk_messages_conversations FOREIGN KEY (organization_id, conversation_id) REFERENCES conversations(organization_id, id) ON DELETE CASCADE;

ALTER TABLE snapshots ADD CONSTRAINT fk_snapshots_conversations FOREIGN KEY (organization_id, conversation_id) REFERENCES conversations(organization_id, id) ON DELETE CASCADE;

ALTER TABLE tombstones ADD CONSTRAINT fk_tombstones_organizations FOREIGN KEY (organization_id) REFERENCES organizations(id) ON DELETE CASCADE;

CREATE INDEX ix_conversations_metadata ON conversations USING gin (metadata jsonb_path_ops);

CREATE INDEX ix_conversations_updated_at ON conversations USING btree (organization_id, updated_at DESC, id DESC);

CREATE INDEX ix_conversations_user_id_updated_at ON conversations USING btree (organization_id, user_id, updated_at DESC, id DESC);

CREATE INDEX ix_messages_content_search ON messages USING gin (to_tsvector('simple'::regconfig, replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace("left"(content, 100000), '-'::text, ' '::text), '.'::text, ' '::text), '/'::text, ' '::text), '<'::text, ' '::text), '&'::text, ' '::text), '+'::text, ' '::text), '~'::text, ' '::text), '“'::text, ' '::text), '”'::text, ' '::text), '‘'::text, ' '::text), '’'::text, ' '::text), '—'::text, ' '::text), '–'::text, ' '::text), '…'::text, ' '::text)));

CREATE INDEX ix_messages_created_at ON messages USING btree (organization_id, created_at DESC);

CREATE VIEW conversation_summaries AS
SELECT organization_id,
    id,
    user_id,
    title,
    current_message_id,
    created_at,
    updated_at,
    last_accessed_at,
    archived_at,
    starred_at,
    edited_at,
    source,
    source_name,
    source_id,
    source_hash,
    metadata,
    ( SELECT count(*) AS count
           FROM messages m
          WHERE ((m.organization_id = c.organization_id) AND (m.conversation_id = c.id))) AS message_count,
    ( SELECT min(m.created_at) AS min
           FROM messages m
          WHERE ((m.organization_id = c.organization_id) AND (m.conversation_id = c.id))) AS first_message_at,
    ( SELECT max(m.created_at) AS max
           FROM messages m
          WHERE ((m.organization_id = c.organization_id) AND (m.conversation_id = c.id))) AS last_message_at
   FROM conversations c;

CREATE OR REPLACE FUNCTION chatdb_touch_conversations()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
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
$function$;

CREATE TRIGGER messages_touch_delete AFTER DELETE ON messages REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION chatdb_touch_conversations();

CREATE TRIGGER messages_touch_insert AFTER INSERT ON messages REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION chatdb_touch_conversations();

CREATE TRIGGER messages_touch_update AFTER UPDATE ON messages REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION chatdb_touch_conversations();

INSERT INTO chatdb_version (version_num) VALUES ('0003');

INSERT INTO organizations (id, key, name, created_at) VALUES ('49512666-1465-53a0-9cf9-e1bc01826594', 'default', 'Default organization', '2026-11-22T15:56:59.741344Z');

INSERT INTO conversations (organization_id, id, user_id, title, created_at, updated_at, source, metadata) VALUES ('49512666-1465-53a0-9cf9-e1bc01826594', '51d3b64d-df7c-5b08-931e-e9a88ecdd5fb', 'ada', 'Conversation 0: A lantern in the harbour', '2024-02-29T23:59:59.123456Z', '2024-02-29T23:59:59.123456Z', NULL, '{"a":[null,"it''s"],"z":1}');
INSERT INTO messages (organization_id, conversation_id, id, position, role, content, metadata, created_at) VALUES ('49512666-1465-53a0-9cf9-e1bc01826594', '51d3b64d-df7c-5b08-931e-e9a88ecdd5fb', '17d1b9d5-7e0e-55c9-9ea7-b17e0c07a7bb', 0, 'user', 'A lantern in the harbour', '{}', '2024-02-29T23:59:59.123456Z');
INSERT INTO messages (organization_id, conversation_id, id, position, role, content, metadata, created_at) VALUES ('49512666-1465-53a0-9cf9-e1bc01826594', '51d3b64d-df7c-5b08-931e-e9a88ecdd5fb', '21f1fe3f-a178-57bf-852c-721c4b8b51dd', 1, 'assistant', 'Ünï, 漢字 🏮', '{}', '2024-02-29T23:59:59.123456Z');
INSERT INTO messages (organization_id, conversation_id, id, position, role, content, metadata, created_at) VALUES ('49512666-1465-53a0-9cf9-e1bc01826594', '51d3b64d-df7c-5b08-931e-e9a88ecdd5fb', '557ef49b-7455-5fcc-bddc-793636d85774', 2, 'system', '```python
print(''it''''s'')
```', '{}', '2024-02-29T23:59:59.123456Z');
INSERT INTO messages (organization_id, conversation_id, id, position, role, content, metadata, created_at) VALUES ('49512666-1465-53a0-9cf9-e1bc01826594', '51d3b64d-df7c-5b08-931e-e9a88ecdd5fb', '14c605a1-259a-59c6-940a-e483d4a966ff', 3, 'tool', '', '{}', '2024-02-29T23:59:59.123456Z');
INSERT INTO snapshots (organization_id, conversation_id, id, state, created_at) VALUES ('49512666-1465-53a0-9cf9-e1bc01826594', '51d3b64d-df7c-5b08-931e-e9a88ecdd5fb', '1897550b-c84a-5ac9-82de-2ae7c90ff95e', '{"n":1}', '2024-02-29T23:59:59.123456Z');
INSERT INTO tombstones (organization_id, conversation_id, message_id, deleted_at) VALUES ('49512666-1465-53a0-9cf9-e1bc01826594', '51d3b64d-df7c-5b08-931e-e9a88ecdd5fb', '00000000-0000-0000-0000-000000000000', '2024-02-29T23:59:59.123456Z');
INSERT INTO conversations (organization_id, id, user_id, title, created_at, updated_at, source, metadata) VALUES ('49512666-1465-53a0-9cf9-e1bc01826594', '1d10719f-5563-57f4-998d-0b64e4ebb7f9', 'ada', 'Conversation 1: Ünï, 漢字 🏮', '2024-03-01T23:59:59.123456Z', '2024-03-01T23:59:59.123456Z', 'chatgpt', '{"a":[null,"it''s"],"z":1}');
INSERT INTO messages (organization_id, conversation_id, id, position, role, content, metadata, created_at) VALUES ('49512666-1465-53a0-9cf9-e1bc01826594', '1d10719f-5563-57f4-998d-0b64e4ebb7f9', '48fd658d-2ad6-578f-b881-4caa54049097', 0, 'user', 'A lantern in the harbour', '{}', '2024-03-01T23:59:59.123456Z');
INSERT INTO messages (organization_id, conversation_id, id, position, role, content, metadata, created_at) VALUES ('49512666-1465-53a0-9cf9-e1bc01826594', '1d10719f-5563-57f4-998d-0b64e4ebb7f9', 'abbd51c0-e7db-5146-9a4d-0282795d41a0', 1, 'assistant', 'Ünï, 漢字 🏮', '{}', '2024-03-01T23:59:59.123456Z');
INSERT INTO messages (organization_id, conversation_id, id, position, role, content, metadata, created_at) VALUES ('49512666-1465-53a0-9cf9-e1bc01826594', '1d10719f-5563-57f4-998d-0b64e4ebb7f9', '6e6416dd-cea1-58e0-8cd3-5ffa9a10644b', 2, 'system', '```python
print(''it''''s'')
```', '{}', '2024-03-01T23:59:59.123456Z');
INSERT INTO messages (organization_id, conversation_id, id, position, role, content, metadata, created_at) VALUES ('49512666-1465-53a0-9cf9-e1bc01826594', '1d10719f-5563-57f4-998d-0b64e4ebb7f9', 'f01a9d24-da4c-5392-a8a0-c59f26b318f6', 3, 'tool', '', '{}', '2024-03-01T23:59:59.123456Z');
INSERT INTO snapshots (organization_id, conversation_id, id, state, created_at) VALUES ('49512666-1465-53a0-9cf9-e1bc01826594', '1d10719f-5563-57f4-998d-0b64e4ebb7f9', 'd5e958fa-fb75-5e9c-b573-a5ece14f073c', '{"n":1}', '2024-03-01T23:59:59.123456Z');
INSERT INTO tombstones (organization_id, conversation_id, message_id, deleted_at) VALUES ('49512666-1465-53a0-9cf9-e1bc01826594', '1d10719f-5563-57f4-998d-0b64e4ebb7f9', '00000000-0000-0000-0000-000000000000', '2024-03-01T23:59:59.123456Z');
INSERT INTO conversations (organization_id, id, user_id, title, created_at, updated_at, source, metadata) VALUES ('49512666-1465-53a0-9cf9-e1bc01826594', 'bee83a2b-f72c-5549-a1ce-2db1c5674526', 'ada', 'Conversation 2: ```python
print(''it''''s'')
```', '2024-03-02T23:59:59.123456Z', '2024-03-02T23:59:59.123456Z', 'chatgpt', '{"a":[null,"it''s"],"z":1}');
INSERT INTO messages (organization_id, conversation_id, id, position, role, content, metadata, created_at) VALUES ('49512666-1465-53a0-9cf9-e1bc01826594', 'bee83a2b-f72c-5549-a1ce-2db1c5674526', '97750088-6760-5e5e-9398-bc5a2a4c453a', 0, 'user', 'A lantern in the harbour', '{}', '2024-03-02T23:59:59.123456Z');
INSERT INTO messages (organization_id, conversation_id, id, position, role, content, metadata, created_at) VALUES ('49512666-1465-53a0-9cf9-e1bc01826594', 'bee83a2b-f72c-5549-a1ce-2db1c5674526', '4c47fd82-2e02-5b38-8983-7e9e52bd0eea', 1, 'assistant', 'Ünï, 漢字 🏮', '{}', '2024-03-02T23:59:59.123456Z');
INSERT INTO messages (organization_id, conversation_id, id, position, role, content, metadata, created_at) VALUES ('49512666-1465-53a0-9cf9-e1bc01826594', 'bee83a2b-f72c-5549-a1ce-2db1c5674526', 'f3ed8fc3-1592-5811-8903-291967f8dddb', 2, 'system', '```python
print(''it''''s'')
```', '{}', '2024-03-02T23:59:59.123456Z');
INSERT INTO messages (organization_id, conversation_id, id, position, role, content, metadata, created_at) VALUES ('49512666-1465-53a0-9cf9-e1bc01826594', 'bee83a2b-f72c-5549-a1ce-2db1c5674526', '0edebe43-aa8b-5631-8270-7ddda260ee5b', 3, 'tool', '', '{}', '2024-03-02T23:59:59.123456Z');
INSERT INTO snapshots (organization_id, conversation_id, id, state, created_at) VALUES ('49512666-1465-53a0-9cf9-e1bc01826594', 'bee83a2b-f72c-5549-a1ce-2db1c5674526', '06521e99-49be-58c9-89d3-8e31338091f7', '{"n":1}', '2024-03-02T23:59:59.123456Z');
INSERT INTO tombstones (organization_id, conversation_id, message_id, deleted_at) VALUES ('49512666-1465-53a0-9cf9-e1bc01826594', 'bee83a2b-f72c-5549-a1ce-2db1c5674526', '00000000-0000-0000-0000-000000000000', '2024-03-02T23:59:59.123456Z');
