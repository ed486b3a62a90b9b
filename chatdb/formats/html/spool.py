"""Pages wait in a temporary file until the order of all is known: so memory stays flat."""

import sqlite3
from collections.abc import Iterator, Sequence
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


_TABLE = """
create table pages (number integer primary key, folder text, time text, id text, page blob)
"""


class Spool:
    """Pages by number, and their order: by the folder they belong into, then by time.

    Raises StorageError for a full disk.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._pack = zstandard.ZstdCompressor(level=1)
        self._unpack = zstandard.ZstdDecompressor()
        for statement in (
            "pragma journal_mode = off",
            "pragma synchronous = off",
            "pragma temp_store = file",
            _TABLE,
            "begin",
        ):
            self._run(statement)

    def add(self, page: Page, folder: str, time: str, identifier: str) -> None:
        """Keep a page."""
        packed = self._pack.compress(msgspec.msgpack.encode(page))
        self._run(
            "insert into pages (folder, time, id, page) values (?, ?, ?, ?)",
            (folder, time, identifier, packed),
        )

    def counts(self) -> dict[str, int]:
        """Return how many pages each folder has."""
        return dict(self._run("select folder, count(*) from pages group by folder").fetchall())

    def ordered(self) -> Iterator[Page]:
        """Yield all pages, those of a folder one after another, the oldest first."""
        # The pages themselves are not sorted with their numbers.
        self._run("create index by_time on pages (folder, time, id)")
        for (number,) in self._run("select number from pages order by folder, time, id"):
            row = self._run("select page from pages where number = ?", (number,)).fetchone()
            yield msgspec.msgpack.decode(self._unpack.decompress(row[0]), type=Page)

    def _run(self, statement: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        try:
            return self._connection.execute(statement, values)
        except sqlite3.OperationalError as error:
            raise StorageError(
                f"pages cannot wait in a temporary file: {error}",
                hint="free some space in /var/tmp, or choose another place: TMPDIR",
            ) from error


@contextmanager
def open_spool() -> Iterator[Spool]:
    """Open an empty spool, of which nothing is left however this ends."""
    # A database without a name is a file that SQLite has already removed, in TMPDIR or /var/tmp.
    with closing(sqlite3.connect("", isolation_level=None)) as connection:
        yield Spool(connection)
