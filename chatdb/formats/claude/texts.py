"""Texts that Claude keeps beside the conversations, as conversations of a message a version.

An export has a text as it is now. So a version's id is derived from the text: another text of the
same document is another message of its conversation, and the same text is the same message.
"""

from dataclasses import dataclass, field
from typing import Any

from chatdb.formats import addresses
from chatdb.formats.fields import with_marks
from chatdb.formats.files.json_records import RecordContext
from chatdb.formats.identity import MessageIds, conversation_id
from chatdb.formats.times import EPOCH, GUESSED, MISSING, Moment, parse_time
from chatdb.primitives.nesting import with_room
from chatdb.records import Conversation, ConversationKind, Message, Role

ADDRESS_LEFT_OUT = "an address of a person: left out"

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Time:
    """A time as the source has it, and as it was read."""

    raw: Any = None
    moment: Moment = MISSING


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptText:
    """A text with what is known about it.

    `written` is when this version was; `guessed` says that `created` is another thing's time.
    """

    source_id: str
    kind: ConversationKind
    role: Role
    text: str
    title: str | None
    user_id: str | None
    created: Time = field(default_factory=Time)
    written: Time = field(default_factory=Time)
    updated: Time = field(default_factory=Time)
    guessed: bool = False
    metadata: Fields = field(default_factory=dict)


def conversation_of(found: KeptText, source: str, context: RecordContext) -> Conversation:
    """Return the conversation of one message that a text is."""
    identifier = conversation_id(source, context.source_name, found.source_id)
    times = [each.moment.at for each in (found.created, found.written, found.updated)]
    known = [moment for moment in times if moment is not None]
    created = known[0] if known else EPOCH
    written = times[1] or created
    message = Message(
        id=MessageIds(identifier).without_source_id(found.role, found.text),
        role=found.role,
        content=found.text,
        source_id=found.source_id,
        created_at=written,
        metadata=with_marks({}, {} if times[1] else {"time": GUESSED}),
    )
    marks: Fields = {} if times[0] and not found.guessed else {"time": GUESSED}
    for name, each in (("created_at", found.created), ("updated_at", found.updated)):
        if each.moment.odd:
            marks[name] = each.raw
    return Conversation(
        id=identifier,
        user_id=found.user_id,
        title=found.title or None,
        current_message_id=message.id,
        created_at=created,
        updated_at=max([created, *known]),
        kind=found.kind,
        source=source,
        source_id=found.source_id,
        metadata=with_marks(dict(found.metadata), marks),
        messages=[message],
    )


def take_time(fields: Fields, name: str) -> Time:
    """Take a time out of the fields."""
    raw = fields.pop(name, None)
    return Time(raw, parse_time(raw))


def without_addresses(value: Any, context: RecordContext) -> Any:
    """Return a value of the metadata without people's addresses, wherever they are in it."""
    left, count = with_room(addresses.without, value)
    if count:
        context.tally.lossy[ADDRESS_LEFT_OUT] += count
    return left


def drop_contacts(fields: Fields, context: RecordContext) -> None:
    """Take the addresses of people out of fields; what they said and gave stays as it is."""
    count = addresses.drop_contacts(fields)
    if count:
        context.tally.lossy[ADDRESS_LEFT_OUT] += count
