"""The contents of a database, counted and hashed: equal on both databases for the same data."""

from collections.abc import Iterator
from datetime import datetime

import msgspec
from msgspec.structs import replace


class OrganizationContents(msgspec.Struct, frozen=True, kw_only=True):
    """One organization's conversations; `content_hash` is over (conversation, message count).

    `key` is empty in the manifest of an encrypted backup, which anyone may read.
    """

    key: str
    id: str
    conversations: int
    messages: int
    newest_message_at: datetime | None
    content_hash: str


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """All of chatdb's tables; `revision` None and no rows for a database without them.

    `rows` counts each table except `chatdb_leases`, whose rows come and go; `organizations` are by
    id, `content_hash` covers all of theirs; `orphans` counts messages without a conversation.
    """

    revision: str | None
    rows: dict[str, int]
    organizations: tuple[OrganizationContents, ...]
    newest_message_at: datetime | None
    content_hash: str
    orphans: int = 0

    @property
    def conversations(self) -> int:
        """The number of conversations."""
        return sum(item.conversations for item in self.organizations)

    @property
    def messages(self) -> int:
        """The number of messages."""
        return sum(item.messages for item in self.organizations)


class IndexEntry(msgspec.Struct, frozen=True, array_like=True):
    """A line of a backup's index: a conversation with its number of messages.

    One JSON array per line, ordered by organization and id.
    """

    organization_id: str
    id: str
    messages: int
    title: str | None


def differences(wanted: Contents, found: Contents) -> tuple[str, ...]:
    """Return the differences in words, `wanted` being the manifest's contents; empty if equal."""
    return tuple(_differences(wanted, found))


def _differences(wanted: Contents, found: Contents) -> Iterator[str]:
    if wanted.revision != found.revision:
        yield f"the schema is at revision {found.revision}, not {wanted.revision}"
    for table in sorted({*wanted.rows, *found.rows}):
        before, after = wanted.rows.get(table), found.rows.get(table)
        # A manifest older than a table does not mention it.
        if before != after and (before is not None or after):
            yield f"{table} has {_rows(after)}, not {_rows(before)}"
    there = {item.id: item for item in found.organizations}
    for item in wanted.organizations:
        other = there.pop(item.id, None)
        if other is None:
            yield f"organization {item.key or item.id} is missing"
        elif item != (other if item.key else replace(other, key="")):
            yield _organization(item, other)
    for other in there.values():
        yield f"organization {other.key} is not in the manifest"
    if wanted.orphans != found.orphans:
        yield f"{found.orphans} messages belong to no conversation, not {wanted.orphans}"


def _organization(wanted: OrganizationContents, found: OrganizationContents) -> str:
    told = [
        f"{name.replace('_', ' ')} {getattr(found, name)}, not {getattr(wanted, name)}"
        for name in ("key", "conversations", "messages", "newest_message_at")
        if getattr(wanted, name) != getattr(found, name) and (wanted.key or name != "key")
    ]
    return f"organization {wanted.key or found.key}: " + (
        "; ".join(told) or "the same counts but different conversations (content hash)"
    )


def _rows(count: int | None) -> str:
    return "no such table" if count is None else f"{count} rows"
