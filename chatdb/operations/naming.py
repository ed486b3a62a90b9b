"""Finding what is meant by an id that is written in part, or by `last`."""

import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from chatdb.canonical import clean_text
from chatdb.db.dialects.expressions import id_ends_with
from chatdb.db.schema import conversations, messages, snapshots
from chatdb.errors import NotFoundError, UsageError

FEWEST_DIGITS = 4
"""Of an id that is not written in full."""
LAST = "last"

_SHOWN_CANDIDATES = 5
_HEXADECIMAL = re.compile(r"[0-9a-f]{1,32}")


@dataclass(frozen=True, slots=True)
class _Noun:
    """A kind of thing that has an id; `newest` is the order in which the last one comes first."""

    name: str
    id: Any
    newest: tuple[Any, ...]
    hint: str
    none_hint: str


_CONVERSATION = _Noun(
    "conversation",
    conversations.c.id,
    (conversations.c.updated_at.desc(), conversations.c.id.desc()),
    "chatdb conversations list",
    "chatdb import FILE",
)
_MESSAGE = _Noun(
    "message",
    messages.c.id,
    (messages.c.position.desc(),),
    "chatdb messages list CONVERSATION",
    "chatdb messages add CONVERSATION TEXT",
)
_SNAPSHOT = _Noun(
    "snapshot",
    snapshots.c.id,
    (snapshots.c.created_at.desc(), snapshots.c.id.desc()),
    "chatdb snapshots list CONVERSATION",
    "chatdb snapshots save CONVERSATION",
)


def resolve_conversation(
    connection: sa.Connection, organization: UUID, text: str, *, user_id: str | None = None
) -> UUID:
    """Return the id that is meant: in full, its beginning or its end (4 digits or more), or `last`.

    With `user_id` the conversations of others are not there. Ids made together begin alike: their
    ends tell them apart. Raises NotFoundError for none, UsageError for several or too few digits.
    """
    table = conversations.c
    own = sa.select(table.id).where(table.organization_id == organization)
    if user_id is not None:
        own = own.where(table.user_id == clean_text(user_id)[0])
    return _resolve(connection, own, text, _CONVERSATION)


def resolve_message(
    connection: sa.Connection, organization: UUID, conversation: UUID, text: str
) -> UUID:
    """Return the id of the message of this conversation that is meant, as above."""
    return _resolve(connection, _within(messages, organization, conversation), text, _MESSAGE)


def resolve_snapshot(
    connection: sa.Connection, organization: UUID, conversation: UUID, text: str
) -> UUID:
    """Return the id of the snapshot of this conversation that is meant, as above."""
    return _resolve(connection, _within(snapshots, organization, conversation), text, _SNAPSHOT)


def _within(table: sa.Table, organization: UUID, conversation: UUID) -> sa.Select[Any]:
    columns = table.c
    return sa.select(columns.id).where(
        columns.organization_id == organization, columns.conversation_id == conversation
    )


def _resolve(connection: sa.Connection, own: sa.Select[Any], text: str, noun: _Noun) -> UUID:
    if text.strip().lower() == LAST:
        return _last(connection, own, noun)
    digits = text.strip().lower().replace("-", "")
    if not _HEXADECIMAL.fullmatch(digits):
        raise NotFoundError(f"there is no {noun.name} {text!r}", hint=noun.hint)
    if len(digits) < FEWEST_DIGITS:
        raise UsageError(
            f"{text!r} is too short for an id: give {FEWEST_DIGITS} digits or more",
            hint=noun.hint,
        )
    lowest, highest = UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))
    candidates = own.where(noun.id.between(lowest, highest)).limit(_SHOWN_CANDIDATES + 1)
    found: set[UUID] = set(connection.execute(candidates).scalars())
    if len(digits) < 32:
        ending = id_ends_with(noun.id, digits)
        found |= set(connection.execute(own.where(ending).limit(_SHOWN_CANDIDATES + 1)).scalars())
    if not found:
        raise NotFoundError(f"there is no {noun.name} {text!r}", hint=noun.hint)
    if len(found) > 1:
        names = [str(each) for each in sorted(found)]
        more = " ..." if len(names) > _SHOWN_CANDIDATES else ""
        shown = ", ".join(names[:_SHOWN_CANDIDATES])
        raise UsageError(f"{text!r} may be any of {shown}{more}", hint="give more digits of the id")
    return found.pop()


def _last(connection: sa.Connection, own: sa.Select[Any], noun: _Noun) -> UUID:
    newest: UUID | None = connection.scalar(own.order_by(*noun.newest).limit(1))
    if newest is None:
        raise NotFoundError(f"there is no {noun.name} yet", hint=noun.none_hint)
    return newest
