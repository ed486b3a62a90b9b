"""The columns of chats: the one list that whatever reads, writes or compares rows is made of.

A new column needs a row here, a field of the record, a line in `db/schema.py`, a migration, and
what shows it. This module imports nothing: the databases and formats below `store` read it, too.
"""

from dataclasses import dataclass
from typing import Any, Literal

Absent = Literal["null", "empty", "never"]
"""What stands for no value: NULL, an empty value that is NOT NULL, or nothing: there is always one.

The native format leaves out the first two.
"""

Merge = Literal["kept", "filled", "newest", "latest", "followed", "edit", "source", "leaf"]
"""What of a stored conversation an imported one changes: nothing; what has no value yet; it is the
newer time; likewise, if the imported one has any; with the last edit, else with the newer source;
the time of that edit; with the newer source, if that has any; the end of the active branch."""


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """What a column holds: its type in `db/schema.py`, the driver's in COPY, its JSON schema."""

    sql: str
    copy: str
    json: Any = None


ID = Kind("HyphenUuid", "bytea", {"$ref": "#/$defs/id"})
TEXT = Kind("StoredText", "text", {"type": "string"})
ROLE = Kind("StoredText", "text", {"enum": ["user", "assistant", "system", "tool"]})
KINDS = ("chat", "document", "memory", "canvas")
"""What a conversation is. All but a chat are a text that somebody keeps, a message a version."""
KIND = Kind("StoredText", "text", {"enum": list(KINDS)})
TIME = Kind("UtcTime", "timestamptz", {"$ref": "#/$defs/time"})
JSON = Kind("CanonicalJson", "bytea", json=True)
OBJECT = Kind("CanonicalJson", "bytea", {"type": "object", "minProperties": 1})
PLACE = Kind("Integer", "int4", {"type": "integer", "minimum": 0})
SIZE = Kind("BigInteger", "int8", {"type": "integer", "minimum": 0})
DIGEST = Kind("StoredText", "text", {"type": "string", "pattern": "^[0-9a-f]{64}$"})
VECTOR = Kind("FloatVector", "bytea", {"$ref": "#/$defs/vector"})


@dataclass(frozen=True, slots=True)
class Column:
    """A column; `native`: it is a field of the record and of the native format.

    The others say whose a row is and where it stands. `seldom` columns of messages are mostly
    NULL: an export reads them together, for each column costs every row its time. `flag` is the
    word for conversations whose column, a time, is not NULL. `default` is the value of a column
    that is always there, which the native format leaves out.
    """

    table: str
    name: str
    kind: Kind
    absent: Absent = "null"
    merge: Merge = "kept"
    native: bool = True
    seldom: bool = False
    flag: str | None = None
    default: str | None = None

    @property
    def is_nullable(self) -> bool:
        """Tell whether it may be NULL."""
        return self.absent == "null"


