"""Where the files of messages are after an import changed attachments: at the same entries."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from chatdb.formats.attached_files import entries_of, ids_of, name_of
from chatdb.records import Conversation, Message, MessageFile

if TYPE_CHECKING:
    from uuid import UUID


def files_in_place(record: Conversation, messages: Iterable[Message]) -> list[MessageFile]:
    """Return the record's files, each at the entry it was of in what its message is now.

    A file whose entry is gone stands behind the last entry: nothing is lost, and no other entry
    gets it.
    """
    if not record.files:
        return record.files
    of_message: dict[UUID, list[MessageFile]] = defaultdict(list)
    for file in record.files:
        of_message[file.message_id].append(file)
    before = {each.id: each.attachments for each in record.messages if each.id in of_message}
    for message in messages:
        old = before.get(message.id, message.attachments)
        if old != message.attachments:
            own = sorted(of_message[message.id], key=lambda each: each.position)
            of_message[message.id] = _placed(own, entries_of(old), entries_of(message.attachments))
    return [file for own in of_message.values() for file in own]


def _placed(
    files: Sequence[MessageFile], old: Sequence[Any], new: Sequence[Any]
) -> list[MessageFile]:
    by_id: dict[str, list[int]] = defaultdict(list)
    by_name: dict[str | None, list[int]] = defaultdict(list)
    for position, entry in enumerate(new):
        by_name[name_of(entry)].append(position)
        for identifier in set(ids_of(entry)):
            by_id[identifier].append(position)
    taken: set[int] = set()
    placed: list[MessageFile] = []
    behind = count(len(new))
    for file in files:
        entry = old[file.position] if file.position < len(old) else None
        name = name_of(entry) or file.name
        alike = [place for each in ids_of(entry) for place in by_id.get(each, [])]
        free = [each for each in alike or by_name.get(name, []) if each not in taken]
        # An id may stand in two entries, of which one has the name.
        free.sort(key=lambda each: (name_of(new[each]) != name, each != file.position, each))
        place = free[0] if free else next(behind)
        taken.add(place)
        placed.append(replace(file, position=place))
    return placed
