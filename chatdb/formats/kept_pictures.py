"""Kept pictures in a file: looked at before they are shown, and only so many bytes inside it."""

from base64 import b64encode
from dataclasses import dataclass

from chatdb.formats.attachment_links import LinkedEntry
from chatdb.formats.base import WriteOptions
from chatdb.formats.pictures import LARGEST, PictureHead, picture_of
from chatdb.records import Conversation

MOST_INSIDE = 50_000_000
"""Bytes of pictures inside one file, which is held in memory several times while it is made."""
TOO_MANY = "not shown: the file has too many pictures"
_HEAD = 200_000
"""Bytes in which a picture says its size: what a camera and a program say of it come before."""


@dataclass(frozen=True, slots=True)
class KeptPicture:
    """What a picture says of itself, and its bytes as an address.

    The address is empty for a picture beside the file, and for one of which it has no room.
    """

    head: PictureHead
    address: str = ""


class KeptPictures:
    """The pictures of one file."""

    def __init__(self, options: WriteOptions) -> None:
        self._options = options
        self._inside = 0

    def take(self, record: Conversation, linked: LinkedEntry) -> KeptPicture | None:
        """Return a picture, inside the file unless it lies beside it; None for all else."""
        most = _HEAD if linked.url else LARGEST + 1
        data = kept_picture(record, linked, self._options, most)
        head = None if data is None else picture_of(data)
        if data is None or head is None:
            return None
        if linked.url or self._inside + len(data) > MOST_INSIDE:
            return KeptPicture(head)
        self._inside += len(data)
        return KeptPicture(head, f"data:{head.kind};base64,{b64encode(data).decode()}")


def kept_picture(
    record: Conversation, linked: LinkedEntry | None, options: WriteOptions, most: int = LARGEST + 1
) -> bytes | None:
    """Return the first bytes of a file that is kept as a picture, None for any other."""
    if linked is None or linked.file is None or not linked.is_picture or options.read_file is None:
        return None
    return options.read_file(record, linked.file, most)
