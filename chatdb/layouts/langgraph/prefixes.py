"""Lists of messages that begin a longer one, told from their bytes: most versions of a list do."""

from dataclasses import dataclass

_FIX, _MASK = 0x90, 0xF0
_WIDE = {0xDC: 2, 0xDD: 4}
"""The first byte of an array of msgpack, and how many bytes tell its length."""


@dataclass(frozen=True, slots=True)
class KnownList:
    """The bytes of the longest list read last without their header, and all its beginnings."""

    body: bytes
    path: list[int]

    def beginning(self, data: bytes) -> int | None:
        """Return the list in other bytes, if it is the beginning of this one."""
        header = _header(data)
        if header is None or header[0] >= len(self.path):
            return None
        count, body = header
        # At the same number of elements the same bytes can only be the same elements.
        return self.path[count] if self.body.startswith(body) else None


def known_list(data: bytes, path: list[int]) -> KnownList | None:
    """Return what begins others, if the bytes are an array of as many messages."""
    header = _header(data)
    return KnownList(header[1], path) if header and header[0] == len(path) - 1 else None


def _header(data: bytes) -> tuple[int, bytes] | None:
    """Return the length of an array, and its bytes without that; None for another value."""
    if not data:
        return None
    first = data[0]
    if first & _MASK == _FIX:
        return first & ~_MASK, data[1:]
    width = _WIDE.get(first)
    if width is None:
        return None
    return int.from_bytes(data[1 : 1 + width], "big"), data[1 + width :]
