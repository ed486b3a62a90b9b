"""What differs between the databases; a contract test runs each method on both."""

from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, ClassVar
from uuid import UUID

import sqlalchemy as sa

from chatdb.db.contract.migration import MigrationWays
from chatdb.db.url import DatabaseUrl, DialectName
from chatdb.errors import ChatdbError

if TYPE_CHECKING:
    from chatdb.db.contract.bulk import Bulk
    from chatdb.db.contract.message_text import Chunk, Records, Rows, Selection
    from chatdb.db.contract.search import MessageSearch
    from chatdb.db.contract.search_index import SearchIndex
    from chatdb.db.contract.statistics import Statistics
    from chatdb.db.contract.vectors import VectorStore


class Dialect(ABC):
    """One database system's implementation of common methods."""

    name: ClassVar[DialectName]
    driver_error: ClassVar[type[Exception]]

    @abstractmethod
    def create_engine(
        self,
        url: DatabaseUrl,
        *,
        create: bool = False,
        foreign_keys: bool = True,
        keep: bool = False,
    ) -> sa.Engine:
        """Return an engine; `keep` keeps its connection open between transactions.

        `create` lets SQLite create the file, `foreign_keys=False` leaves its foreign keys
        unchecked.
        """

    @abstractmethod
    def begin(
        self, connection: sa.Connection, *, write: bool, snapshot: bool, settings: dict[str, str]
    ) -> None:
        """Begin a transaction; `settings` apply within it (PostgreSQL only).

        `write` takes SQLite's write lock at once; without it PostgreSQL's transaction is read-only;
        `snapshot` makes every statement see the same state.
        """

    @abstractmethod
    def translate(self, error: BaseException, url: DatabaseUrl) -> ChatdbError | None:
        """Return an error that a user can act on for a driver's error, None for a bug of ours."""

    @abstractmethod
    def server_version(self, connection: sa.Connection) -> str:
        """Return the version as text: 18.6, 3.40.1."""

    @abstractmethod
    def is_bound(self, connection: sa.Connection) -> bool:
        """Tell whether row-level security limits us to one organization; never on SQLite."""

    @abstractmethod
    def is_bound_to_user(self, connection: sa.Connection) -> bool:
        """Tell whether row-level security shows us only what belongs to one user."""

    @abstractmethod
    def existing_tables(self, connection: sa.Connection) -> Sequence[str]:
        """Return the names of tables and views in chatdb's schema, sorted."""

    @abstractmethod
    def read_messages(
        self, connection: sa.Connection, organization_id: UUID, selection: "Selection"
    ) -> "Generator[Chunk, None, None]":
        """Yield the messages of selected conversations as JSON, by conversation and position."""

    @abstractmethod
    def read_records(
        self, connection: sa.Connection, organization_id: UUID, selection: "Selection"
    ) -> "Generator[Records, None, None]":
        """Yield what `read_messages` does as records."""

    @abstractmethod
    def read_rows(
        self, connection: sa.Connection, organization_id: UUID, selection: "Selection"
    ) -> "Generator[Rows, None, None]":
        """Yield what `read_messages` does as rows of text."""

    @abstractmethod
    def bulk(self) -> "Bulk":
        """Return the fast ways to load many rows, imported only when used."""

    @abstractmethod
    def migration_ways(self) -> MigrationWays:
        """Return the methods for migrations, plans and catalogues; loaded only when requested."""

    @abstractmethod
    def search(self) -> "MessageSearch":
        """Return the full-text search, imported only when used."""

    @abstractmethod
    def statistics(self) -> "Statistics":
        """Return the statistics of all messages, imported only when used."""

    @abstractmethod
    def search_index(self) -> "SearchIndex":
        """Return the full-text index's checks and rebuilding, imported when used."""

    @abstractmethod
    def vectors(self) -> "VectorStore":
        """Return what keeps and reads vectors of messages, imported only when used."""
