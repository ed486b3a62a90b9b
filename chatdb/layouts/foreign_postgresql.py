"""Another system's PostgreSQL database: one read-only snapshot, server-side cursors."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from chatdb.db.connect import connect_postgresql
from chatdb.db.migrating.revision import translated
from chatdb.db.migrating.scripts import VERSION_TABLE
from chatdb.db.url import DatabaseUrl
from chatdb.errors import DatabaseFailedError, DatabaseLockedError, DatabaseUnreachableError
from chatdb.layouts.foreign import ForeignDatabase, OnRows, Row, quoted
from chatdb.layouts.tables import Catalogue, Table

if TYPE_CHECKING:
    import psycopg
    from psycopg.abc import Buffer

_ROWS_AT_ONCE = 100
"""Rows of one round trip: no faster with more, and one row may hold a message of 50 MB."""

_PLAIN = (
    *("text", "character varying", "character(", '"char"', "name"),
    *("integer", "bigint", "smallint", "boolean", "real", "double precision"),
)
"""Types that are read unchanged; every other is requested as text."""

_OF_CHATDBS_OWN = ("createdb", "chatdb config show")
"""Part of hints that only make sense for chatdb's own database."""

_SETTINGS = {"row_security": "off", "bytea_output": "hex"}
"""An error rather than hidden rows; bytes as `as_bytes` reads them."""

_COLUMNS = """
SELECT n.nspname, c.relname, c.relkind = 'r', a.attname, format_type(a.atttypid, a.atttypmod),
       has_column_privilege(c.oid, a.attnum, 'SELECT'),
       a.attnotnull AND NOT a.atthasdef AND a.attidentity = ''
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  AND has_schema_privilege(n.oid, 'USAGE')
ORDER BY n.nspname, c.relname, a.attnum
"""


class ForeignPostgresql(ForeignDatabase):
    """A snapshot of a PostgreSQL database."""

    def __init__(
        self, connection: "psycopg.Connection[Any]", url: DatabaseUrl, on_rows: OnRows | None
    ) -> None:
        super().__init__(url, on_rows)
        self._connection = connection
        self._catalogues: dict[str, dict[str, Table]] = {}
        self._chatdb_schemas: tuple[str, ...] = ()
        self._look()

    def catalogues(self) -> Mapping[str, Catalogue]:
        return self._catalogues

    @property
    def chatdb_schemas(self) -> tuple[str, ...]:
        return self._chatdb_schemas

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> Iterator[Row]:
        return self._counted(self._stream(statement, parameters))

    def expression(self, table: Table, column: str, *, of: str = "") -> str:
        name = f"{of}.{quoted(column)}" if of else quoted(column)
        kind = table.columns[column]
        if kind.endswith("[]"):
            # An array's own text quotes by rules that no JSON reader knows.
            return f"to_json({name})::text"
        return name if kind.startswith(_PLAIN) else f"{name}::text"

    def as_bytes(self, value: str) -> bytes:
        return bytes.fromhex(value.removeprefix("\\x"))

    def _stream(self, statement: str, parameters: Sequence[Any]) -> Iterator[Row]:
        from psycopg.rows import dict_row

        # Without values psycopg leaves a `%` in a column's name alone.
        query = _with_values(statement) if parameters else statement
        with (
            _explained(self.url),
            # Several are open at a time, and a name may exist once in a session.
            self._connection.cursor(f"chatdb_{uuid4().hex[:8]}", row_factory=dict_row) as cursor,
        ):
            cursor.itersize = _ROWS_AT_ONCE
            cursor.execute(query.encode(), parameters or None)
            yield from cursor

    def _look(self) -> None:
        rows = self._connection.execute(_COLUMNS).fetchall()
        for (schema, name, is_plain), found in groupby(rows, key=itemgetter(0, 1, 2)):
            rows_of_table = [*found]
            columns = {column: (kind, is_open) for *_, column, kind, is_open, _ in rows_of_table}
            required = frozenset(
                column for *_, column, _, _, is_required in rows_of_table if is_required
            )
            closed = tuple(column for column, (_, is_open) in columns.items() if not is_open)
            shown = {
                column: kind
                for column, (kind, is_open) in columns.items()
                if is_open or len(closed) == len(columns)
            }
            # A view has no ctid, and reading it needs the right to the whole table.
            address = "ctid" if is_plain and not closed else ""
            self._catalogues.setdefault(schema, {})[name] = Table(
                schema, name, shown, address, closed, required
            )
        own = [name for name, tables in self._catalogues.items() if VERSION_TABLE in tables]
        self._chatdb_schemas = tuple(own)
        for name in own:
            del self._catalogues[name]


@contextmanager
def open_postgresql(url: DatabaseUrl, on_rows: OnRows | None) -> Iterator[ForeignDatabase]:
    """Open a snapshot; see `chatdb.layouts.opening.open_foreign`."""
    # Closed, not rolled back: an interrupt leaves it in the middle of a cursor.
    with _explained(url), closing(connect_postgresql(url, autocommit=True)) as connection:
        connection.begin(write=False, snapshot=True, settings=_SETTINGS)
        if connection.info.parameter_status("server_encoding") == "SQL_ASCII":
            connection.execute("SET LOCAL client_encoding = 'SQL_ASCII'")  # UTF8 would be checked
            _take_any_text(connection)
        yield ForeignPostgresql(connection, url, on_rows)


@contextmanager
def _explained(url: DatabaseUrl) -> Iterator[None]:
    """Turn a driver's error into one about the database being read, which is not chatdb's."""
    try:
        with translated(url):
            yield
    except DatabaseLockedError as error:
        error.hint = "end that session, or transaction, there; or run the command again later"
        raise
    except DatabaseUnreachableError as error:
        # Nobody wants to read a database created just now, or chatdb's own configuration.
        if error.hint is not None and any(each in error.hint for each in _OF_CHATDBS_OWN):
            error.hint = "check the host, the port and the database's name in the URL"
        raise
    except DatabaseFailedError as error:
        if "row-level security" in error.text:
            error.text = f"{url.redacted()}: row-level security would hide rows from this user"
            error.hint = "use the tables' owner in its URL, or a user with BYPASSRLS"
        raise


def _take_any_text(connection: "psycopg.Connection[Any]") -> None:
    """Read text of any encoding: invalid UTF-8 becomes lone surrogates, as from SQLite."""
    from psycopg.adapt import Loader

    class AnyText(Loader):
        def load(self, data: "Buffer") -> str:
            return bytes(data).decode("utf-8", "surrogateescape")

    for kind in ("text", "varchar", "bpchar", "name"):
        connection.adapters.register_loader(kind, AnyText)


def _with_values(statement: str) -> str:
    """Write psycopg's mark for `?`, but not within the names of tables and columns."""
    parts = statement.replace("%", "%%").split('"')
    return '"'.join(
        part if number % 2 else part.replace("?", "%s") for number, part in enumerate(parts)
    )
