"""An Open WebUI chat as a record: from its row, its JSON, and the rows of its messages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from chatdb.formats.base import Tally
from chatdb.formats.fields import kept, with_marks
from chatdb.formats.identity import conversation_id, uuid_of
from chatdb.formats.open_webui.active import arranged, current
from chatdb.formats.open_webui.messages import ChatMessages
from chatdb.formats.open_webui.remainders import restore, taken_remainder
from chatdb.formats.open_webui.union import bare, union
from chatdb.formats.times import EPOCH, GUESSED, parse_time
from chatdb.formats.trees import newest_leaf
from chatdb.records import MARKS, Conversation, Message

SOURCE = "open-webui"
VERSION = 1

INTERNAL = "internal chats (notes, sub-agents, timers) kept and marked"
TWO_POINTERS = "current messages that the row and the JSON tell differently: the row's taken"
_FIELDS = frozenset(
    (
        *(
            "chat",
            "current_message_id",
            "folder",
            "folder_id",
            "meta",
            "share_id",
            "summary",
            "tags",
            "tasks",
        ),
        *("timer_at", "variables", "context_usage"),
    )
)
_POINTERS = ("currentId", "branchPointMessageId")

Fields = dict[str, Any]


@dataclass(slots=True)
class ReadChat:
    """A record, and what of it could not be read: its id, and why."""

    record: Conversation
    odd: list[tuple[str, str]] = field(default_factory=list)


def inner_of(value: Any) -> Fields:
    """Return the JSON of a chat; an empty one for what is none."""
    return value if isinstance(value, dict) else {}


def messages_of(inner: Mapping[str, Any]) -> dict[str, Any]:
    """Return the messages in a chat's JSON by id: its tree, and what only its list has.

    The list repeats the active branch; before there were branches it was all there is.
    """
    history = inner.get("history")
    own = history.get("messages") if isinstance(history, dict) else None
    found = dict(own) if isinstance(own, dict) else {}
    listed = inner.get("messages")
    above: str | None = None
    for number, each in enumerate(listed if isinstance(listed, list) else ()):
        if not isinstance(each, dict):
            continue
        name = each.get("id")
        name = name if isinstance(name, str) and name else f"#{number + 1}"
        if name not in found:
            found[name] = each if "parentId" in each else {**each, "parentId": above}
        above = name
    return found


def made_here(meta: Any, inner: Mapping[str, Any]) -> UUID | None:
    """Return the id that chatdb gave a chat when it wrote it for this system.

    A chat that was copied inside the system carries it too, and is another conversation.
    """
    own = meta.get(MARKS) if isinstance(meta, dict) else None
    named = own.get("id") if isinstance(own, dict) else None
    if not isinstance(named, str) or "originalChatId" in inner:
        return None
    return uuid_of(named)


def read_chat(
    chat: Fields,
    rows: Sequence[Fields] | None,
    tally: Tally,
    *,
    source_name: str | None,
    made: UUID | None = None,
) -> ReadChat:
    """Make the record; the fields of `chat`, a row of its table, are used up.

    `rows` are those of its messages, None where there are none. `made` is the id of a chat that
    has none.
    """
    source_id = str(chat.pop("id", None) or "")
    raw = chat.pop("chat", None)
    inner = dict(inner_of(raw))
    if not isinstance(raw, dict):
        chat["chat"] = raw
    known = made_here(chat.get("meta"), inner)
    identifier = known or made or conversation_id(SOURCE, source_name, source_id)
    marks: Fields = {}
    own = messages_of(inner)
    messages, odd = union(source_id, own, rows, tally)
    tree = arranged(messages, tally)
    created, updated = _times(chat, inner, messages, marks)
    owner = chat.pop("user_id", None)
    owner = str(owner) if owner not in (None, "") else None
    pointers = _pointers(source_id, chat, inner, messages)
    if len(set(pointers[:2]) & messages.keys()) > 1:
        tally.lossy[TWO_POINTERS] += 1
    leaf = current(pointers, messages, tree, tally)
    reading = ChatMessages(identifier, owner, tally, is_ours=known is not None)
    read = reading.read(messages, tree, started=created)
    ours: Fields = {}
    if known is not None:
        chat["meta"], ours = taken_remainder(chat.get("meta"))
    record = Conversation(
        id=identifier,
        user_id=owner,
        title=_title(chat, inner),
        created_at=created,
        updated_at=updated,
        last_accessed_at=_taken_time(chat, "last_read_at"),
        archived_at=updated if chat.pop("archived", None) else None,
        pinned_at=updated if chat.pop("pinned", None) else None,
        source=SOURCE,
        source_id=source_id or None,
        messages=list(read.values()),
    )
    record.current_message_id = read[leaf].id if leaf else newest_leaf(record.messages)
    if "metadata" in ours and inner.get("models") == models_of(record.messages):
        inner.pop("models")
    record.metadata = _metadata(chat, inner, marks, tally)
    restore(record, ours)
    return ReadChat(record, odd)


def _times(
    chat: Fields, inner: Fields, messages: Mapping[str, Fields], marks: Fields
) -> tuple[datetime, datetime]:
    raw = chat.pop("created_at", None), chat.pop("updated_at", None)
    if raw[0] is None and "timestamp" in inner:
        raw = inner["timestamp"], raw[1]
    made, changed = parse_time(raw[0]), parse_time(raw[1])
    if made.odd and raw[0] != inner.get("timestamp"):
        marks["created_at"] = raw[0]
    if changed.odd:
        marks["updated_at"] = raw[1]
    if made.at is not None and changed.at is not None:
        return made.at, changed.at
    times = (parse_time(each.get("timestamp")).at for each in messages.values())
    known = [each for each in times if each is not None]
    created = made.at or min(known, default=changed.at or EPOCH)
    if made.at is None:
        marks["time"] = GUESSED
    return created, changed.at or max([*known, created])


def _taken_time(chat: Fields, name: str) -> datetime | None:
    moment = parse_time(chat.get(name))
    if moment.at is not None or chat.get(name) is None:
        chat.pop(name, None)
    return moment.at


def _title(chat: Fields, inner: Fields) -> str | None:
    title = chat.pop("title", None)
    if not isinstance(title, str) or not title:
        title = inner.pop("title", None) if isinstance(inner.get("title"), str) else title
    elif inner.get("title") == title:
        del inner["title"]
    return None if title in (None, "") else str(title)


def _pointers(
    source_id: str, chat: Fields, inner: Fields, messages: Mapping[str, Fields]
) -> list[Any]:
    """Take the names of the active leaf; those of no message stay where they came from."""
    history = dict(inner_of(inner.get("history")))
    inner["history"] = history
    places = [(chat, "current_message_id"), (history, "currentId")]
    places += [(inner, name) for name in _POINTERS]
    names = []
    for fields, name in places:
        value = fields.get(name)
        if isinstance(value, str) and value:
            known = bare(source_id, value) if source_id else value
            names.append(known)
            if known in messages and name != "branchPointMessageId":
                del fields[name]
    return names


def models_of(messages: Sequence[Message]) -> list[str]:
    """Return the models that answered, each once."""
    return list(dict.fromkeys(each.model for each in messages if each.model))


def _metadata(chat: Fields, inner: Fields, marks: Fields, tally: Tally) -> Fields:
    meta = chat.get("meta")
    if isinstance(meta, dict) and meta.get("internal") is True:
        marks["internal"] = True
        tally.lossy[INTERNAL] += 1
    inner["history"] = kept({**inner["history"], "messages": None})
    inner.pop("messages", None)
    if inner.get("id") == "":
        del inner["id"]
    left = {name: value for name, value in inner.items() if value not in (None, [], {}, "")}
    if left:
        chat["chat"] = left
    for unknown in chat.keys() - _FIELDS:
        tally.unknown_fields[f"chat.{unknown}"] += 1
    return with_marks(chat, marks)
