"""One JSON array of conversations, for programs that read a whole document.

Each element has the shape of a line of the native format, with the requested messages.
"""

import msgspec

from chatdb.formats.base import WriteOptions, Writer
from chatdb.formats.files.selection import chosen_messages
from chatdb.formats.native import conversation_line
from chatdb.records import Conversation


class JsonArrayWriter(Writer):
    """Writes the array with a conversation a line."""

    name = "json"
    extension = ".json"
    separator = b",\n"

    def __init__(self, options: WriteOptions) -> None:
        self._options = options

    def begin(self) -> bytes:
        return b"[\n"

    def conversation(self, record: Conversation) -> bytes:
        messages = [chosen.message for chosen in chosen_messages(record, self._options)]
        self.messages = len(messages)
        shown = msgspec.structs.replace(record, messages=messages)
        if record.files or record.embeddings:
            left_out = {message.id for message in record.messages}
            left_out -= {message.id for message in messages}
            shown.files = [each for each in shown.files if each.message_id not in left_out]
            shown.embeddings = [
                each for each in shown.embeddings if each.message_id not in left_out
            ]
        return conversation_line(shown)[:-1]

    def end(self) -> bytes:
        return b"\n]\n"


def make_writer(options: WriteOptions) -> JsonArrayWriter:
    """Return a writer."""
    return JsonArrayWriter(options)
