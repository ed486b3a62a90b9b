"""Cursors: where a page ended, as an opaque text that fits into a URL and a command line."""

import base64
import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

from chatdb.errors import UsageError

TimeKind = Literal["conversations", "search", "titles", "created", "accessed", "snapshots"]
CountKind = Literal["message_count", "messages"]
TextKind = Literal["title", "users", "attachments"]
Kind = TimeKind | CountKind | TextKind

_NUMBERS: dict[Kind, int] = {
    "conversations": 1,
    "search": 2,
    "titles": 3,
    "created": 4,
    "accessed": 5,
    "message_count": 6,
    "title": 7,
    "messages": 8,
    "snapshots": 9,
    "users": 10,
    "attachments": 11,
}
_EVERYWHERE = 128
"""Added to the number of a list of all organizations, whose cursors fit no other list."""
_COUNTS = ("message_count", "messages")
_TEXTS = ("title", "users", "attachments")
_VERSION = 1
_HEAD = struct.Struct(">BBq")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def cursor_of(
    kind: Kind, value: datetime | int | str, ids: Sequence[UUID], *, everywhere: bool = False
) -> str:
    """Return the cursor of the last item of a page: what its list is sorted by, and ids.

    `everywhere` is for the list of all organizations.
    """
    number, text = 0, b""
    if isinstance(value, datetime):
        # In whole microseconds: a float would lose the last digit, and a row between two pages.
        number = (value - _EPOCH) // _MICROSECOND
    elif isinstance(value, int):
        number = value
    else:
        text = value.encode()
    head = _HEAD.pack(_VERSION, _number(kind, everywhere), number)
    content = head + b"".join(identifier.bytes for identifier in ids) + text
    # `=` and `+` would have to be encoded in a URL and quoted in some shells.
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def read_cursor(
    kind: TimeKind, cursor: str, *, ids: int, everywhere: bool = False
) -> tuple[datetime, tuple[UUID, ...]]:
    """Read a cursor of a list by time, with `ids` ids; raises UsageError for anything else."""
    value, found = read_place(kind, cursor, ids=ids, everywhere=everywhere)
    assert isinstance(value, datetime)  # noqa: S101 - a cursor of such a kind holds a time
    return value, found


def read_place(
    kind: Kind, cursor: str, *, ids: int, everywhere: bool = False
) -> tuple[datetime | int | str, tuple[UUID, ...]]:
    """Read a cursor made by `cursor_of` with `ids` ids; raises UsageError for anything else."""
    end = _HEAD.size + 16 * ids
    value: datetime | int | str
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        content = base64.b64decode(padded, altchars=b"-_", validate=True)
        version, number, amount = _HEAD.unpack_from(content)
        value = amount
        if kind in _TEXTS:
            value = content[end:].decode()
        elif kind not in _COUNTS:
            value = _EPOCH + amount * _MICROSECOND
    except (ValueError, struct.error, OverflowError) as error:
        raise unreadable(cursor) from error
    fits = len(content) == end or (kind in _TEXTS and len(content) > end)
    # A cursor of another list would silently skip rows of this one.
    if (version, number) != (_VERSION, _number(kind, everywhere)) or not fits:
        raise unreadable(cursor)
    starts = range(_HEAD.size, end, 16)
    return value, tuple(UUID(bytes=content[start : start + 16]) for start in starts)


def _number(kind: Kind, everywhere: bool) -> int:
    return _NUMBERS[kind] + (_EVERYWHERE if everywhere else 0)


def id_before(identifier: UUID) -> UUID:
    """Return the id that sorts before all ids from this one on."""
    return UUID(int=max(identifier.int - 1, 0))


def id_after(identifier: UUID) -> UUID:
    """Return the id that sorts after all ids up to this one."""
    return UUID(int=min(identifier.int + 1, (1 << 128) - 1))


def unreadable(cursor: str) -> UsageError:
    """Return the error for a text that is not a cursor of the list."""
    return UsageError(
        f"{cursor[:60]!r} is not a cursor of this list",
        hint="use the cursor printed with the previous page, or leave out --after",
    )