COLUMNS: tuple[Column, ...] = (
    Column("organizations", "id", ID, "never"),
    Column("organizations", "key", TEXT, "never"),
    Column("organizations", "name", TEXT, "never"),
    Column("organizations", "created_at", TIME, "never"),
    Column("conversations", "organization_id", ID, "never", native=False),
    Column("conversations", "id", ID, "never"),
    Column("conversations", "user_id", TEXT, merge="filled"),
    Column("conversations", "title", TEXT, merge="followed"),
    Column("conversations", "current_message_id", ID, merge="leaf"),
    Column("conversations", "created_at", TIME, "never"),
    Column("conversations", "updated_at", TIME, "never", merge="newest"),
    Column("conversations", "last_accessed_at", TIME, merge="latest"),
    Column("conversations", "archived_at", TIME, merge="followed", flag="archived"),
    Column("conversations", "starred_at", TIME, merge="followed", flag="starred"),
    Column("conversations", "pinned_at", TIME, merge="followed", flag="pinned"),
    Column("conversations", "edited_at", TIME, merge="edit"),
    Column("conversations", "kind", KIND, "empty", "followed", default="chat"),
    Column("conversations", "missing_since", TIME, merge="followed"),
    Column("conversations", "source", TEXT, merge="filled"),
    Column("conversations", "source_name", TEXT, merge="filled"),
    Column("conversations", "source_id", TEXT, merge="filled"),
    Column("conversations", "source_hash", TEXT, merge="source"),
    Column("conversations", "metadata", OBJECT, "empty", merge="followed"),
    Column("messages", "organization_id", ID, "never", native=False),
    Column("messages", "conversation_id", ID, "never", native=False),
    Column("messages", "position", PLACE, "never", native=False),
    Column("messages", "id", ID, "never"),
    Column("messages", "parent_id", ID),
    Column("messages", "role", ROLE, "never"),
    Column("messages", "author", TEXT),
    Column("messages", "model", TEXT),
    Column("messages", "content", TEXT, "empty"),
    Column("messages", "reasoning", JSON, seldom=True),
    Column("messages", "tool_calls", JSON, seldom=True),
    Column("messages", "tool_outputs", JSON, seldom=True),
    Column("messages", "attachments", JSON, seldom=True),
    Column("messages", "attached_text", TEXT, seldom=True),
    Column("messages", "source_id", TEXT),
    Column("messages", "edited_at", TIME, seldom=True),
    Column("messages", "user_id", TEXT, seldom=True),
    Column("messages", "metadata", OBJECT, "empty"),
    Column("messages", "created_at", TIME, "never"),
    Column("snapshots", "organization_id", ID, "never", native=False),
    Column("snapshots", "conversation_id", ID, "never", native=False),
    Column("snapshots", "id", ID, "never"),
    Column("snapshots", "state", JSON, "never"),
    Column("snapshots", "created_at", TIME, "never"),
    Column("files", "organization_id", ID, "never", native=False),
    Column("files", "digest", DIGEST, "never"),
    Column("files", "size", SIZE, "never"),
    Column("files", "media_type", TEXT),
    Column("message_files", "organization_id", ID, "never", native=False),
    Column("message_files", "conversation_id", ID, "never", native=False),
    Column("message_files", "message_id", ID, "never"),
    Column("message_files", "position", PLACE, "never"),
    Column("message_files", "digest", DIGEST, "never"),
    Column("message_files", "name", TEXT),
    Column("message_embeddings", "organization_id", ID, "never", native=False),
    Column("message_embeddings", "conversation_id", ID, "never", native=False),
    Column("message_embeddings", "message_id", ID, "never"),
    Column("message_embeddings", "model", TEXT, "never"),
    Column("message_embeddings", "vector", VECTOR, "never"),
    Column("tombstones", "organization_id", ID, "never", native=False),
    Column("tombstones", "conversation_id", ID, "never", native=False),
    Column("tombstones", "message_id", ID, "never", native=False),
    Column("tombstones", "deleted_at", TIME, "never", native=False),
    Column("tombstones", "reason", TEXT, native=False),
)
"""By table: whose a row is and its place, then the fields in the order of the record."""

TABLES: tuple[str, ...] = tuple(dict.fromkeys(column.table for column in COLUMNS))
"""The tables that a copy moves, in the order in which their rows refer to one another."""

FLAGS: dict[str, str] = {column.flag: column.name for column in COLUMNS if column.flag is not None}
"""What a conversation may be (archived, starred ...), with the column of the time it became so."""


DEFAULTS: tuple[tuple[str, str], ...] = tuple(
    (column.name, column.default) for column in COLUMNS if column.default is not None
)
"""The fields of a conversation with a value that the native format leaves out."""


def columns_of(table: str) -> tuple[Column, ...]:
    """Return a table's columns, in the order in which their values are written."""
    return tuple(column for column in COLUMNS if column.table == table)


def names_of(table: str) -> tuple[str, ...]:
    """Return the names of a table's columns in that order."""
    return tuple(column.name for column in columns_of(table))


def fields_of(table: str, *kinds: Kind) -> tuple[str, ...]:
    """Return the fields of a table's record in their order, of some kinds or of all."""
    return tuple(
        column.name
        for column in columns_of(table)
        if column.native and (not kinds or column.kind in kinds)
    )


def copy_types_of(table: str) -> tuple[str, ...]:
    """Return the driver's types of a table's columns in COPY."""
    return tuple(column.kind.copy for column in columns_of(table))


def merged_by(*rules: Merge) -> tuple[str, ...]:
    """Return the fields of a conversation that are merged by one of the rules."""
    return tuple(
        column.name
        for column in columns_of("conversations")
        if column.native and column.merge in rules
    )
