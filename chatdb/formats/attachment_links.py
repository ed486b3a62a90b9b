"""Links from a transcript to kept attachments in a folder beside it."""

from dataclasses import dataclass
from itertools import groupby
from typing import Any
from urllib.parse import quote

import msgspec

from chatdb.formats.base import WriteOptions
from chatdb.formats.files.given_names import safe_name
from chatdb.formats.pictures import KINDS
from chatdb.records import Conversation, MessageFile

FOLDER = "attachments"
_DIGITS = 12
"""Of a digest: two files of one name stand beside each other."""


@dataclass(frozen=True, slots=True)
class LinkedEntry:
    """An entry of a message's attachments with the place of its file, and the file's name.

    `url` is empty for a file that lies beside no transcript.
    """

    entry: Any
    url: str
    name: str
    file: MessageFile | None = None

    @property
    def is_picture(self) -> bool:
        """Tell whether the file is of a kind that a page shows."""
        return self.file is not None and self.file.media_type in KINDS


def linked_name(file: MessageFile) -> str:
    """Return the name of a file in that folder: `0123456789ab_photo.png`."""
    return f"{file.digest[:_DIGITS]}_{safe_name(file.name)}"


def with_linked_files(record: Conversation, folder: str | None) -> Conversation:
    """Return the record with a `LinkedEntry` for each entry whose file is kept.

    An empty name of the folder gives entries without a place.
    """
    if folder is None or not record.files:
        return record
    files = {
        message: {file.position: file for file in own}
        for message, own in groupby(record.files, key=lambda file: file.message_id)
    }
    messages = [
        msgspec.structs.replace(
            message, attachments=_linked(message.attachments, files[message.id], folder)
        )
        if message.id in files and message.attachments is not None
        else message
        for message in record.messages
    ]
    return msgspec.structs.replace(record, messages=messages)


def with_kept_files(record: Conversation, options: WriteOptions) -> Conversation:
    """Return the record with links, or, where a file can only be read, entries without a place."""
    folder = options.attachments or (None if options.read_file is None else "")
    return with_linked_files(record, folder)


def _linked(entries: Any, files: dict[int, MessageFile], folder: str) -> list[Any]:
    listed = entries if isinstance(entries, list) else [entries]
    return [
        entry
        if (file := files.get(place)) is None
        else LinkedEntry(
            entry,
            f"{folder}/{quote(linked_name(file))}" if folder else "",
            file.name or linked_name(file),
            file,
        )
        for place, entry in enumerate(listed)
    ]
