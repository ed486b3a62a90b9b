"""The full-text index itself: does it exist, is it intact, rebuild it."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from chatdb.primitives.watch import Watch

if TYPE_CHECKING:
    from chatdb.db.database import Database

COMPLETE_HINT = "chatdb search-index rebuild"
"""What to type if the index is missing or damaged."""

Forget = Callable[[sa.Connection], None]
"""Clears, in the given transaction, the record that the index was left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSight:
    """The state of the index: `bytes` is its size, None if it does not exist.

    `objects` lists what is missing, invalid or left over (`schema check` sees most of it too),
    `damages` what is wrong inside; `unchecked` what could not be checked, and why. `messages` and
    `indexed` are exact counts, None if nothing was counted (always on PostgreSQL).
    """

    bytes: int | None = None
    messages: int | None = None
    indexed: int | None = None
    objects: tuple[str, ...] = ()
    damages: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        """Everything that a rebuild fixes."""
        return (*self.objects, *self.damages)


@dataclass(frozen=True, slots=True)
class Glance:
    """What a search checks first: can the index be used, and may it lack messages?

    `is_small`: counting all of it takes a hundredth of a second.
    """

    is_usable: bool
    problem: str | None = None
    is_small: bool = False


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """How many messages were indexed in their normal form, and how many still wait for it."""

    indexed: int = 0
    waiting: int = 0


class SearchIndex(ABC):
    """The full-text index of one database system."""

    @abstractmethod
    def glance(self, connection: sa.Connection) -> Glance:
        """Return what a few milliseconds can find out."""

    @abstractmethod
    def catch_up(self, database: "Database", *, seconds: float | None) -> CaughtUp:
        """Index what other programs wrote, for so many seconds at most (None: no limit).

        On SQLite their texts are indexed by plain means, and wait for their normal form. What
        cannot be written now, as the file is locked or may only be read, goes on waiting.
        """

    @abstractmethod
    def look(self, connection: sa.Connection, *, seconds: float | None) -> IndexSight:
        """Check by counts whether it exists and is complete, without writing or locking.

        What is not counted within `seconds` (None: no limit) is left unchecked.
        """

    @abstractmethod
    def check(self, connection: sa.Connection) -> IndexSight:
        """Compare all of it with the messages, as far as the database system can.

        SQLite takes a writing transaction for it. Raises StorageError if that is not possible.
        """

    @abstractmethod
    def rebuild(self, database: "Database", watch: Watch, *, forget: Forget) -> None:
        """Rebuild it from the messages, with its triggers.

        SQLite: one transaction. PostgreSQL: beside the old one, while writers continue; behind a
        pooler without a direct URL they wait. A killed rebuild leaves nothing that the next does
        not remove.
        """
