"""The records of chatdb, the exchange model of readers, writers and the database.

Times are aware datetimes in UTC with microseconds; identifiers are UUIDs; JSON values are plain
Python objects that `chatdb.primitives.canonical.clean` has passed. `docs/schema.md` says what each
field promises, `docs/formats.md` how a record looks as a line of the native format.
"""

import secrets
import time
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID, uuid5

import msgspec

from chatdb.primitives.canonical import clean_text

Role = Literal["user", "assistant", "system", "tool"]
ROLES: tuple[Role, ...] = ("user", "assistant", "system", "tool")
ConversationKind = Literal["chat", "document", "memory", "canvas"]

Place = Annotated[int, msgspec.Meta(description="where an item stands in a list, from 0")]
Digest = Annotated[str, msgspec.Meta(description="a SHA-256 in lower-case hexadecimal")]

MARKS = "chatdb"
"""The key of `metadata` under which chatdb keeps its own marks (see `Marks`)."""

CITATIONS = ("citations", "content_references", "search_result_groups")
"""The keys of a ChatGPT message's `metadata.metadata` that say what its citations lead to."""

CALL_INPUTS = ("input", "arguments", "parameters", "args")
"""The keys of a tool call under which stands what it is given."""
CODE_INPUTS = ("code", "command", "sql")
"""The keys of what a call is given under which stands code that it runs."""


_ORGANIZATIONS = UUID("5c1c1f0e-6d0b-5d1c-9a64-3c8f6f3f9d01")


class Message(
    msgspec.Struct, gc=False, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """One message; its position is its index in the conversation's list.

    `parent_id` may name a message that does not exist, as in real exports. `author` is the provider
    or tool, `source_id` the id in the source (None: created here), `edited_at` is set only if the
    message was edited in chatdb. `attached_text` is what a person saw beside the message's own
    words (pasted text, a report, an artifact), `user_id` who wrote it if not the conversation's.
    """

    id: UUID
    parent_id: UUID | None = None
    role: Role
    author: str | None = None
    model: str | None = None
    content: str = ""
    reasoning: Any = None
    tool_calls: Any = None
    tool_outputs: Any = None
    attachments: Any = None
    attached_text: str | None = None
    source_id: str | None = None
    edited_at: datetime | None = None
    user_id: str | None = None
    metadata: dict[str, Any] = {}
    created_at: datetime


class Snapshot(msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A saved state of a conversation, as the application wrote it."""

    id: UUID
    state: Any
    created_at: datetime


class Embedding(msgspec.Struct, gc=False, kw_only=True, forbid_unknown_fields=True):
    """A message's vector by one model, as `chatdb.primitives.canonical.vector` returns it.

    `message_id` may name a message that does not exist: an application may have deleted it.
    """

    message_id: UUID
    model: str
    vector: list[float]


class MessageFile(
    msgspec.Struct, gc=False, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """A kept file of a message: `position` is that of its entry in the message's attachments.

    `digest` is the SHA-256 of its bytes in hexadecimal, by which they are found in the
    organization's folder; `size` and `media_type` are theirs, None if unknown.
    """

    message_id: UUID
    position: Place
    digest: Digest
    name: str | None = None
    size: int | None = None
    media_type: str | None = None


class Conversation(msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A conversation with all its messages (every branch, parents before children) and snapshots.

    `current_message_id` is the leaf of the active branch. `source` is the format it came from,
    `source_name` which installation, `source_hash` the digest of the source record and of the
    reader's version; all three are None for a conversation created here. `files` are ordered by
    message id and position, `embeddings` by message id and model, one of each pair. `missing_since`
    is when a source that is followed no longer had it. `organization` is the key of its
    organization if a file names it, `organization_name` its name if that is different.
    """

    id: UUID
    organization: str | None = None
    organization_name: str | None = None
    user_id: str | None = None
    title: str | None = None
    current_message_id: UUID | None = None
    created_at: datetime
    updated_at: datetime
    last_accessed_at: datetime | None = None
    archived_at: datetime | None = None
    starred_at: datetime | None = None
    pinned_at: datetime | None = None
    edited_at: datetime | None = None
    kind: ConversationKind = "chat"
    missing_since: datetime | None = None
    source: str | None = None
    source_name: str | None = None
    source_id: str | None = None
    source_hash: str | None = None
    metadata: dict[str, Any] = {}
    messages: list[Message] = []
    snapshots: list[Snapshot] = []
    files: list[MessageFile] = []
    embeddings: list[Embedding] = []


class Organization(msgspec.Struct, kw_only=True, frozen=True):
    """A tenant: `key` is what users type, `id` the UUIDv5 of the key."""

    id: UUID
    key: str
    name: str
    created_at: datetime


WHOLE_CONVERSATION = UUID(int=0)
"""Used instead of a message's id for the whole conversation, as in tombstones."""


def sorted_embeddings(embeddings: Iterable[Embedding]) -> list[Embedding]:
    """Return embeddings in order, the last one if two have the same message and model."""
    found = {(each.message_id, each.model): each for each in embeddings}
    return [found[key] for key in sorted(found)]


def sorted_files(files: Iterable[MessageFile]) -> list[MessageFile]:
    """Return files in order, the last one if two have the same message and position."""
    found = {(each.message_id, each.position): each for each in files}
    return [found[key] for key in sorted(found)]


def organization_id_of(key: str) -> UUID:
    """Return the id of the organization with this key: the same in every database."""
    return uuid5(_ORGANIZATIONS, clean_text(key)[0])


def new_id() -> UUID:
    """Return a new UUIDv7 (RFC 9562): ids made later sort later, to a quarter of a microsecond."""
    milliseconds, nanoseconds = divmod(time.time_ns(), 1_000_000)
    fraction = nanoseconds * 4096 // 1_000_000
    random = secrets.randbits(62)
    return UUID(int=milliseconds << 80 | 7 << 76 | fraction << 64 | 2 << 62 | random)


def is_hidden(message: Message) -> bool:
    """Tell whether the source hid the message from its users (system prompts, tool plumbing)."""
    return is_marked_hidden(message.metadata)


def is_marked_hidden(metadata: dict[str, Any]) -> bool:
    """Tell what `is_hidden` does by a message's metadata."""
    marks = metadata.get(MARKS)
    return isinstance(marks, dict) and marks.get("hidden") is True
