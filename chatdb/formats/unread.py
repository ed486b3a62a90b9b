"""Conversations cut out of a file but not decoded: an import may have stored them already.

A reader always makes the same of the same bytes. So a conversation keeps, beside the hash of its
record, a digest of its bytes and what its reader counted in them; if the bytes come again, nothing
has to be decoded, built, encoded and hashed to know that nothing changed.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

import msgspec

import chatdb
from chatdb.formats.base import Skipped, Tally
from chatdb.formats.files.sources import Source
from chatdb.records import Conversation

# They stand in a column of every conversation.
LONGEST_COUNTS = 400
"""Characters; a conversation with longer counts is always read."""

Counts = dict[str, Any]
"""The counts of one conversation: the fields of a `Tally` that are not empty."""

_COUNTED = ("messages", "replaced_characters")
_TALLIED = ("versions", "content_types", "unknown_fields", "lossy", "kinds")
_encode = msgspec.json.Encoder(order="deterministic").encode


@dataclass(slots=True)
class Unread:
    """A conversation whose id is known and whose bytes are not decoded.

    `digest` is of the bytes; None if they are a line of the native format, to be compared with the
    line of the stored conversation, and `counts` is what reading it would count. `read` makes the
    records, and a `Skipped` of each part that cannot be read; it counts in a tally. `organization`
    is the key of the one that the line names, `organization_name` its name.
    """

    id: UUID
    user_id: str | None
    data: bytes
    digest: str | None
    read: Callable[[Tally], list[Conversation | Skipped]]
    counts: Counts | None = None
    organization: str | None = None
    organization_name: str | None = None
    _items: list[Conversation | Skipped] | None = None

    def items(self, tally: Tally) -> list[Conversation | Skipped]:
        """Return its contents, read once."""
        if self._items is None:
            self._items = self.read(tally)
        return self._items


class DeferringReader(Protocol):
    """A reader that can leave conversations undecoded."""

    def read_unread(
        self,
        source: Source,
        tally: Tally,
        *,
        source_name: str | None = None,
        defers: Callable[[], bool],
    ) -> Iterator[Conversation | Skipped | Unread]:
        """Yield what `Reader.read` does, conversations undecoded for as long as `defers` says."""
        ...


def bytes_digest(reader: str, version: int, data: bytes) -> str:
    """Return 32 hexadecimal digits of a conversation's bytes and of their reader.

    They include this release of chatdb, so that improvements of a reader take effect.
    """
    digest = hashlib.sha256(f"{reader} {version} {chatdb.__version__}\n".encode())
    digest.update(data)
    return digest.hexdigest()[:32]


def with_bytes(source_hash: str, digest: str, tally: Tally) -> str:
    """Return the hash with the digest of the source's bytes, `HASH:DIGEST:COUNTS`.

    The hash alone where the counts are long, or name what is no text.
    """
    try:
        counts = _encode(counts_of(tally)).decode()
    except UnicodeEncodeError:
        return source_hash
    return source_hash if len(counts) > LONGEST_COUNTS else f"{source_hash}:{digest}:{counts}"


def counts_of(tally: Tally) -> Counts:
    """Return the contents of a tally of one conversation."""
    fields = {name: getattr(tally, name) for name in (*_COUNTED, *_TALLIED)}
    return {name: value for name, value in fields.items() if value}


def counts_where_same(source_hash: str | None, digest: str) -> Counts | None:
    """Return what was counted in the source of a stored hash if its bytes had this digest."""
    parts = (source_hash or "").split(":", 2)
    if len(parts) < 3 or parts[1] != digest:
        return None
    try:
        return msgspec.json.decode(parts[2], type=Counts)
    except msgspec.DecodeError:
        return None


def is_same_source(one: str | None, other: str | None) -> bool:
    """Tell whether two hashes are of equal records, whatever their bytes."""
    return one is not None and other is not None and _record_hash(one) == _record_hash(other)


def _record_hash(source_hash: str) -> str:
    return source_hash.partition(":")[0]


def add_counts(tally: Tally, counts: Counts) -> None:
    """Count in a tally what reading a conversation would have counted."""
    tally.conversations += 1
    for name in _COUNTED:
        setattr(tally, name, getattr(tally, name) + counts.get(name, 0))
    for name in _TALLIED:
        if found := counts.get(name):
            getattr(tally, name).update(found)
