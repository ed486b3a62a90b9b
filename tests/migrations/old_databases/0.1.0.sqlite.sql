-- The schema of chatdb at revision 0003, written by chatdb 0.1.0 for sqlite.
-- Run it on an empty database, in one transaction.

CREATE TABLE chatdb_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT chatdb_version_pkc PRIMARY KEY (version_num)
);

CREATE TABLE organizations (
	id TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	name TEXT NOT NULL, 
	created_at TEXT NOT NULL, 
	CONSTRAINT pk_organizations PRIMARY KEY (id), 
	CONSTRAINT uq_organizations_key UNIQUE ("key")
);

CREATE TABLE conversations (
	organization_id TEXT NOT NULL, 
	id TEXT NOT NULL, 
	user_id TEXT, 
	title TEXT, 
	current_message_id TEXT, 
	created_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, 
	last_accessed_at TEXT, 
	archived_at TEXT, 
	starred_at TEXT, 
	edited_at TEXT, 
	source TEXT, 
	source_name TEXT, 
	source_id TEXT, 
	source_hash TEXT, 
	metadata TEXT NOT NULL, 
	CONSTRAINT pk_conversations PRIMARY KEY (organization_id, id), 
	CONSTRAINT fk_conversations_organizations FOREIGN KEY(organization_id) REFERENCES organizations (id) ON DELETE CASCADE
);

CREATE TABLE messages (
	rid INTEGER NOT NULL, 
	organization_id TEXT NOT NULL, 
	conversation_id TEXT NOT NULL, 
	id TEXT NOT NULL, 
	parent_id TEXT, 
	position INTEGER NOT NULL, 
	role TEXT NOT NULL, 
	author TEXT, 
	model TEXT, 
	content TEXT NOT NULL, 
	reasoning TEXT, 
	tool_calls TEXT, 
	tool_outputs TEXT, 
	attachments TEXT, 
	source_id TEXT, 
	edited_at TEXT, 
	metadata TEXT NOT NULL, 
	created_at TEXT NOT NULL, 
	CONSTRAINT pk_messages_rid PRIMARY KEY (rid), 
	CONSTRAINT uq_messages_key UNIQUE (organization_id, conversation_id, id), 
	CONSTRAINT uq_messages_position UNIQUE (organization_id, conversation_id, position), 
	CONSTRAINT fk_messages_conversations FOREIGN KEY(organization_id, conversation_id) REFERENCES conversations (organization_id, id) ON DELETE CASCADE, 
	CONSTRAINT ck_messages_role CHECK (role IN ('user', 'assistant', 'system', 'tool'))
);

CREATE TABLE snapshots (
	organization_id TEXT NOT NULL, 
	conversation_id TEXT NOT NULL, 
	id TEXT NOT NULL, 
	state TEXT NOT NULL, 
	created_at TEXT NOT NULL, 
	CONSTRAINT pk_snapshots PRIMARY KEY (organization_id, conversation_id, id), 
	CONSTRAINT fk_snapshots_conversations FOREIGN KEY(organization_id, conversation_id) REFERENCES conversations (organization_id, id) ON DELETE CASCADE
);

CREATE TABLE tombstones (
	organization_id TEXT NOT NULL, 
	conversation_id TEXT NOT NULL, 
	message_id TEXT NOT NULL, 
	deleted_at TEXT NOT NULL, 
	reason TEXT, 
	CONSTRAINT pk_tombstones PRIMARY KEY (organization_id, conversation_id, message_id), 
	CONSTRAINT fk_tombstones_organizations FOREIGN KEY(organization_id) REFERENCES organizations (id) ON DELETE CASCADE
);

CREATE TABLE chatdb_settings (
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_chatdb_settings PRIMARY KEY ("key")
);

CREATE TABLE chatdb_leases (
	name TEXT NOT NULL, 
	owner TEXT NOT NULL, 
	expires_at TEXT NOT NULL, 
	CONSTRAINT pk_chatdb_leases PRIMARY KEY (name)
);

CREATE TABLE chatdb_log (
	id TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	subject TEXT NOT NULL, 
	sha256 TEXT, 
	started_at TEXT NOT NULL, 
	finished_at TEXT, 
	outcome TEXT NOT NULL, 
	details TEXT NOT NULL, 
	CONSTRAINT pk_chatdb_log PRIMARY KEY (id)
);

CREATE INDEX ix_conversations_updated_at ON conversations (organization_id, updated_at DESC, id DESC);

CREATE INDEX ix_conversations_user_id_updated_at ON conversations (organization_id, user_id, updated_at DESC, id DESC);

CREATE INDEX ix_messages_created_at ON messages (organization_id, created_at DESC);

CREATE VIEW conversation_summaries AS
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
           AS last_message_at
  FROM conversations c;

CREATE VIEW messages_search_source AS
SELECT rid, substr(content, 1, 100000) AS content FROM messages;

CREATE VIRTUAL TABLE messages_search USING fts5(
  content, content='messages_search_source', content_rowid='rid',
  tokenize='unicode61 remove_diacritics 2');

CREATE TRIGGER messages_search_insert AFTER INSERT ON messages BEGIN
  INSERT INTO messages_search(rowid, content) VALUES (new.rid, substr(new.content, 1, 100000));
END;

CREATE TRIGGER messages_search_delete AFTER DELETE ON messages BEGIN
  INSERT INTO messages_search(messages_search, rowid, content)
  VALUES ('delete', old.rid, substr(old.content, 1, 100000));
END;

CREATE TRIGGER messages_search_update AFTER UPDATE OF rid, content ON messages BEGIN
  INSERT INTO messages_search(messages_search, rowid, content)
  VALUES ('delete', old.rid, substr(old.content, 1, 100000));
  INSERT INTO messages_search(rowid, content) VALUES (new.rid, substr(new.content, 1, 100000));
END;

CREATE TRIGGER messages_touch_insert AFTER INSERT ON messages BEGIN UPDATE conversations SET updated_at = max(updated_at, strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z') WHERE organization_id = new.organization_id AND id = new.conversation_id; END;

CREATE TRIGGER messages_touch_update AFTER UPDATE ON messages BEGIN UPDATE conversations SET updated_at = max(updated_at, strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z') WHERE organization_id = new.organization_id AND id = new.conversation_id; END;

CREATE TRIGGER messages_touch_delete AFTER DELETE ON messages BEGIN UPDATE conversations SET updated_at = max(updated_at, strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z') WHERE organization_id = old.organization_id AND id = old.conversation_id; END;

INSERT INTO chatdb_version (version_num) VALUES ('0003');

INSERT INTO organizations (id, key, name, created_at) VALUES ('49512666-1465-53a0-9cf9-e1bc01826594', 'default', 'Default organization', '2026-11-22T15:56:57.616046Z');

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
