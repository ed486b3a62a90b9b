"""The messages before and after hits, along the branches on which the hits lie."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self
from uuid import UUID

import sqlalchemy as sa

from chatdb.db.contract.dialect import Dialect
from chatdb.formats.branches import branch_through
from chatdb.operations.searching.excerpts import excerpt, readable
from chatdb.operations.searching.search_page import Neighbour
from chatdb.operations.searching.words import Matcher
from chatdb.records import Conversation, Message
from chatdb.store.nearby import REACH, MessageName, read_beginnings, read_nearby

_NO_WORDS = Matcher(())


def surroundings(
    connection: sa.Connection,
    dialect: Dialect,
    rows: Sequence[sa.Row[Any]],
    count: int,
    *,
    include_hidden: bool,
) -> dict[MessageName, tuple[Neighbour, ...]]:
    """Return `count` messages before and after each hit, in the order of its branch.

    The branch is that of `chatdb show --at`: the active one, else the one with the newest end, of
    what is near the hit.
    """
    if not count:
        return {}
    names = [(row.organization_id, row.conversation_id, row.id) for row in rows]
    near = _Near.of(read_nearby(connection, dialect, names), include_hidden=include_hidden)
    chosen = {
        name: list(_neighbours(near.record(row, name), name, count, without=near.hidden))
        for name, row in zip(names, rows, strict=True)
    }
    wanted = dict.fromkeys((*name[:2], message.id) for name in names for _, message in chosen[name])
    texts = read_beginnings(connection, list(wanted))
    return {
        name: tuple(
            Neighbour(
                distance=distance,
                id=message.id,
                role=message.role,
                excerpt=excerpt(readable(texts[*name[:2], message.id]), _NO_WORDS).text,
            )
            for distance, message in found
        )
        for name, found in chosen.items()
    }


@dataclass(frozen=True, slots=True)
class _Near:
    """What is near all hits: messages without texts, by conversation and in order."""

    messages: dict[MessageName, Message]
    ordered: dict[tuple[UUID, UUID], list[tuple[int, Message]]]
    hidden: frozenset[MessageName]

    @classmethod
    def of(cls, rows: Sequence[tuple[UUID, sa.Row[Any]]], *, include_hidden: bool) -> Self:
        near = cls({}, defaultdict(list), frozenset())
        hidden: set[MessageName] = set()
        for organization, row in sorted(rows, key=lambda pair: pair[1].position):
            name = (organization, row.conversation_id, row.id)
            near.messages[name] = message = Message(
                id=row.id, parent_id=row.parent_id, role=row.role, created_at=row.created_at
            )
            near.ordered[name[:2]].append((row.position, message))
            if row.is_hidden and not include_hidden:
                hidden.add(name)
        return replace(near, hidden=frozenset(hidden))

    def record(self, hit: sa.Row[Any], name: MessageName) -> Conversation:
        """Return the hit's conversation with what is near this hit: another's may be far off."""
        above, message = {name[2]}, self.messages.get(name)
        while message is not None and message.parent_id not in above and message.parent_id:
            above.add(message.parent_id)
            message = self.messages.get((*name[:2], message.parent_id))
        return Conversation(
            id=hit.conversation_id,
            kind=hit.kind,
            current_message_id=hit.current_message_id,
            created_at=hit.created_at,
            updated_at=hit.created_at,
            messages=[
                each
                for position, each in self.ordered[name[:2]]
                if abs(position - hit.position) <= REACH or each.id in above
            ],
        )


def _neighbours(
    record: Conversation,
    name: MessageName,
    count: int,
    *,
    without: Collection[MessageName],
) -> Iterator[tuple[int, Message]]:
    """Yield the messages before and after one, with their distances from it."""
    path = [
        each
        for each in branch_through(record, name[2])
        if each.id == name[2] or (*name[:2], each.id) not in without
    ]
    place = next(number for number, each in enumerate(path) if each.id == name[2])
    for number in range(max(place - count, 0), min(place + count + 1, len(path))):
        if number != place:
            yield number - place, path[number]
