"""What counting all messages in one pass needs from a database."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import sqlalchemy as sa

SAMPLED_ROWS = 200_000
"""About this many messages are read for an approximation."""


@dataclass(frozen=True, slots=True)
class MessageSource:
    """The messages to read: a FROM clause that calls them m, with its values.

    `factor` is how many messages each of them represents.
    """

    text: str
    factor: float = 1.0
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """A table or an index on disk: bytes, and for a table its rows (an estimate), if known.

    Separate storage of a table (PostgreSQL's TOAST, the tables that FTS5 makes) counts as part of
    it.
    """

    table: str
    name: str
    kind: Literal["table", "index"]
    bytes: int
    rows: int | None = None


class Statistics(ABC):
    """The expressions of one database system; `b` and `h` name columns of the query.

    Times are converted in two steps: messages are counted by a bucket of time, whose local hour `h`
    is computed afterwards.
    """

    settings: ClassVar[Mapping[str, str]]
    read_barrier: ClassVar[str]
    """Keeps the texts of messages out of the sort for grouping."""
    day: ClassVar[str]
    week: ClassVar[str]
    month: ClassVar[str]
    year: ClassVar[str]
    weekday: ClassVar[str]
    hour: ClassVar[str]

    @abstractmethod
    def bucket(self, timezone: str) -> str:
        """Return the expression of a message's bucket; the zone is bound as `timezone`."""

    @abstractmethod
    def local_hour(self, timezone: str) -> str:
        """Return the expression of the local hour of a bucket."""

    @abstractmethod
    def reading(self, connection: sa.Connection, timezone: str) -> AbstractContextManager[None]:
        """Prepare the connection for a long query that Ctrl-C can end."""

    @abstractmethod
    def all_messages(self, *, filtered: bool) -> MessageSource:
        """Return every message; `filtered` says that a condition may use an index."""

    @abstractmethod
    def sample(self, connection: sa.Connection, rows: int) -> MessageSource:
        """Return about `rows` of the messages, spread over the table; all if there are few."""

    @abstractmethod
    def storage(self, connection: sa.Connection) -> list[StoredObject] | None:
        """Return what is on disk, largest first; None if unknown."""
