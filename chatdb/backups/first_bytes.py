"""Recognises another tool's file by its first bytes, whatever it is called."""

from chatdb.backups.names import Kind

LONGEST = 512
"""Bytes needed to recognise it."""

_MAGICS: tuple[tuple[bytes, int, Kind], ...] = (
    (b"PGDMP", 0, "custom"),
    (b"SQLite format 3\x00", 0, "sqlite"),
    (b"ustar", 257, "tar"),
)


def kind_of_start(start: bytes) -> Kind | None:
    """Return the kind of an archive or database; None for files without such a mark, like SQL."""
    for magic, at, kind in _MAGICS:
        if start[at : at + len(magic)] == magic:
            return kind
    return None
