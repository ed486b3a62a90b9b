"""What stands at the head of a conversation and of a message in a transcript."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from chatdb.formats.files.selection import Chosen
from chatdb.formats.markdown_text import one_line
from chatdb.formats.times import is_known
from chatdb.records import Conversation, Message
from chatdb.store.columns import FLAGS

UNTITLED = "Untitled"


def title_of(record: Conversation) -> str:
    """Return the title on one line."""
    return one_line(record.title or "") or UNTITLED


def models_of(record: Conversation) -> list[str]:
    """Return the names of the models that answered, each once."""
    return list(dict.fromkeys(one_line(each.model) for each in record.messages if each.model))


def marks_of(record: Conversation) -> list[str]:
    """Return `starred`, `pinned`, `archived`, as they hold."""
    return [name for name, column in FLAGS.items() if getattr(record, column) is not None]


def facts_of(record: Conversation, shown: int) -> list[str | datetime]:
    """Return what kind it is if it is no chat, its days, and how many messages are shown.

    Of a conversation of one day there is the first time that is known.
    """
    times = [each for each in (record.created_at, record.updated_at) if is_known(each)]
    days = list(dict.fromkeys(each.date().isoformat() for each in times))
    facts: list[str | datetime] = [record.kind] if record.kind != "chat" else []
    if days:
        facts.append(times[0] if len(days) == 1 else " to ".join(days))
    return [*facts, f"{shown:,} message{'' if shown == 1 else 's'}"]


def names_of(record: Conversation) -> list[str]:
    """Return whose it is, where it comes from, and the models, as far as they are known."""
    names = (record.organization, record.user_id, record.source, record.source_name)
    return [*(one_line(each) for each in names if each), *models_of(record)]


def minute_of(time: datetime) -> str:
    """Write a time to the minute, in the zone that it has: `2026-01-31 12:00`."""
    # isoformat, for strftime writes the year 1 without zeros.
    text = time.isoformat(timespec="minutes")
    return f"{text[:10]} {text[11:16]}"


# A conversation has two or three speakers, whose names are cleaned by several patterns.
@lru_cache(maxsize=256)
def details_of(user_id: str | None, author: str | None, model: str | None) -> str:
    """Return who wrote a message, beside the role: `ann`, `openai, gpt-5`."""
    names = (user_id, author, model)
    return ", ".join(one_line(each) for each in names if each)


def marks_of_message(message: Message, *, hidden: bool) -> list[str]:
    """Return `hidden`, `edited`, as they hold."""
    return ["hidden"] * hidden + ["edited"] * (message.edited_at is not None)


def numbers_of(chosen: Sequence[Chosen]) -> dict[UUID, int]:
    """Return the numbers of messages, from 1; none where there is one branch only."""
    if all(each.is_active for each in chosen):
        return {}
    return {each.message.id: number for number, each in enumerate(chosen, 1)}


def branch_note(message: Message, numbers: Mapping[UUID, int]) -> str:
    """Return a sentence for a message of another branch: which numbered message it follows."""
    parent = None if message.parent_id is None else numbers.get(message.parent_id)
    after = "at the beginning" if parent is None else f"after message {parent}"
    return f"Another branch, {after}."
