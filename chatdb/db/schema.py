"""The tables at head for SQLAlchemy Core; databases themselves are created by migrations.

A test compares these with what the migrations build. `docs/schema.md` describes each column.
"""

import sqlalchemy as sa

from chatdb.db.migrating import scripts
from chatdb.db.types import (
    CanonicalJson,
    FloatVector,
    HyphenUuid,
    PackedVector,
    StoredText,
    UtcTime,
)

NAMING_CONVENTION = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(referred_table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}

DISTRIBUTE = "distribute"
"""The key of `Table.info` that says how Citus has a table: by the column that is named, as a
reference table on every node, or as a local one of the coordinator."""
_BY_ORGANIZATION, _REFERENCE, _LOCAL = (
    {DISTRIBUTE: how} for how in ("organization_id", "reference", "local")
)

metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)

organizations = sa.Table(
    "organizations",
    metadata,
    sa.Column("id", HyphenUuid, primary_key=True),
    sa.Column("key", StoredText, nullable=False, unique=True),
    sa.Column("name", StoredText, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    info=_REFERENCE,
)

conversations = sa.Table(
    "conversations",
    metadata,
    sa.Column("organization_id", HyphenUuid, nullable=False),
    sa.Column("id", HyphenUuid, nullable=False),
    sa.Column("user_id", StoredText),
    sa.Column("title", StoredText),
    sa.Column("current_message_id", HyphenUuid),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("updated_at", UtcTime, nullable=False),
    sa.Column("last_accessed_at", UtcTime),
    sa.Column("archived_at", UtcTime),
    sa.Column("starred_at", UtcTime),
    sa.Column("edited_at", UtcTime),
    sa.Column("source", StoredText),
    sa.Column("source_name", StoredText),
    sa.Column("source_id", StoredText),
    sa.Column("source_hash", StoredText),
    sa.Column("metadata", CanonicalJson, nullable=False),
    sa.Column("pinned_at", UtcTime),
    sa.Column("kind", StoredText, nullable=False, server_default="chat"),
    sa.Column("missing_since", UtcTime),
    sa.PrimaryKeyConstraint("organization_id", "id"),
    sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], ondelete="CASCADE"),
    sa.CheckConstraint("kind IN ('chat', 'document', 'memory', 'canvas')", name="kind"),
    info=_BY_ORGANIZATION,
)
sa.Index(
    "ix_conversations_updated_at",
    conversations.c.organization_id,
    conversations.c.updated_at.desc(),
    conversations.c.id.desc(),
)
sa.Index(
    "ix_conversations_user_id_updated_at",
    conversations.c.organization_id,
    conversations.c.user_id,
    conversations.c.updated_at.desc(),
    conversations.c.id.desc(),
)
sa.Index(
    "ix_conversations_kind",
    conversations.c.organization_id,
    conversations.c.kind,
    conversations.c.updated_at.desc(),
    conversations.c.id.desc(),
    sqlite_where=sa.text("kind <> 'chat'"),
    postgresql_where=sa.text("kind <> 'chat'"),
)

