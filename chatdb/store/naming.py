"""Finds the conversation, message or snapshot given by a part of its id, or by `last`."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa

from chatdb.db.contract.dialect import Dialect
from chatdb.db.contract.expressions import id_ends_with
from chatdb.db.database import Database
from chatdb.db.schema import conversations, messages, snapshots
from chatdb.errors import NotFoundError, UsageError
from chatdb.primitives.canonical import clean_text
from chatdb.records import Organization
from chatdb.store.every_organization import Scope, chosen

if TYPE_CHECKING:
    from datetime import datetime

# Fewer match by chance: of 100,000 ids some 24 begin with the same three digits.
FEWEST_DIGITS = 4
"""Of an id that is not given in full."""
LAST = "last"

_SHOWN_CANDIDATES = 5
_HEXADECIMAL = re.compile(r"[0-9a-f]{1,32}")


@dataclass(frozen=True, slots=True)
class _Noun:
    """A kind of object with an id; `newest` is the order in which the last one comes first."""

    name: str
    id: Any
    newest: tuple[Any, ...]
    hint: str
    none_hint: str


@dataclass(frozen=True, slots=True)
class LocatedConversation:
    """A conversation, and the organization that has it."""

    organization: Organization
    id: UUID


_CONVERSATION = _Noun(
    "conversation",
    conversations.c.id,
    (conversations.c.updated_at.desc(), conversations.c.id.desc()),
    "chatdb list",
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
    """Return the id given in full, by its beginning or end (4 digits or more), or as `last`.

    With `user_id` other users' conversations are treated as not found. Ids made together begin
    alike: their ends distinguish them. Raises NotFoundError for none, UsageError for several or too
    few digits.
    """
    return _resolve(connection, _own(organization, user_id), text, _CONVERSATION)


def locate_conversation(
    connection: sa.Connection,
    dialect: Dialect,
    scope: Scope,
    text: str,
    *,
    user_id: str | None = None,
) -> LocatedConversation:
    """Return what `resolve_conversation` does, in whichever organization of the scope has it.

    `last` is the last of all. Raises as `resolve_conversation` and `chosen`; if several
    organizations have it, the error lists them.
    """
    found: list[LocatedConversation] = []
    newest: datetime | None = None
    for organization in chosen(connection, dialect, scope):
        own = _own(organization.id, user_id)
        if _is_last(text):
            when = own.add_columns(conversations.c.updated_at)
            last = connection.execute(_newest_first(when, _CONVERSATION)).first()
            if last is not None and (newest is None or last.updated_at > newest):
                newest = last.updated_at
                found = [LocatedConversation(organization, last.id)]
        else:
            ids = sorted(_candidates(connection, own, text, _CONVERSATION))
            found += [LocatedConversation(organization, each) for each in ids]
            # The error shows no more: further organizations need not be asked.
            if len(found) > _SHOWN_CANDIDATES:
                break
    if not found:
        raise _none(text, _CONVERSATION)
    if len(found) > 1:
        raise _several(
            text,
            [f"{each.id} in {each.organization.key}" for each in found],
            hint="give more digits of the id, or choose the organization: --org KEY",
        )
    return found[0]


def find_conversation(
    database: Database, text: str, *, organization_key: Scope, user_id: str | None = None
) -> LocatedConversation:
    """Return what `locate_conversation` does, in a separate transaction."""
    with database.transaction() as connection:
        return locate_conversation(
            connection, database.dialect, organization_key, text, user_id=user_id
        )


def _own(organization: UUID, user_id: str | None) -> sa.Select[Any]:
    table = conversations.c
    own = sa.select(table.id).where(table.organization_id == organization)
    return own if user_id is None else own.where(table.user_id == clean_text(user_id)[0])


def resolve_message(
    connection: sa.Connection, organization: UUID, conversation: UUID, text: str
) -> UUID:
    """Return the id of a message of this conversation, given as above."""
    return _resolve(connection, _within(messages, organization, conversation), text, _MESSAGE)


def resolve_snapshot(
    connection: sa.Connection, organization: UUID, conversation: UUID, text: str
) -> UUID:
    """Return the id of a snapshot of this conversation, given as above."""
    return _resolve(connection, _within(snapshots, organization, conversation), text, _SNAPSHOT)


def _within(table: sa.Table, organization: UUID, conversation: UUID) -> sa.Select[Any]:
    columns = table.c
    return sa.select(columns.id).where(
        columns.organization_id == organization, columns.conversation_id == conversation
    )


def _resolve(connection: sa.Connection, own: sa.Select[Any], text: str, noun: _Noun) -> UUID:
    found: set[UUID]
    if _is_last(text):
        found = set(connection.scalars(_newest_first(own, noun)))
    else:
        found = _candidates(connection, own, text, noun)
    if not found:
        raise _none(text, noun)
    if len(found) > 1:
        raise _several(text, [str(each) for each in sorted(found)])
    return found.pop()


def _candidates(
    connection: sa.Connection, own: sa.Select[Any], text: str, noun: _Noun
) -> set[UUID]:
    """Return the ids that begin or end so, some more than an error lists."""
    digits = text.strip().lower().replace("-", "")
    if not _HEXADECIMAL.fullmatch(digits):
        raise NotFoundError(f"there is no {noun.name} {text!r}", hint=noun.hint)
    if len(digits) < FEWEST_DIGITS:
        raise UsageError(
            f"{text!r} is too short for an id: give {FEWEST_DIGITS} digits or more",
            hint=noun.hint,
        )
    lowest, highest = UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))
    # A range uses the primary key's index; LIKE on a UUID would read every row.
    candidates = own.where(noun.id.between(lowest, highest)).limit(_SHOWN_CANDIDATES + 1)
    found: set[UUID] = set(connection.execute(candidates).scalars())
    # The end of an id has no index: it is looked for only where it can say something.
    if len(digits) < 32:
        ending = id_ends_with(noun.id, digits)
        found |= set(connection.execute(own.where(ending).limit(_SHOWN_CANDIDATES + 1)).scalars())
    return found


def _is_last(text: str) -> bool:
    return text.strip().lower() == LAST


def _newest_first(own: sa.Select[Any], noun: _Noun) -> sa.Select[Any]:
    return own.order_by(*noun.newest).limit(1)


def _none(text: str, noun: _Noun) -> NotFoundError:
    if _is_last(text):
        return NotFoundError(f"there is no {noun.name} yet", hint=noun.none_hint)
    return NotFoundError(f"there is no {noun.name} {text!r}", hint=noun.hint)


def _several(text: str, names: list[str], hint: str = "give more digits of the id") -> UsageError:
    more = " ..." if len(names) > _SHOWN_CANDIDATES else ""
    shown = ", ".join(names[:_SHOWN_CANDIDATES])
    return UsageError(f"{text!r} matches several: {shown}{more}", hint=hint)
