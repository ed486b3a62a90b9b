"""What differs between the databases when the schema is migrated, planned or described."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import sqlalchemy as sa

from chatdb.db.lock_holders import LockHolder
from chatdb.db.migrating.scripts import Script
from chatdb.db.url import DatabaseUrl

Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Witness:
    """What a revision must not lose: triggers by name with their table, valid references.

    `searched` are the full-text tables updated by triggers, `readable` the views that can be read,
    `referred` the tables with the parents that their foreign keys refer to.
    """

    triggers: Mapping[str, str]
    broken_references: Mapping[tuple[str, str], int]
    searched: frozenset[str]
    readable: frozenset[str] = frozenset()
    referred: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class TableSize:
    """Rows (PostgreSQL: its estimate, None if there is none) and bytes including indexes."""

    rows: int | None
    bytes: int | None


@dataclass(frozen=True, slots=True)
class StatementLock:
    """The strongest lock a statement takes on tables that others use, and those tables."""

    lock: str
    tables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LockFacts:
    """Facts that a statement does not contain: an index's table, a table's parents."""

    table_of_index: Mapping[str, str] = field(default_factory=dict)
    parents: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """One object of the database's catalogue, its definition in a normal form.

    `kind` is table, column, constraint, index, trigger, view, policy or function; `table` is empty
    for objects that belong to none.
    """

    kind: str
    table: str
    name: str
    definition: str


class MigrationWays(ABC):
    """How to migrate one database system safely."""

    has_schemas: ClassVar[bool]

    @abstractmethod
    def settings(self, lock_timeout: float) -> dict[str, str]:
        """Return the settings of a migration's transaction; `lock_timeout` is in seconds."""

    @abstractmethod
    def wait_for_turn(self, url: DatabaseUrl, *, seconds: float, note: Note) -> None:
        """Wait before the transaction, if its BEGIN is the lock; raises DatabaseLockedError."""

    @abstractmethod
    def take_lock(self, connection: sa.Connection, *, seconds: float, note: Note) -> None:
        """Keep other migrations out until the transaction ends.

        After `seconds` raises DatabaseLockedError that names the holder.
        """

    @abstractmethod
    def require_place(
        self, connection: sa.Connection, url: DatabaseUrl, schema: str | None, *, writes: bool
    ) -> None:
        """Return where the tables are or would be created; changes nothing.

        Raises RefusedError for a database of another encoding, or with chatdb's tables in a schema
        other than the default, DatabaseFailedError for a missing privilege.
        """

    @abstractmethod
    def make_schema(self, connection: sa.Connection, schema: str | None) -> None:
        """Create the schema if it is missing."""

    @abstractmethod
    def is_pooled(self, connection: sa.Connection) -> bool:
        """Tell whether there is a pooler between us and the server."""

    @abstractmethod
    def lock_holders(self, connection: sa.Connection) -> Sequence[LockHolder]:
        """Return who holds locks on chatdb's tables; none if that is unknown."""

    @abstractmethod
    def witness(self, connection: sa.Connection) -> Witness:
        """Record before a revision what must still exist after it."""

    @abstractmethod
    def verify(self, connection: sa.Connection, before: Witness, statements: Sequence[str]) -> None:
        """Check after a revision, which ran `statements`, that nothing was lost silently.

        Raises DatabaseFailedError.
        """

    @abstractmethod
    def keep_copy(self, url: DatabaseUrl, *, revision: str, note: Note) -> Path | None:
        """Copy the database file beside itself while its write lock is held; None on a server.

        Raises StorageError.
        """

    @abstractmethod
    def table_columns(self, connection: sa.Connection) -> Mapping[str, Mapping[str, str]]:
        """Return every table and view of the schema with its columns and their types."""

    @abstractmethod
    def stored_columns(self, connection: sa.Connection) -> Mapping[str, Sequence[str]]:
        """Return every table of the schema that has rows of its own, with its column names.

        Views, what an extension or a virtual table keeps, and partitions are not among them.
        """

    @abstractmethod
    def sizes(self, connection: sa.Connection, tables: Sequence[str]) -> Mapping[str, TableSize]:
        """Return the sizes of those of the tables that exist."""

    @abstractmethod
    def lock_facts(self, connection: sa.Connection) -> LockFacts:
        """Read the facts about the live tables that `lock_of` needs."""

    @abstractmethod
    def lock_of(self, statement: str, facts: LockFacts) -> StatementLock:
        """Return which lock the statement takes, and on which tables; triggers do not count."""

    @abstractmethod
    def script_statements(
        self, script: Script, *, down: bool, directory: Path | None
    ) -> Sequence[str]:
        """Return what the script would execute, without touching the database."""

    @abstractmethod
    def catalogue(self, connection: sa.Connection) -> Sequence[CatalogueEntry]:
        """Describe the tables of chatdb's names and everything that depends on them, sorted."""

    @abstractmethod
    def left_out(self, connection: sa.Connection) -> frozenset[str]:
        """Return the names of objects that the migrations do not create on this server."""

    @abstractmethod
    def dump(self, connection: sa.Connection) -> Sequence[str]:
        """Return the statements that create the schema in an empty database, in order."""
