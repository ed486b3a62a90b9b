"""What keeping and reading vectors of messages needs from a database."""

from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa

from chatdb.db.schema import message_vectors, messages
from chatdb.errors import DatabaseFailedError

if TYPE_CHECKING:
    from chatdb.db.database import Database

READ_AT_ONCE = 2_000
"""Vectors that are in memory together: 2 MB of 256 numbers."""

Place = tuple[UUID, UUID]
"""A conversation and a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeVector:
    """A vector to keep: little-endian single precision, None for a text that says nothing."""

    conversation_id: UUID
    message_id: UUID
    digest: bytes
    vector: bytes | None


@dataclass(frozen=True, slots=True)
class VectorChunk:
    """Some vectors: keys that `places` understands, and an array of numpy's with a row for each."""

    keys: Sequence[Any]
    rows: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbourhood:
    """Whose vectors are compared: an organization's of one model, and which conditions hold.

    `conditions` are on `message_vectors`; with `by_message` they are on `messages`, too.
    """

    organization_id: UUID
    model: str
    conditions: tuple[sa.ColumnElement[bool], ...] = ()
    by_message: bool = False

    def select(self, *columns: Any) -> sa.Select[Any]:
        """Return what reads columns of all vectors in it."""
        v, m = message_vectors.c, messages.c
        found = sa.select(*columns).where(
            v.organization_id == self.organization_id,
            # As it is, not as a parameter: an index on one model's vectors has it in its condition.
            v.model == sa.literal(self.model, v.model.type, literal_execute=True),
            v.vector.is_not(None),
            *self.conditions,
        )
        if not self.by_message:
            return found.select_from(message_vectors)
        own = (
            m.organization_id == v.organization_id,
            m.conversation_id == v.conversation_id,
            m.id == v.message_id,
        )
        return found.select_from(message_vectors.join(messages, sa.and_(*own)))


def common_length(vectors: Sequence[bytes]) -> int:
    """Return how many bytes each of some vectors has; raises DatabaseFailedError if they differ."""
    lengths = set(map(len, vectors))
    if len(lengths) > 1:
        raise DatabaseFailedError(
            "a model has vectors of several lengths in the table message_vectors",
            hint="chatdb embeddings drop, then: chatdb embeddings build",
        )
    return lengths.pop()


class VectorStore(ABC):
    """Keeps vectors, reads many of them, and knows whether an index finds the nearest."""

    @abstractmethod
    def write(
        self,
        connection: sa.Connection,
        organization_id: UUID,
        model: str,
        made: Sequence[MadeVector],
    ) -> None:
        """Keep vectors, instead of those that are there, of messages that still are."""

    @abstractmethod
    def read(
        self, connection: sa.Connection, within: Neighbourhood
    ) -> Generator[VectorChunk, None, None]:
        """Yield all vectors, some at a time."""

    @abstractmethod
    def near(
        self, connection: sa.Connection, within: Neighbourhood, query: Any, most: int
    ) -> list[tuple[Any, float]] | None:
        """Return the keys of the nearest `most` with their similarities; None: read them all.

        `query` is a row of numpy's. An index may leave out a few of them.
        """

    @abstractmethod
    def places(self, connection: sa.Connection, keys: Sequence[Any]) -> list[Place]:
        """Return which message each of some keys of chunks stands for."""

    @abstractmethod
    def index_bytes(self, connection: sa.Connection, model: str) -> int | None:
        """Return the size of the index on a model's vectors, None without one."""

    @abstractmethod
    def build_index(self, database: "Database", model: str, numbers: int) -> None:
        """Build the index on a model's vectors of so many numbers, if it is not there.

        Raises UsageError where there is none.
        """

    @abstractmethod
    def drop_index(self, connection: sa.Connection, model: str) -> None:
        """Drop the index on a model's vectors, if there is one that we may drop."""
