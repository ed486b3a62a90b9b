"""Pages wait in a temporary file until the order of all is known: so memory stays flat."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import msgspec
import zstandard

from chatdb.errors import StorageError


class Entry(msgspec.Struct, array_like=True):
    """What an index tells of a conversation: `day` is empty if unknown, `path` from the folder.

    `beginning` is what it begins with, `models` and `marks` are names.
    """

    title: str
    path: str
    day: str
    messages: int
    models: list[str]
    source: str
    organization: str
    kind: str
    marks: list[str]
    beginning: str


class Page(msgspec.Struct):
    """A page before its links to others are known, and the words by which it is found."""

    entry: Entry
    article: str
    words: list[str]
    all_messages: int


class Spool:
    """Pages by number, and their order: by the folder they belong into, then by time."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._pack = zstandard.ZstdCompressor(level=1)
        self._unpack = zstandard.ZstdDecompressor()
        connection.executescript(
            "pragma journal_mode = off; pragma synchronous = off; pragma temp_store = file;"
            "create table pages"
            "(number integer primary key, folder text, time text, id text, page blob); begin"
        )

    def add(self, page: Page, folder: str, time: str, identifier: str) -> None:
        """Keep a page."""
        packed = self._pack.compress(msgspec.msgpack.encode(page))
        self._connection.execute(
            "insert into pages (folder, time, id, page) values (?, ?, ?, ?)",
            (folder, time, identifier, packed),
        )

    def counts(self) -> dict[str, int]:
        """Return how many pages each folder has."""
        found = self._connection.execute("select folder, count(*) from pages group by folder")
        return dict(found.fetchall())

    def ordered(self) -> Iterator[Page]:
        """Yield all pages, those of a folder one after another, the oldest first."""
        # The pages themselves are not sorted with their numbers.
        self._connection.execute("create index by_time on pages (folder, time, id)")
        numbers = self._connection.execute("select number from pages order by folder, time, id")
        for (number,) in numbers:
            row = self._connection.execute("select page from pages where number = ?", (number,))
            yield msgspec.msgpack.decode(self._unpack.decompress(row.fetchone()[0]), type=Page)


@contextmanager
def open_spool() -> Iterator[Spool]:
    """Open an empty spool, of which nothing is left however this ends; raises StorageError."""
    # A database without a name is a file that SQLite has already removed, in TMPDIR or /var/tmp.
    try:
        with closing(sqlite3.connect("", isolation_level=None)) as connection:
            yield Spool(connection)
    except sqlite3.OperationalError as error:
        raise StorageError(
            f"pages cannot wait in a temporary file: {error}",
            hint="free some space in /var/tmp, or choose another place: TMPDIR",
        ) from error
