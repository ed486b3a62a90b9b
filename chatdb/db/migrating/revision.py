"""A quick look at a database's revision, by the bare driver: no SQLAlchemy, no Alembic.

One connection and, on a migrated database, one query.
"""

import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from chatdb.db.connect import connect_postgresql, connect_sqlite
from chatdb.db.migrating.other_schemas import ELSEWHERE, in_schemas
from chatdb.db.migrating.scripts import VERSION_TABLE, head_revision, scripts
from chatdb.db.sqlite.patient_file import PatientFile
from chatdb.db.url import DatabaseUrl
from chatdb.errors import SchemaMismatchError

if TYPE_CHECKING:
    import psycopg

State = Literal["current", "behind", "ahead", "unknown_revision", "not_chatdb", "empty"]

_POSTGRESQL_TABLES = """
SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
WHERE n.nspname = {schema} AND relkind IN ('r', 'v', 'p', 'm', 'f') ORDER BY relname
"""
_SQLITE_TABLES = (
    "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
    " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
)


@dataclass(frozen=True, slots=True)
class Look:
    """The result of a quick look: `tables` (names, including views) only without a revision.

    `elsewhere` are then the schemas of the database that have chatdb's tables.
    """

    state: State
    revision: str | None
    tables: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()


def look(url: DatabaseUrl, *, schema: str | None = None, directory: Path | None = None) -> Look:
    """Return the revision and its meaning for this chatdb; a missing SQLite file is `empty`.

    Raises the errors of `chatdb.errors` for a database that cannot be reached or read.
    """
    with translated(url):
        if url.dialect_name == "sqlite":
            if not url.sqlite_path.exists():
                return judge((), (), directory=directory)
            with closing(connect_sqlite(url)) as connection:
                return look_into_file(connection, directory=directory)
        with connect_postgresql(url, autocommit=True) as server:
            return look_into_server(server, schema=schema, directory=directory)


def judge(
    revisions: tuple[str, ...], tables: tuple[str, ...], *, directory: Path | None = None
) -> Look:
    """Interpret the rows of the version table, or the tables if there are none.

    A revision that is a number above head is `ahead`: a newer chatdb made it.
    """
    if not revisions:
        from chatdb.db.schema import TABLE_NAMES

        foreign = set(tables) & (TABLE_NAMES - {VERSION_TABLE})
        return Look("not_chatdb" if foreign else "empty", None, tables)
    chain = [script.revision for script in scripts(directory)]
    revision = ", ".join(revisions)
    if revision == chain[-1]:
        return Look("current", revision)
    if revision in chain:
        return Look("behind", revision)
    # An application's own Alembic names revisions by hashes, which have no order.
    newer = revision.isdecimal() and chain[-1].isdecimal() and int(revision) > int(chain[-1])
    return Look("ahead" if newer else "unknown_revision", revision)


def mismatch(seen: Look, url: DatabaseUrl) -> SchemaMismatchError:
    """Return the error for a schema that is not current, with the next command as its hint."""
    place, head = url.redacted(), head_revision()
    if seen.state == "behind":
        text = f"the schema of {place} is at revision {seen.revision}, but this chatdb needs {head}"
        hint = "to see what will run: chatdb migrate --plan; to run it: chatdb migrate"
    elif seen.state == "ahead":
        text = (
            f"the schema of {place} is at revision {seen.revision}, made by a newer chatdb:"
            f" this one knows {head}"
        )
        hint = "install the chatdb that made it: pip install --upgrade chatdb-cli"
    elif seen.state == "unknown_revision":
        text = (
            f"the schema of {place} is at revision {seen.revision}, which no chatdb version created"
        )
        hint = f"check the URL: chatdb config show; this chatdb knows revisions up to {head}"
    elif seen.elsewhere:
        text = f"{place} has chatdb's tables {in_schemas(seen.elsewhere)}, not in the schema in use"
        hint = f"give the schema: --schema {shlex.quote(seen.elsewhere[0])}"
    elif seen.state == "not_chatdb":
        text = f"{place} has tables with chatdb's table names that are not chatdb's"
        hint = "chatdb migrate names the program they belong to"
    else:
        text = f"{place} has no chatdb tables yet"
        hint = "to create them: chatdb migrate"
    return SchemaMismatchError(text, state=seen.state, hint=hint)


@contextmanager
def translated(url: DatabaseUrl) -> Iterator[None]:
    """Turn a driver's error into one that a user can act on; loads the dialects only then."""
    try:
        yield
    # Any exception: naming the drivers' classes here would import both.
    except Exception as error:
        from chatdb.db.database import dialect_of

        known = dialect_of(url).translate(error, url)
        if known is None:
            raise
        raise known from error


def look_into_file(connection: PatientFile, *, directory: Path | None = None) -> Look:
    """Do as `look` on an open SQLite connection; raises sqlite3.Error."""
    # SQLite ignores case in names: `Conversations` would be in the way of ours.
    tables = tuple(row[0].lower() for row in connection.patiently(_SQLITE_TABLES))
    revisions: tuple[str, ...] = ()
    if VERSION_TABLE in tables:
        try:
            rows = connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchall()
            revisions = tuple(str(row[0]) for row in rows)
        except sqlite3.OperationalError as error:
            # A table of this name without the column is somebody else's.
            if "no such column" not in str(error):
                raise
    return judge(revisions, tables, directory=directory)


def look_into_server(
    connection: "psycopg.Connection[Any]",
    *,
    schema: str | None = None,
    directory: Path | None = None,
) -> Look:
    """Do as `look` on an open PostgreSQL connection in autocommit; raises psycopg.Error."""
    from psycopg import errors, sql

    table = sql.Identifier(*([schema] if schema else []), VERSION_TABLE)
    try:
        query = sql.SQL("SELECT version_num FROM {}").format(table)
        # Asked first: on a migrated database this is the only query.
        rows = connection.execute(query).fetchall()
    except (errors.UndefinedTable, errors.UndefinedColumn, errors.InvalidSchemaName):
        rows = []
    if rows:
        return judge(tuple(str(row[0]) for row in rows), (), directory=directory)
    name = sql.Literal(schema) if schema else sql.SQL("current_schema()")
    found = connection.execute(sql.SQL(_POSTGRESQL_TABLES).format(schema=name)).fetchall()
    others = connection.execute(ELSEWHERE.encode(), {"schema": schema}).fetchall()
    seen = judge((), tuple(row[0] for row in found), directory=directory)
    return replace(seen, elsewhere=tuple(row[0] for row in others))
