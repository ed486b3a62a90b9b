"""The short list of what differs between the databases; a contract test runs each on both."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import sqlalchemy as sa

from chatdb.db.url import DatabaseUrl, DialectName
from chatdb.errors import ChatdbError

if TYPE_CHECKING:
    from chatdb.db.dialects.bulk import Bulk


class Dialect(ABC):
    """One database system's ways, behind the same questions."""

    name: ClassVar[DialectName]
    driver_error: ClassVar[type[Exception]]

    @abstractmethod
    def create_engine(self, url: DatabaseUrl, *, create: bool, migrating: bool) -> sa.Engine:
        """Return an engine without a pool; `migrating` leaves SQLite's foreign keys off."""

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
    def existing_tables(self, connection: sa.Connection) -> Sequence[str]:
        """Return the names of tables and views in chatdb's schema, sorted."""

    @abstractmethod
    def bulk(self) -> "Bulk":
        """Return the fast ways to load many rows, imported only when they are used."""
