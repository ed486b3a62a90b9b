"""Which messages of a conversation a reader of a transcript wants."""

from collections.abc import Iterator
from typing import NamedTuple

from chatdb.formats.base import WriteOptions
from chatdb.formats.branches import active_path
from chatdb.records import Conversation, Message, is_hidden


class Chosen(NamedTuple):
    """A message to be written, and whether it is on the active path."""

    message: Message
    is_active: bool
    is_hidden: bool


def chosen_messages(record: Conversation, options: WriteOptions) -> Iterator[Chosen]:
    """Yield the messages of the active path, or of all branches in their order in the record.

    Hidden ones are left out unless they are asked for.
    """
    path = active_path(record)
    everything = options.all_branches and len(path) < len(record.messages)
    active = {message.id for message in path} if everything else set()
    for message in record.messages if options.all_branches else path:
        hidden = is_hidden(message)
        if options.include_hidden or not hidden:
            yield Chosen(message, not everything or message.id in active, hidden)
