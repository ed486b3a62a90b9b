"""The files that saved deletions can bring back: their bytes are not removed."""

import re
from collections.abc import Iterable
from pathlib import Path

from chatdb.errors import ChatdbError
from chatdb.formats.files.streams import unpacked_stream

SavedDigests = frozenset[str]
"""The digests in the saved deletions."""

_DIGEST = re.compile(rb'"digest":"([0-9a-f]{64})"')
_PIECE = 1 << 20
_LONGEST = len('"digest":""') + 64


def saved_digests(folders: Iterable[Path]) -> SavedDigests:
    """Return the digests that the files of deleted conversations in these folders name.

    One that cannot be read names none.
    """
    found: set[str] = set()
    for folder in folders:
        if folder.is_dir():
            for path in folder.glob("*.jsonl*"):
                found |= _digests_in(path)
    return frozenset(found)


def _digests_in(path: Path) -> set[str]:
    found: set[str] = set()
    rest = b""
    try:
        with path.open("rb") as handle:
            stream = unpacked_stream(handle, str(path), None)
            while piece := stream.read(_PIECE):
                text = rest + piece
                found.update(match.decode() for match in _DIGEST.findall(text))
                rest = text[-_LONGEST:]
    except (OSError, ChatdbError):
        pass
    return found
