"""Create the tables, their indexes and the view of conversation summaries."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

DEFAULT_ORGANIZATION = ("default", "Default organization")
ORGANIZATIONS_NAMESPACE = uuid.UUID("5c1c1f0e-6d0b-5d1c-9a64-3c8f6f3f9d01")

SUMMARIES = """
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
  FROM conversations c
"""


@dataclass(frozen=True)
class Types:
    """How this database keeps what the other keeps differently."""

    sqlite: bool
    uuid: Any
    time: Any
    json: Any


def upgrade() -> None:
    sqlite = op.get_context().dialect.name == "sqlite"
    types = Types(
        sqlite=sqlite,
        uuid=sa.Text() if sqlite else sa.Uuid(),
        time=sa.Text() if sqlite else sa.DateTime(timezone=True),
        json=sa.Text() if sqlite else JSONB(),
    )
    _create_organizations(types)
    _create_conversations(types)
    _create_messages(types)
    _create_snapshots(types)
    _create_tombstones(types)
    _create_housekeeping(types)
    _create_indexes(types)
    op.execute(SUMMARIES)
    _insert_default_organization(types)


def downgrade() -> None:
    op.execute("DROP VIEW conversation_summaries")
    for table in (
        "chatdb_log",
        "chatdb_leases",
        "chatdb_settings",
        "tombstones",
        "snapshots",
        "messages",
        "conversations",
        "organizations",
    ):
        op.drop_table(table)


def _create_organizations(types: Types) -> None:
    op.create_table(
        "organizations",
        sa.Column("id", types.uuid, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", types.time, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_organizations"),
        sa.UniqueConstraint("key", name="uq_organizations_key"),
    )


def _create_conversations(types: Types) -> None:
    op.create_table(
        "conversations",
        sa.Column("organization_id", types.uuid, nullable=False),
        sa.Column("id", types.uuid, nullable=False),
        sa.Column("user_id", sa.Text()),
        sa.Column("title", sa.Text()),
        sa.Column("current_message_id", types.uuid),
        sa.Column("created_at", types.time, nullable=False),
        sa.Column("updated_at", types.time, nullable=False),
        sa.Column("last_accessed_at", types.time),
        sa.Column("archived_at", types.time),
        sa.Column("starred_at", types.time),
        sa.Column("edited_at", types.time),
        sa.Column("source", sa.Text()),
        sa.Column("source_name", sa.Text()),
        sa.Column("source_id", sa.Text()),
        sa.Column("source_hash", sa.Text()),
        sa.Column("metadata", types.json, nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "id", name="pk_conversations"),
        _to_organizations("conversations"),
    )


def _create_messages(types: Types) -> None:
    """On SQLite FTS5 needs a rowid that survives a rebuild, so the key is a unique constraint."""
    key = ("organization_id", "conversation_id", "id")
    rid: list[Any] = [sa.Column("rid", sa.Integer(), nullable=False)] if types.sqlite else []
    keys: list[Any] = [sa.PrimaryKeyConstraint(*key, name="pk_messages")]
    if types.sqlite:
        keys = [
            sa.PrimaryKeyConstraint("rid", name="pk_messages_rid"),
            sa.UniqueConstraint(*key, name="uq_messages_key"),
        ]
    op.create_table(
        "messages",
        *rid,
        sa.Column("organization_id", types.uuid, nullable=False),
        sa.Column("conversation_id", types.uuid, nullable=False),
        sa.Column("id", types.uuid, nullable=False),
        sa.Column("parent_id", types.uuid),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("author", sa.Text()),
        sa.Column("model", sa.Text()),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("reasoning", types.json),
        sa.Column("tool_calls", types.json),
        sa.Column("tool_outputs", types.json),
        sa.Column("attachments", types.json),
        sa.Column("source_id", sa.Text()),
        sa.Column("edited_at", types.time),
        sa.Column("metadata", types.json, nullable=False),
        sa.Column("created_at", types.time, nullable=False),
        *keys,
        sa.UniqueConstraint(
            "organization_id", "conversation_id", "position", name="uq_messages_position"
        ),
        _to_conversations("messages"),
        sa.CheckConstraint(
            "role IN ('user', 'assistant', 'system', 'tool')", name=op.f("ck_messages_role")
        ),
    )


def _create_snapshots(types: Types) -> None:
    op.create_table(
        "snapshots",
        sa.Column("organization_id", types.uuid, nullable=False),
        sa.Column("conversation_id", types.uuid, nullable=False),
        sa.Column("id", types.uuid, nullable=False),
        sa.Column("state", types.json, nullable=False),
        sa.Column("created_at", types.time, nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "conversation_id", "id", name="pk_snapshots"),
        _to_conversations("snapshots"),
    )


def _create_tombstones(types: Types) -> None:
    key = ("organization_id", "conversation_id", "message_id")
    op.create_table(
        "tombstones",
        sa.Column("organization_id", types.uuid, nullable=False),
        sa.Column("conversation_id", types.uuid, nullable=False),
        sa.Column("message_id", types.uuid, nullable=False),
        sa.Column("deleted_at", types.time, nullable=False),
        sa.Column("reason", sa.Text()),
        sa.PrimaryKeyConstraint(*key, name="pk_tombstones"),
        _to_organizations("tombstones"),
    )


def _to_organizations(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["organization_id"],
        ["organizations.id"],
        name=f"fk_{table}_organizations",
        ondelete="CASCADE",
    )


def _to_conversations(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["organization_id", "conversation_id"],
        ["conversations.organization_id", "conversations.id"],
        name=f"fk_{table}_conversations",
        ondelete="CASCADE",
    )


def _create_housekeeping(types: Types) -> None:
    op.create_table(
        "chatdb_settings",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_chatdb_settings"),
    )
    op.create_table(
        "chatdb_leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("expires_at", types.time, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_chatdb_leases"),
    )
    op.create_table(
        "chatdb_log",
        sa.Column("id", types.uuid, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text()),
        sa.Column("started_at", types.time, nullable=False),
        sa.Column("finished_at", types.time),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("details", types.json, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_chatdb_log"),
    )


def _create_indexes(types: Types) -> None:
    newest = [sa.text("updated_at DESC"), sa.text("id DESC")]
    op.create_index("ix_conversations_updated_at", "conversations", ["organization_id", *newest])
    op.create_index(
        "ix_conversations_user_id_updated_at",
        "conversations",
        ["organization_id", "user_id", *newest],
    )
    op.create_index(
        "ix_messages_created_at", "messages", ["organization_id", sa.text("created_at DESC")]
    )
    if not types.sqlite:
        op.create_index(
            "ix_conversations_metadata",
            "conversations",
            [sa.text("metadata jsonb_path_ops")],
            postgresql_using="gin",
        )


def _insert_default_organization(types: Types) -> None:
    key, name = DEFAULT_ORGANIZATION
    organization_id = uuid.uuid5(ORGANIZATIONS_NAMESPACE, key)
    now = datetime.now(UTC)
    organizations = sa.table(
        "organizations",
        sa.column("id", types.uuid),
        sa.column("key", sa.Text()),
        sa.column("name", sa.Text()),
        sa.column("created_at", types.time),
    )
    op.execute(
        organizations.insert().values(
            id=str(organization_id) if types.sqlite else organization_id,
            key=key,
            name=name,
            created_at=f"{now:%Y-%m-%dT%H:%M:%S.%f}Z" if types.sqlite else now,
        )
    )
