"""The messages nearest in meaning to a query: every vector compared, or those an index names."""

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import numpy as np
import sqlalchemy as sa

from chatdb.db.contract.dialect import Dialect
from chatdb.db.contract.search import SearchRequest, timed_out
from chatdb.db.contract.vectors import Neighbourhood, VectorChunk, VectorStore
from chatdb.db.schema import messages
from chatdb.store.vectors import in_conversations_of
from chatdb.store.whole_keys import is_one_of

_CANDIDATES = 300
"""Nearest vectors whose messages are then checked: whether they are hidden, first of all."""
_CHECKED_AT_ONCE = 200
Found = tuple[Any, Any, Any]
"""Organization, conversation and message."""


@dataclass(frozen=True, slots=True)
class Near:
    """A message and its similarity to the query, 1 being the same."""

    key: Found
    similarity: float


@dataclass(slots=True)
class _Best:
    """The `most` vectors that are nearest so far."""

    query: Any
    most: int
    keys: list[Any] = field(default_factory=list)
    similarities: Any = field(default_factory=lambda: np.empty(0, dtype=np.float32))
    floor: float = -2.0

    def add(self, chunk: VectorChunk) -> None:
        """Compare the vectors of a chunk."""
        # By one thread: those of a product of matrices wait for each other on a busy machine.
        near = np.einsum("ij,j->i", chunk.rows, self.query[0])
        wanted = np.flatnonzero(near > self.floor)
        self.keys += [chunk.keys[place] for place in wanted.tolist()]
        self.similarities = np.concatenate([self.similarities, near[wanted]])
        if len(self.keys) > 4 * self.most:
            self.cut()

    def cut(self) -> None:
        """Keep the best, in their order."""
        order = np.argsort(-self.similarities, kind="stable")[: self.most]
        self.keys = [self.keys[place] for place in order.tolist()]
        self.similarities = self.similarities[order]
        if len(order) == self.most:
            self.floor = float(self.similarities[-1])


@dataclass(frozen=True, slots=True)
class NearestSearch:
    """Finds the messages of an organization whose vectors are nearest to a query's.

    Only what meets the conditions of the request, whose words are not among them.
    """

    connection: sa.Connection
    dialect: Dialect
    vectors: VectorStore
    model: str
    query: Any
    seconds: float

    def nearest(self, request: SearchRequest) -> list[Near]:
        """Return the nearest `request.limit`, nearest first."""
        own = self._neighbourhood(request)
        if not self._is_narrow(request):
            most = max(_CANDIDATES, 2 * request.limit)
            nearest = self._best(own, most, request)
            found = self._shown(nearest, request)
            if len(found) == request.limit or len(nearest) < most:
                return found
        conditions = (
            *own.conditions,
            *self.dialect.search().times(request),
            *self.dialect.search().filters(request, for_candidates=True),
        )
        whole = replace(own, conditions=conditions, by_message=True)
        return self._best(whole, request.limit, request)

    def _neighbourhood(self, request: SearchRequest) -> Neighbourhood:
        return Neighbourhood(
            organization_id=request.organization_id,
            model=self.model,
            conditions=tuple(in_conversations_of(request)),
        )

    def _is_narrow(self, request: SearchRequest) -> bool:
        """Tell whether messages are narrowed by what is on them, not on their conversations."""
        of_message = any(True for _ in request.filters.of_message())
        times = any(True for _ in self.dialect.search().times(request))
        return bool(request.roles or request.not_roles or of_message or times)

    def _all(self, within: Neighbourhood) -> Generator[VectorChunk, None, None]:
        ends = time.monotonic() + self.seconds
        with closing(self.vectors.read(self.connection, within)) as chunks:
            for chunk in chunks:
                yield chunk
                # A statement's time limit does not count what is done between its rows.
                if time.monotonic() > ends:
                    raise timed_out(self.seconds)

    def _best(self, within: Neighbourhood, most: int, request: SearchRequest) -> list[Near]:
        """Return the `most` nearest vectors; those that are alike by their messages."""
        found = self.vectors.near(self.connection, within, self.query, most)
        if found is None:
            best = _Best(self.query, most)
            with closing(self._all(within)) as chunks:
                for chunk in chunks:
                    best.add(chunk)
            best.cut()
            found = list(zip(best.keys, best.similarities.tolist(), strict=True))
        places = self.vectors.places(self.connection, [key for key, _ in found])
        near = (
            Near((request.organization_id, *place), similarity)
            for place, (_, similarity) in zip(places, found, strict=True)
        )
        return sorted(near, key=lambda each: (-each.similarity, each.key))

    def _shown(self, candidates: Sequence[Near], request: SearchRequest) -> list[Near]:
        """Return those that meet the conditions, as many as are wanted, in their order."""
        return list(islice(self._checked(candidates, request), request.limit))

    def _checked(self, candidates: Sequence[Near], request: SearchRequest) -> Iterator[Near]:
        m = messages.c
        columns = (m.organization_id, m.conversation_id, m.id)
        conditions = list(self.dialect.search().filters(request, for_candidates=True))
        start, step = 0, min(request.limit + 5, _CHECKED_AT_ONCE)
        while some := candidates[start : start + step]:
            meant = sa.select(*columns).where(
                is_one_of(columns, [each.key for each in some]), *conditions
            )
            shown = {tuple(row) for row in self.connection.execute(meant)}
            yield from (each for each in some if each.key in shown)
            start, step = start + step, _CHECKED_AT_ONCE
