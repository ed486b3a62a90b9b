"""Makes hits of the messages that were found: excerpt, place in the conversation, what is near."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import sqlalchemy as sa

from chatdb.db.contract.dialect import Dialect
from chatdb.db.contract.search import searched_text
from chatdb.db.schema import conversations, messages
from chatdb.operations.searching.excerpts import excerpt, readable
from chatdb.operations.searching.search_page import Hit, Neighbour, SearchOptions
from chatdb.operations.searching.surroundings import surroundings
from chatdb.operations.searching.words import Matcher
from chatdb.primitives.normal_form import SEARCHED_CHARACTERS
from chatdb.store.nearby import Standing, read_standings

Ranges = tuple[tuple[int, int], ...]


def found_messages() -> sa.Select[Any]:
    """Return what reads the messages, with what hits are made of."""
    columns, c = messages.c, conversations.c
    return sa.select(
        *(columns.organization_id, columns.conversation_id, c.title, c.user_id, c.kind),
        *(c.current_message_id, columns.id, columns.role, columns.position),
        *(columns.author, columns.model, columns.created_at),
        sa.func.length(columns.content).label("content_length"),
        sa.func.substr(searched_text(), 1, SEARCHED_CHARACTERS).label("content"),
    ).join(
        conversations,
        sa.and_(c.organization_id == columns.organization_id, c.id == columns.conversation_id),
    )


@dataclass(frozen=True, slots=True)
class HitMaker:
    """Makes hits in the transaction of a search; `matcher` finds its words in a text."""

    connection: sa.Connection
    dialect: Dialect
    matcher: Matcher
    options: SearchOptions

    def hits(
        self, rows: Sequence[sa.Row[Any]], scores: Sequence[float] | None = None
    ) -> tuple[Hit, ...]:
        """Return the hits of rows that `found_messages` reads, in their order."""
        names = [(row.organization_id, row.conversation_id, row.id) for row in rows]
        places = {name: row.position for name, row in zip(names, rows, strict=True)}
        standings = read_standings(self.connection, places)
        near = surroundings(
            self.connection,
            self.dialect,
            rows,
            self.options.context,
            include_hidden=self.options.include_hidden,
        )
        return tuple(
            self._hit(row, score, standings.get(name), near.get(name, ()))
            for name, row, score in zip(names, rows, scores or repeat(None), strict=False)
        )

    def _hit(
        self,
        row: sa.Row[Any],
        score: float | None,
        standing: Standing | None,
        context: tuple[Neighbour, ...],
    ) -> Hit:
        text = readable(row.content)
        shown = excerpt(text, self.matcher)
        # Without the marks of citations the words stand elsewhere.
        whole = shown if text == row.content else excerpt(row.content, self.matcher)
        offsets, attached_offsets = _parted(whole.offsets, row.content_length)
        return Hit(
            conversation_id=row.conversation_id,
            title=row.title,
            user_id=row.user_id,
            kind=row.kind,
            message_id=row.id,
            role=row.role,
            author=row.author,
            model=row.model,
            created_at=row.created_at,
            snippet=shown.text,
            highlights=shown.highlights,
            score=score,
            position=row.position,
            number=None if standing is None else standing.number,
            messages=None if standing is None else standing.messages,
            offsets=offsets,
            attached_offsets=attached_offsets,
            context=context,
        )


def _parted(offsets: Ranges, length: int) -> tuple[Ranges, Ranges]:
    """Part the places in the searched text into those in the content and those beside it.

    A phrase may begin in the one and end in the other. Between the two is one blank.
    """
    beside = length + 1
    return (
        tuple((start, min(end, length)) for start, end in offsets if start < length),
        tuple((max(start - beside, 0), end - beside) for start, end in offsets if end > beside),
    )