messages = sa.Table(
    "messages",
    metadata,
    sa.Column("organization_id", HyphenUuid, nullable=False),
    sa.Column("conversation_id", HyphenUuid, nullable=False),
    sa.Column("id", HyphenUuid, nullable=False),
    sa.Column("parent_id", HyphenUuid),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("role", StoredText, nullable=False),
    sa.Column("author", StoredText),
    sa.Column("model", StoredText),
    sa.Column("content", StoredText, nullable=False),
    sa.Column("reasoning", CanonicalJson),
    sa.Column("tool_calls", CanonicalJson),
    sa.Column("tool_outputs", CanonicalJson),
    sa.Column("attachments", CanonicalJson),
    sa.Column("source_id", StoredText),
    sa.Column("edited_at", UtcTime),
    sa.Column("metadata", CanonicalJson, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("attached_text", StoredText),
    sa.Column("user_id", StoredText),
    sa.PrimaryKeyConstraint("organization_id", "conversation_id", "id"),
    sa.UniqueConstraint(
        "organization_id", "conversation_id", "position", name="uq_messages_position"
    ),
    sa.ForeignKeyConstraint(
        ["organization_id", "conversation_id"],
        ["conversations.organization_id", "conversations.id"],
        ondelete="CASCADE",
    ),
    sa.CheckConstraint("role IN ('user', 'assistant', 'system', 'tool')", name="role"),
    info=_BY_ORGANIZATION,
)
"""On SQLite the table also has `rid INTEGER PRIMARY KEY` for FTS5, its key being unique there."""

sa.Index("ix_messages_created_at", messages.c.organization_id, messages.c.created_at.desc())

snapshots = sa.Table(
    "snapshots",
    metadata,
    sa.Column("organization_id", HyphenUuid, nullable=False),
    sa.Column("conversation_id", HyphenUuid, nullable=False),
    sa.Column("id", HyphenUuid, nullable=False),
    sa.Column("state", CanonicalJson, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.PrimaryKeyConstraint("organization_id", "conversation_id", "id"),
    sa.ForeignKeyConstraint(
        ["organization_id", "conversation_id"],
        ["conversations.organization_id", "conversations.id"],
        ondelete="CASCADE",
    ),
    info=_BY_ORGANIZATION,
)

message_embeddings = sa.Table(
    "message_embeddings",
    metadata,
    sa.Column("organization_id", HyphenUuid, nullable=False),
    sa.Column("conversation_id", HyphenUuid, nullable=False),
    sa.Column("message_id", HyphenUuid, nullable=False),
    sa.Column("model", StoredText, nullable=False),
    sa.Column("vector", FloatVector, nullable=False),
    sa.PrimaryKeyConstraint("organization_id", "conversation_id", "message_id", "model"),
    sa.ForeignKeyConstraint(
        ["organization_id", "conversation_id"],
        ["conversations.organization_id", "conversations.id"],
        ondelete="CASCADE",
    ),
    info=_BY_ORGANIZATION,
)
"""On PostgreSQL `vector` is pgvector's type or JSONB: what revision 0005 found, or one altered."""

message_vectors = sa.Table(
    "message_vectors",
    metadata,
    sa.Column("organization_id", HyphenUuid, nullable=False),
    sa.Column("conversation_id", HyphenUuid, nullable=False),
    sa.Column("message_id", HyphenUuid, nullable=False),
    sa.Column("model", StoredText, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("vector", PackedVector),
    sa.PrimaryKeyConstraint("organization_id", "conversation_id", "message_id", "model"),
    sa.ForeignKeyConstraint(
        ["organization_id", "conversation_id"],
        ["conversations.organization_id", "conversations.id"],
        ondelete="CASCADE",
    ),
    info=_BY_ORGANIZATION,
)
"""Made by `chatdb embeddings build`: `digest` is of the text, `vector` NULL where it says nothing.
"""

files = sa.Table(
    "files",
    metadata,
    sa.Column("organization_id", HyphenUuid, nullable=False),
    sa.Column("digest", StoredText, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("media_type", StoredText),
    sa.PrimaryKeyConstraint("organization_id", "digest"),
    sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], ondelete="CASCADE"),
    info=_BY_ORGANIZATION,
)
"""Attachments that are kept; their bytes stand beside the database, a folder an organization."""

message_files = sa.Table(
    "message_files",
    metadata,
    sa.Column("organization_id", HyphenUuid, nullable=False),
    sa.Column("conversation_id", HyphenUuid, nullable=False),
    sa.Column("message_id", HyphenUuid, nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("digest", StoredText, nullable=False),
    sa.Column("name", StoredText),
    sa.PrimaryKeyConstraint("organization_id", "conversation_id", "message_id", "position"),
    sa.ForeignKeyConstraint(
        ["organization_id", "conversation_id"],
        ["conversations.organization_id", "conversations.id"],
        ondelete="CASCADE",
    ),
    info=_BY_ORGANIZATION,
)
sa.Index("ix_message_files_digest", message_files.c.organization_id, message_files.c.digest)

tombstones = sa.Table(
    "tombstones",
    metadata,
    sa.Column("organization_id", HyphenUuid, nullable=False),
    sa.Column("conversation_id", HyphenUuid, nullable=False),
    sa.Column("message_id", HyphenUuid, nullable=False),
    sa.Column("deleted_at", UtcTime, nullable=False),
    sa.Column("reason", sa.Text),
    sa.PrimaryKeyConstraint("organization_id", "conversation_id", "message_id"),
    sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], ondelete="CASCADE"),
    info=_BY_ORGANIZATION,
)
"""Tombstones; a nil `message_id` stands for the whole conversation."""

settings = sa.Table(
    "chatdb_settings",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    info=_LOCAL,
)

leases = sa.Table(
    "chatdb_leases",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("expires_at", UtcTime, nullable=False),
    info=_LOCAL,
)

log = sa.Table(
    "chatdb_log",
    metadata,
    sa.Column("id", HyphenUuid, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("sha256", sa.Text),
    sa.Column("started_at", UtcTime, nullable=False),
    sa.Column("finished_at", UtcTime),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("details", CanonicalJson, nullable=False),
    info=_LOCAL,
)
"""What chatdb did to this database: `kind` migration, import, deletion ...; with times."""

conversation_summaries = sa.table(
    "conversation_summaries",
    *(sa.column(column.name, column.type) for column in conversations.columns),
    sa.column("message_count", sa.Integer),
    sa.column("first_message_at", UtcTime()),
    sa.column("last_message_at", UtcTime()),
)
"""The view: conversations with their counts, computed per row on the index."""

DERIVED = frozenset({message_vectors})
"""Tables whose rows are made of others and can be made again: no export and no copy has them."""

VERSION_TABLE = scripts.VERSION_TABLE
TABLE_NAMES = frozenset(metadata.tables) | {VERSION_TABLE, "conversation_summaries"}
