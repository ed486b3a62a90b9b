"""What is asked of the full-text index itself: is it there, is it whole, make it anew."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import sqlalchemy as sa

if TYPE_CHECKING:
    from chatdb.db.database import Database

COMPLETE_HINT = "chatdb search-index rebuild"
"""What to type when the index is not there, or damaged."""

BuildUnit = Literal["bytes", "messages"]
Forget = Callable[[sa.Connection], None]
"""Forgets, in the transaction given, that the index was left out."""


class BuildWatch(Protocol):
    """Who is told how far a build is; `advance` may be called from a thread."""

    def note(self, text: str) -> None:
        """Say something worth knowing."""

    def begin(self, what: str, total: int | None, unit: BuildUnit) -> None:
        """A stage of the work begins."""

    def advance(self, amount: int) -> None:
        """So much more is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSight:
    """What was seen of the index: `bytes` is its size, None when it is not there.

    `objects` tells what is missing, invalid or left over (`schema check` sees most of it too),
    `damages` what is wrong inside; `unchecked` what could not be looked at, and why. `messages`
    and `indexed` are exact counts, None where nothing was counted (always on PostgreSQL).
    """

    bytes: int | None = None
    messages: int | None = None
    indexed: int | None = None
    objects: tuple[str, ...] = ()
    damages: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        """All that a rebuild mends."""
        return (*self.objects, *self.damages)


@dataclass(frozen=True, slots=True)
class Glance:
    """What a search may ask first: can the index be used, and may it lack messages?

    `is_small`: a look that counts all of it takes a hundredth of a second.
    """

    is_usable: bool
    problem: str | None = None
    is_small: bool = False


class SearchIndex(ABC):
    """The full-text index of one database system."""

    @abstractmethod
    def glance(self, connection: sa.Connection) -> Glance:
        """Return what a few milliseconds tell."""

    @abstractmethod
    def look(self, connection: sa.Connection, *, seconds: float | None) -> IndexSight:
        """Look whether it is there and complete, by counts; without writing or locking anything.

        What is not counted within `seconds` (None: as long as it takes) is left unchecked.
        """

    @abstractmethod
    def check(self, connection: sa.Connection) -> IndexSight:
        """Compare all of it with the messages, as far as the database system can.

        SQLite takes a writing transaction for it. Raises StorageError where there is none.
        """

    @abstractmethod
    def rebuild(self, database: "Database", watch: BuildWatch, *, forget: Forget) -> None:
        """Make it anew from the messages, with all that keeps it in step.

        SQLite: one transaction. PostgreSQL: beside the old one, writers go on; behind a pooler
        without a direct URL they wait. A killed one leaves nothing that the next does not clear.
        """
