"""Where rows of another system go: an SQL file, or its live database, all or nothing."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import IO, TYPE_CHECKING, Any

import chatdb
from chatdb.db.connect import connect_postgresql, connect_sqlite
from chatdb.db.migrating.revision import translated
from chatdb.db.url import DatabaseUrl
from chatdb.errors import DatabaseFailedError, RefusedError
from chatdb.layouts.base import Layout
from chatdb.layouts.foreign import quoted
from chatdb.layouts.opening import open_foreign
from chatdb.layouts.tables import Catalogue
from chatdb.layouts.writing import LayoutWriter, Value, WrittenRow

if TYPE_CHECKING:
    import sqlite3

    import psycopg

CONVERSATIONS_AT_ONCE = 500
_ROWS_OF_A_STATEMENT = 100
_UPDATE_TRIGGERS = """
SELECT tgname, tgenabled::text FROM pg_trigger
WHERE tgrelid = to_regclass(%s) AND NOT tgisinternal AND tgenabled <> 'D' AND tgtype & 16 <> 0
"""


@dataclass(slots=True)
class RowsWritten:
    """How many rows a table got, and how many existed already and were unchanged."""

    written: int = 0
    there: int = 0


@dataclass(slots=True)
class _Insert:
    """Rows of one table with the same columns."""

    table: str
    columns: tuple[str, ...]
    rows: list[tuple[Value, ...]] = field(default_factory=list)


class Target(ABC):
    """Receives rows; `written` counts them by table."""

    catalogue: Catalogue | None = None

    def __init__(self) -> None:
        self.written: dict[str, RowsWritten] = {}

    def find(self, table: str, **values: str) -> str | None:
        """Return the id of the row with these values; None if nothing can be looked up."""
        del table, values
        return None

    @abstractmethod
    def begin(self, statements: Iterable[str]) -> None:
        """Create the tables, unless they exist."""

    @abstractmethod
    def insert(self, insert: _Insert) -> None:
        """Add rows; existing rows with the same id stay, or are overwritten."""

    def prepare(self, updates: Iterable[WrittenRow]) -> None:
        """Receive the updates of a batch before anything of it is written."""
        del updates

    def update_all(self, table: str, rows: Iterable[WrittenRow]) -> None:
        """Set values that triggers may have changed since it was inserted."""
        del table
        for row in rows:
            self.update(row)

    @abstractmethod
    def update(self, row: WrittenRow) -> None:
        """Set columns of the row with this id."""

    @abstractmethod
    def end(self, statements: Iterable[str]) -> None:
        """Run the statements after the last row."""

    def write(self, writer: LayoutWriter, rows: Iterable[WrittenRow]) -> None:
        """Write a batch of rows, tables that others refer to first."""
        found = list(rows)
        place = {name: number for number, name in enumerate(writer.names)}
        self.prepare([row for row in found if row.mode == "update"])
        inserts = [row for row in found if row.mode == "insert"]

        def key(row: WrittenRow) -> tuple[int, tuple[str, ...]]:
            return place[row.table], tuple(row.values)

        # Rows with the same columns share a statement; parents come first, for foreign keys.
        for (number, columns), same in groupby(sorted(inserts, key=key), key=key):
            values = [tuple(row.values.values()) for row in same]
            self.insert(_Insert(writer.names[number], columns, values))
        for name in writer.names:
            updates = [row for row in found if row.mode == "update" and row.table == name]
            if updates:
                self.update_all(name, updates)

    def _count(self, table: str, rows: int, written: int) -> None:
        counts = self.written.setdefault(table, RowsWritten())
        counts.written += written
        counts.there += rows - written


class SqlFile(Target):
    """A file of plain SQL in one transaction."""

    def __init__(self, stream: IO[bytes], title: str, *, force: bool) -> None:
        super().__init__()
        self._stream = stream
        self._force = force
        self._title = title

    def begin(self, statements: Iterable[str]) -> None:
        self._line(f"-- Conversations for {self._title}, written by chatdb {chatdb.__version__}.")
        self._line(
            "-- PostgreSQL: psql -v ON_ERROR_STOP=1 -f FILE; SQLite: sqlite3 DATABASE < FILE"
        )
        # psql goes on after an error: in one transaction nothing of a broken file stays.
        self._line("BEGIN;")
        for statement in statements:
            self._line(statement.replace("CREATE TABLE ", "CREATE TABLE IF NOT EXISTS ") + ";")

    def insert(self, insert: _Insert) -> None:
        into = f"INSERT INTO {quoted(insert.table)} ({_names(insert.columns)}) VALUES"
        end = _on_conflict(insert.columns, force=self._force)
        for start in range(0, len(insert.rows), _ROWS_OF_A_STATEMENT):
            part = insert.rows[start : start + _ROWS_OF_A_STATEMENT]
            rows = ",\n".join("(" + ", ".join(map(_literal, row)) + ")" for row in part)
            self._line(f"{into}\n{rows}{end};")
        self._count(insert.table, len(insert.rows), len(insert.rows))

    def update(self, row: WrittenRow) -> None:
        changes = ", ".join(
            f"{quoted(name)} = {_literal(value)}"
            for name, value in row.values.items()
            if name != "id"
        )
        where = f"{quoted('id')} = {_literal(row.values['id'])}"
        self._line(f"UPDATE {quoted(row.table)} SET {changes} WHERE {where};")

    def end(self, statements: Iterable[str]) -> None:
        for statement in statements:
            self._line(statement + ";")
        self._line("COMMIT;")

    def _line(self, text: str) -> None:
        self._stream.write(text.encode() + b"\n")


class LiveTarget(Target):
    """A live database, written in one transaction of the caller's."""

    def __init__(
        self,
        connection: "psycopg.Connection[Any] | sqlite3.Connection",
        catalogue: Catalogue | None,
        *,
        mark: str,
        force: bool,
    ) -> None:
        super().__init__()
        self.catalogue = catalogue
        self._connection: Any = connection
        self._mark = mark
        self._force = force
        self._kept: dict[str, list[Any]] = {}

    def begin(self, statements: Iterable[str]) -> None:
        if self.catalogue is None:
            for statement in statements:
                self._connection.execute(statement)

    def find(self, table: str, **values: str) -> str | None:
        if self.catalogue is None or table not in self.catalogue:
            return None
        where = " AND ".join(f"{quoted(name)} = {self._mark}" for name in values)
        statement = f"SELECT id FROM {quoted(table)} WHERE {where}"
        row = self._connection.execute(statement, [*values.values()]).fetchone()
        return None if row is None else str(row[0])

    def prepare(self, updates: Iterable[WrittenRow]) -> None:
        if self.catalogue is not None and not self._force:
            for row in updates:
                self._keep(row)

    def insert(self, insert: _Insert) -> None:
        values = ", ".join([self._mark] * len(insert.columns))
        statement = (
            f"INSERT INTO {quoted(insert.table)} ({_names(insert.columns)}) VALUES ({values})"
            + _on_conflict(insert.columns, force=self._force)
        )
        with closing(self._connection.cursor()) as cursor:
            cursor.executemany(statement, insert.rows)
            self._count(insert.table, len(insert.rows), max(cursor.rowcount, 0))

    def update(self, row: WrittenRow) -> None:
        names = [name for name in row.values if name != "id"]
        changes = ", ".join(f"{quoted(name)} = {self._mark}" for name in names)
        statement = f"UPDATE {quoted(row.table)} SET {changes} WHERE {quoted('id')} = {self._mark}"
        values = self._kept.pop(str(row.values["id"]), [row.values[name] for name in names])
        self._connection.execute(statement, [*values, row.values["id"]])

    def update_all(self, table: str, rows: Iterable[WrittenRow]) -> None:
        if self.catalogue is None:  # Tables just created have no triggers.
            return
        with self._without_triggers(table):
            super().update_all(table, rows)

    @contextmanager
    def _without_triggers(self, table: str) -> Iterator[None]:
        """Suppress a table's triggers for an update, if that is allowed."""
        del table
        yield

    def _keep(self, row: WrittenRow) -> None:
        """Remember values that an update must not change: of an existing row."""
        names = ", ".join(quoted(name) for name in row.values if name != "id")
        statement = f"SELECT {names} FROM {quoted(row.table)} WHERE {quoted('id')} = {self._mark}"
        found = self._connection.execute(statement, [row.values["id"]]).fetchone()
        if found is not None:
            self._kept[str(row.values["id"])] = [*found]

    def end(self, statements: Iterable[str]) -> None:
        for statement in statements:
            self._connection.execute(statement)


