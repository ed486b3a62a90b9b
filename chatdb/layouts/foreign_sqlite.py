"""Another system's SQLite file: read without creating a file beside it."""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from chatdb.db.connect import SQLITE_BUSY_SECONDS, missing_file
from chatdb.db.migrating.revision import translated
from chatdb.db.migrating.scripts import VERSION_TABLE
from chatdb.db.url import DatabaseUrl
from chatdb.errors import DatabaseFailedError
from chatdb.layouts.foreign import ForeignDatabase, OnRows, Row, quoted
from chatdb.layouts.tables import Catalogue, Table

MAGIC = b"SQLite format 3\0"

_VERSIONS = slice(18, 20)
"""Bytes of the header that tell whether the file is used with a write-ahead log."""
_WITH_LOG = b"\2\2"

_HIDDEN = 1
"""What `table_xinfo` says of the columns of a virtual table that hold no data."""

Way = Literal["live", "immutable", "copy"]


class ForeignSqlite(ForeignDatabase):
    """One state of a SQLite file."""

    def __init__(
        self, connection: sqlite3.Connection, url: DatabaseUrl, on_rows: OnRows | None
    ) -> None:
        super().__init__(url, on_rows)
        self._connection = connection
        self._catalogue = {table.name: table for table in _tables(connection)}

    def catalogues(self) -> Mapping[str, Catalogue]:
        return {} if self.chatdb_schemas else {"": self._catalogue}

    @property
    def chatdb_schemas(self) -> tuple[str, ...]:
        return ("",) if VERSION_TABLE in self._catalogue else ()

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> Iterator[Row]:
        return self._counted(self._stream(statement, parameters))

    def expression(self, table: Table, column: str, *, of: str = "") -> str:
        del table
        return f"{of}.{quoted(column)}" if of else quoted(column)

    def as_bytes(self, value: str) -> bytes:
        return value.encode("utf-8", "surrogateescape")

    def _stream(self, statement: str, parameters: Sequence[Any]) -> Iterator[Row]:
        with translated(self.url):
            cursor = self._connection.execute(statement, parameters)
            names = [column[0] for column in cursor.description]
            for row in cursor:
                yield {
                    # SQLite returns a BLOB where one was written, even in a column of text.
                    name: value if type(value) is not bytes else _text(value)
                    for name, value in zip(names, row, strict=True)
                }


@contextmanager
def open_sqlite(url: DatabaseUrl, on_rows: OnRows | None) -> Iterator[ForeignDatabase]:
    """Open one state of a file; see `chatdb.layouts.opening.open_foreign`.

    A file that another program has open with a write-ahead log is read normally. One that no
    program has open is read directly, without a lock that would leave files behind; one whose last
    writer was killed is copied first, with its log, because only a writer can apply the log.
    """
    path = url.sqlite_path
    if not path.exists():
        raise missing_file(url, hint="check the path")
    with translated(url), tempfile.TemporaryDirectory(prefix="chatdb-") as folder:
        way = _way(path)
        opened = _copied(path, Path(folder)) if way == "copy" else path
        before = _state(path)
        suffix = {"live": "?mode=ro", "immutable": "?mode=ro&immutable=1", "copy": ""}[way]
        uri = f"file:{quote(str(opened.absolute()))}{suffix}"
        with closing(_connected(uri)) as connection:
            # All tables in one state, whatever the application writes meanwhile.
            connection.execute("BEGIN")
            yield ForeignSqlite(connection, url, on_rows)
        # Read without a lock: a writer that came in between may have mixed two states.
        if way != "live" and _state(path) != before:
            raise DatabaseFailedError(
                f"{path} was changed while it was read",
                hint="run the command again: what has been imported is recognised",
            )


def is_sqlite(path: Path) -> bool:
    """Tell whether a file begins as every SQLite database does."""
    try:
        with path.open("rb") as stream:
            return stream.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def _way(path: Path) -> Way:
    """Choose how to read the file so that no file appears beside it."""
    with path.open("rb") as stream:
        header = stream.read(100)
    log, shared = path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")
    if header[_VERSIONS] == _WITH_LOG:
        if not log.exists() or not log.stat().st_size:
            return "live" if shared.exists() and log.exists() else "immutable"
        return "live" if shared.exists() else "copy"
    return "copy" if path.with_name(path.name + "-journal").exists() else "live"


def _copied(path: Path, folder: Path) -> Path:
    for suffix in ("", "-wal", "-journal"):
        beside = path.with_name(path.name + suffix)
        if beside.exists():
            shutil.copyfile(beside, folder / beside.name)
    return folder / path.name


def _connected(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        uri, uri=True, timeout=SQLITE_BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    connection.text_factory = _text
    return connection


def _text(data: bytes) -> str:
    """Read text; bytes that are not UTF-8 become lone surrogates, for `clean_text`."""
    return data.decode("utf-8", "surrogateescape")


def _tables(connection: sqlite3.Connection) -> Iterator[Table]:
    query = (
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
        " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
    )
    for (name,) in connection.execute(query).fetchall():
        try:
            found = connection.execute(f"PRAGMA table_xinfo({quoted(name)})").fetchall()
        except sqlite3.OperationalError:  # A view of a missing table, or an unknown module.
            continue
        shown = [row for row in found if row[6] != _HIDDEN]
        # A primary key of one column may be the rowid, which SQLite fills.
        required = frozenset(row[1] for row in shown if row[3] and row[4] is None and not row[5])
        if shown:
            columns = {row[1]: row[2] for row in shown}
            address = _row_address(connection, name)
            yield Table("", name, columns, address, required=required)


def _row_address(connection: sqlite3.Connection, name: str) -> str:
    try:
        connection.execute(f"SELECT rowid FROM {quoted(name)} LIMIT 0")
    except sqlite3.OperationalError:  # a view, or a table WITHOUT ROWID
        return ""
    return "rowid"


def _state(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns
