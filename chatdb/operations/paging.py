"""Cursors: where a page ended, as an opaque text that fits into a URL and a command line."""

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from chatdb.db.types import time_text
from chatdb.errors import UsageError

_VERSION = 1


def cursor_of(kind: str, time: datetime, ids: Sequence[UUID]) -> str:
    """Return the cursor of the last item of a page: its time and ids, of a kind of list."""
    content = [_VERSION, kind, time_text(time), *(identifier.hex for identifier in ids)]
    return base64.urlsafe_b64encode(msgspec.json.encode(content)).decode().rstrip("=")


def read_cursor(kind: str, cursor: str, *, ids: int) -> tuple[datetime, tuple[UUID, ...]]:
    """Read a cursor made by `cursor_of` with so many ids; raises UsageError for anything else."""
    try:
        return _decoded(kind, cursor, ids)
    except (ValueError, binascii.Error, msgspec.MsgspecError) as error:
        raise UsageError(
            f"{cursor[:60]!r} is no cursor of this list",
            hint="take the cursor that the page before names, or leave out --after",
        ) from error


def _decoded(kind: str, cursor: str, ids: int) -> tuple[datetime, tuple[UUID, ...]]:
    padded = cursor + "=" * (-len(cursor) % 4)
    data = base64.b64decode(padded, altchars=b"-_", validate=True)
    version, found_kind, time, *identifiers = msgspec.json.decode(data, type=list[int | str])
    if version != _VERSION or found_kind != kind or len(identifiers) != ids:
        raise ValueError(f"a cursor of {found_kind}")
    parsed = datetime.fromisoformat(str(time))
    if parsed.tzinfo is None:
        raise ValueError("a time without a zone")
    return parsed, tuple(UUID(hex=str(identifier)) for identifier in identifiers)