class PostgresqlTarget(LiveTarget):
    """A live PostgreSQL database."""

    @contextmanager
    def _without_triggers(self, table: str) -> Iterator[None]:
        import psycopg

        name = quoted(table)
        found = self._connection.execute(_UPDATE_TRIGGERS, [name]).fetchall()
        try:
            # A savepoint: a refused ALTER must not end the transaction of the whole export.
            with self._connection.transaction():
                for trigger, _ in found:
                    statement = f"ALTER TABLE {name} DISABLE TRIGGER {quoted(trigger)}"
                    self._connection.execute(statement.encode())
        except psycopg.Error:  # Not its owner: then the triggers do their work.
            found = []
        yield
        for trigger, state in found:
            # A plain ENABLE would change when the trigger fires from then on.
            mode = {"R": "REPLICA ", "A": "ALWAYS "}.get(state, "")
            statement = f"ALTER TABLE {name} ENABLE {mode}TRIGGER {quoted(trigger)}"
            self._connection.execute(statement.encode())


@contextmanager
def open_target(url: DatabaseUrl, layout: Layout, *, force: bool) -> Iterator[LiveTarget]:
    """Open a live database to write to: everything is written if the context ends well, else
    nothing.

    Raises RefusedError for tables of the layout's names that are another system's, and the errors
    of `chatdb.errors`.
    """
    catalogue, schema = _look(url, layout)
    with _refusals(url), translated(url):
        if url.path is not None:
            is_new = not url.path.exists()
            try:
                with closing(connect_sqlite(url, create=True)) as file:
                    file.execute("BEGIN IMMEDIATE")
                    yield LiveTarget(file, catalogue, mark="?", force=force)
                    file.commit()
            except BaseException:
                if is_new:
                    url.path.unlink(missing_ok=True)
                raise
            return
        with connect_postgresql(url) as connection:
            path = {"search_path": schema} if schema else {}
            connection.begin(write=True, snapshot=False, settings=path)
            yield PostgresqlTarget(connection, catalogue, mark="%s", force=force)


