"""The short list of what differs between the databases; a contract test runs each on both."""

from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, ClassVar
from uuid import UUID

import sqlalchemy as sa

from chatdb.db.dialects.migration_base import MigrationWays
from chatdb.db.url import DatabaseUrl, DialectName
from chatdb.errors import ChatdbError

if TYPE_CHECKING:
    from chatdb.db.dialects.bulk import Bulk
    from chatdb.db.dialects.message_text import Chunk, Selection
    from chatdb.db.dialects.search import MessageSearch
    from chatdb.db.dialects.search_index import SearchIndex
    from chatdb.db.dialects.statistics import Statistics


class Dialect(ABC):
    """One database system's ways, behind the same questions."""

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
        """Return an engine; `keep` holds its connection open from one transaction to the next.

        `create` lets SQLite make the file, `foreign_keys=False` leaves its foreign keys unchecked.
        """

    @abstractmethod
    def begin(
        self, connection: sa.Connection, *, write: bool, snapshot: bool, settings: dict[str, str]
    ) -> None:
        """Begin a transaction; `settings` live and end with it (PostgreSQL only).

        `write` takes SQLite's write lock at once, its absence makes PostgreSQL's transaction
        read-only; `snapshot` makes every statement see the same state.
        """

    @abstractmethod
    def translate(self, error: BaseException, url: DatabaseUrl) -> ChatdbError | None:
        """Return what a user can act on for a driver's error, None for a bug of ours."""

    @abstractmethod
    def server_version(self, connection: sa.Connection) -> str:
        """Return the version as people write it: 18.6, 3.40.1."""

    @abstractmethod
    def is_bound(self, connection: sa.Connection) -> bool:
        """Tell whether row-level security shows us one organization only; never on SQLite."""

    @abstractmethod
    def existing_tables(self, connection: sa.Connection) -> Sequence[str]:
        """Return the names of tables and views in chatdb's schema, sorted."""

    @abstractmethod
    def read_messages(
        self, connection: sa.Connection, organization_id: UUID, selection: "Selection"
    ) -> "Generator[Chunk, None, None]":
        """Yield the messages of selected conversations as JSON, by conversation and position."""

    @abstractmethod
    def bulk(self) -> "Bulk":
        """Return the fast ways to load many rows, imported only when they are used."""

    @abstractmethod
    def migration_ways(self) -> MigrationWays:
        """Return what migrations, plans and catalogues need; loaded only when asked for."""

    @abstractmethod
    def search(self) -> "MessageSearch":
        """Return the full-text search, imported only when it is used."""

    @abstractmethod
    def statistics(self) -> "Statistics":
        """Return how all messages are counted, imported only when it is used."""

    @abstractmethod
    def search_index(self) -> "SearchIndex":
        """Return how the full-text index is looked at and made anew, imported when it is used."""
