"""Where the files of messages are after an import changed attachments: at the same entries."""

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from chatdb.formats.attached_files import entries_of, ids_of, name_of
from chatdb.records import Conversation, Message, MessageFile, sorted_files

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


def apart_behind(
    given: Iterable[MessageFile], held: Iterable[MessageFile], messages: Iterable[Message]
) -> list[MessageFile]:
    """Return the given files, those behind the last entry at places that held ones do not have.

    One that is held behind the last entry too, told by its digest, gets the place that it has.
    """
    ends = {each.id: len(entries_of(each.attachments)) for each in messages}
    places: dict[tuple[UUID, str], deque[int]] = defaultdict(deque)
    free = dict(ends)
    for file in sorted_files(held):
        if file.position >= ends[file.message_id]:
            places[file.message_id, file.digest].append(file.position)
            free[file.message_id] = file.position + 1
    found: list[MessageFile] = []
    for file in sorted_files(given):
        if file.position >= ends[file.message_id]:
            known = places[file.message_id, file.digest]
            place = known.popleft() if known else free[file.message_id]
            free[file.message_id] = max(free[file.message_id], place + 1)
            file = replace(file, position=place)
        found.append(file)
    return found


def _has_id(entry: Any) -> bool:
    return any(True for _ in ids_of(entry))


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
    own = [(each, old[each.position] if each.position < len(old) else None) for each in files]
    # A name alone takes no entry that another file has by its id.
    own.sort(key=lambda each: not _has_id(each[1]))
    for file, entry in own:
        name = name_of(entry) or file.name
        alike = [place for each in ids_of(entry) for place in by_id.get(each, [])]
        if not alike:
            # Many files are called image.png: two ids are two files. Of a file behind the last
            # entry nobody knows the id.
            had_no_id = entry is not None and not _has_id(entry)
            alike = [each for each in by_name[name] if had_no_id or not _has_id(new[each])]
        free = [each for each in alike if each not in taken]
        # An id may stand in two entries, of which one has the name.
        free.sort(key=lambda each: (name_of(new[each]) != name, each != file.position, each))
        place = free[0] if free else next(behind)
        taken.add(place)
        placed.append(replace(file, position=place))
    return placed