@contextmanager
def _refusals(url: DatabaseUrl) -> Iterator[None]:
    """Turn a violation of the other system's own constraints into a user error."""
    from chatdb.db.database import dialect_of

    try:
        yield
    except dialect_of(url).driver_error as error:
        diagnosis = getattr(error, "diag", None)
        text = getattr(diagnosis, "message_primary", None) or str(error)
        raise DatabaseFailedError(
            f"{url.redacted()} refused it; nothing was written: {text}",
            hint="check its tables' constraints and triggers",
        ) from error


def _look(url: DatabaseUrl, layout: Layout) -> tuple[Catalogue | None, str]:
    """Return the tables to write to and their schema; None if they are to be created."""
    if url.path is not None and not url.path.exists():
        return None, ""
    with open_foreign(url) as foreign:
        catalogues = foreign.catalogues()
        for schema, catalogue in catalogues.items():
            if layout.system.recognises(catalogue):
                return catalogue, schema
        if foreign.chatdb_schemas:
            raise RefusedError(
                f"{foreign.name} has chatdb's own tables; nothing was written",
                hint="give a database of the other system, or a file: --output chats.sql",
            )
        taken = {name for catalogue in catalogues.values() for name in catalogue}
        # Other tables do not matter: an application has many beside those of its chats.
        taken &= {"conversations", "messages", "chats", "chat_threads", "organizations"}
        if taken:
            names = ", ".join(sorted(taken))
            raise RefusedError(
                f"{foreign.name} has tables that are not {layout.system.title}: {names};"
                " nothing was written",
                hint="give an empty database, or a file: --output chats.sql",
            )
        return None, ""


def _names(columns: Sequence[str]) -> str:
    return ", ".join(map(quoted, columns))


def _on_conflict(columns: Sequence[str], *, force: bool) -> str:
    if "id" not in columns:
        return ""
    others = [quoted(name) for name in columns if name != "id"]
    if not force or not others:
        return " ON CONFLICT DO NOTHING"
    changes = ", ".join(f"{name} = excluded.{name}" for name in others)
    return f" ON CONFLICT (id) DO UPDATE SET {changes}"


def _literal(value: Value) -> str:
    if value is None:
        return "NULL"
    # Before int: a bool is one in Python.
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        # repr gives the shortest text that reads back as the same number.
        return repr(value)
    return "'" + value.replace("'", "''") + "'"
