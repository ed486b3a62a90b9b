"""Cursors: where a page ended, as an opaque text that fits into a URL and a command line."""

import base64
import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

from chatdb.errors import UsageError

Kind = Literal["conversations", "search", "titles"]

_NUMBERS: dict[Kind, int] = {"conversations": 1, "search": 2, "titles": 3}
_VERSION = 1
_HEAD = struct.Struct(">BBq")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def cursor_of(kind: Kind, time: datetime, ids: Sequence[UUID]) -> str:
    """Return the cursor of the last item of a page: its time and ids, of a kind of list."""
    head = _HEAD.pack(_VERSION, _NUMBERS[kind], (time - _EPOCH) // _MICROSECOND)
    content = head + b"".join(identifier.bytes for identifier in ids)
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def read_cursor(kind: Kind, cursor: str, *, ids: int) -> tuple[datetime, tuple[UUID, ...]]:
    """Read a cursor made by `cursor_of` with so many ids; raises UsageError for anything else."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        content = base64.b64decode(padded, altchars=b"-_", validate=True)
        version, number, microseconds = _HEAD.unpack_from(content)
        time = _EPOCH + microseconds * _MICROSECOND
    except (ValueError, struct.error, OverflowError) as error:
        raise _unreadable(cursor) from error
    if (version, number) != (_VERSION, _NUMBERS[kind]) or len(content) != _HEAD.size + 16 * ids:
        raise _unreadable(cursor)
    starts = range(_HEAD.size, len(content), 16)
    return time, tuple(UUID(bytes=content[start : start + 16]) for start in starts)


def _unreadable(cursor: str) -> UsageError:
    return UsageError(
        f"{cursor[:60]!r} is no cursor of this list",
        hint="take the cursor that the page before names, or leave out --after",
    )
