"""Which messages of a conversation a transcript contains."""

from collections.abc import Iterator

import msgspec

from chatdb.formats.base import WriteOptions
from chatdb.formats.branches import active_path
from chatdb.records import Conversation, Message, is_hidden


class Chosen(msgspec.Struct, frozen=True, gc=False):
    """A message to be written, and whether it is on the active branch."""

    message: Message
    is_active: bool
    is_hidden: bool


def chosen_messages(record: Conversation, options: WriteOptions) -> Iterator[Chosen]:
    """Yield the messages of the active branch, or of all branches in the record's order.

    Hidden ones are left out unless requested.
    """
    path = active_path(record)
    everything = options.all_branches and len(path) < len(record.messages)
    active = {message.id for message in path} if everything else set()
    for message in record.messages if options.all_branches else path:
        hidden = is_hidden(message)
        if options.include_hidden or not hidden:
            yield Chosen(message, not everything or message.id in active, hidden)
