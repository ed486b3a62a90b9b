"""The files that saved deletions can bring back: their bytes are not removed."""

import re
from pathlib import Path

from chatdb.errors import ChatdbError, StorageError
from chatdb.formats.files.streams import unpacked_stream
from chatdb.primitives.atomic_write import PARTIAL

SavedDigests = frozenset[str]
"""The digests in the saved deletions."""

_DIGEST = re.compile(rb'"digest":"([0-9a-f]{64})"')
_PIECE = 1 << 20
_LONGEST = len('"digest":""') + 64


def saved_digests(folder: Path) -> SavedDigests:
    """Return the digests that the files of deleted conversations in this folder name.

    Raises StorageError for a file that cannot be read to its end: it may bring back anything.
    """
    found: set[str] = set()
    try:
        # Not by glob(), which takes a folder that it may not read for an empty one.
        for path in sorted(folder.iterdir()):
            if ".jsonl" in path.suffixes and path.suffix != PARTIAL:
                found |= _digests_in(path)
    except FileNotFoundError:
        return frozenset()
    except OSError as error:
        raise StorageError(
            f"saved deletions cannot be read: {error.filename or folder}: {error.strerror}",
            hint="make them readable; until then nothing tells which attachments they bring back",
        ) from error
    return frozenset(found)


def _digests_in(path: Path) -> set[str]:
    found: set[str] = set()
    rest = b""
    with path.open("rb") as handle:
        stream = unpacked_stream(handle, str(path), None)
        try:
            while piece := stream.read(_PIECE):
                text = rest + piece
                found.update(match.decode() for match in _DIGEST.findall(text))
                rest = text[-_LONGEST:]
        except ChatdbError as error:
            raise StorageError(
                f"a saved deletion cannot be read: {error.text}",
                hint="move it to another folder if it is not needed: chatdb kept list",
            ) from error
    return found
