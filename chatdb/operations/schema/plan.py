"""What a migration would do, as SQL: writes nothing, and needs only the privilege to read."""

import re
from dataclasses import dataclass
from pathlib import Path

from chatdb.db.contract.migration import LockFacts
from chatdb.db.database import Database
from chatdb.db.migrating.foreign_tables import foreign_tables
from chatdb.db.migrating.migration_errors import refusal
from chatdb.db.migrating.migrations import require_known
from chatdb.db.migrating.revision import Look, look, mismatch
from chatdb.db.migrating.scripts import Script, head_revision, scripts
from chatdb.errors import UsageError

_DROPPED = re.compile(
    r"(?:DROP (TABLE|VIEW|INDEX|TRIGGER|FUNCTION) (?:IF EXISTS )?\"?(\w+)"
    r"|ALTER TABLE \"?(\w+)\"? DROP COLUMN \"?(\w+))",
    re.IGNORECASE,
)
_VIEW_MADE = re.compile(r"(?:CREATE VIEW|ALTER VIEW \"?\w+\"? RENAME TO) \"?(\w+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PlannedStatement:
    """A statement of a revision, the strongest lock it takes on `tables`, and their size.

    `rows` is an estimate on PostgreSQL; `rows` and `bytes` are None if unknown or if no existing
    table is affected.
    """

    revision: str
    title: str
    statement: str
    lock: str
    tables: tuple[str, ...]
    rows: int | None
    bytes: int | None


@dataclass(frozen=True, slots=True)
class Loss:
    """What a downgrade removes: a table with its rows, or a column, index, trigger, view."""

    kind: str
    name: str
    rows: int | None


def plan_upgrade(
    database: Database, revision: str | None = None, *, directory: Path | None = None
) -> list[PlannedStatement]:
    """Return what `migrate` would run, in order; empty when there is nothing to do.

    Raises what `migrate` would raise: RefusedError, SchemaMismatchError, NotFoundError, UsageError.
    """
    direct = database.direct()
    require_known(revision, directory)
    seen = look(direct.url, schema=direct.schema, directory=directory)
    _refuse_foreign(direct, seen)
    chain = scripts(directory)
    names = [None, *(script.revision for script in chain)]
    if seen.state in ("empty", "behind") and _exists(direct):
        with direct.transaction() as connection:
            ways = direct.dialect.migration_ways()
            # A user who only reads may see the plan for a database that others migrate.
            is_first = seen.state == "empty"
            ways.require_place(connection, direct.url, direct.schema, writes=is_first)
    target = revision or head_revision(directory)
    if seen.revision not in names:
        raise mismatch(seen, direct.url)
    start, end = names.index(seen.revision), names.index(target)
    if start > end:
        raise UsageError(
            f"the database is at revision {seen.revision}, which is newer than {target}",
            hint=f"go back with: chatdb schema downgrade {target}",
        )
    return _planned(direct, chain[start:end], down=False, directory=directory)


def plan_downgrade(
    database: Database, revision: str, *, directory: Path | None = None
) -> list[PlannedStatement]:
    """Return what `downgrade` would run, in order; raises as `plan_upgrade` does."""
    direct = database.direct()
    target = None if revision == "base" else revision
    require_known(target, directory)
    seen = look(direct.url, schema=direct.schema, directory=directory)
    _refuse_foreign(direct, seen)
    chain = scripts(directory)
    names = [None, *(script.revision for script in chain)]
    if seen.revision not in names or seen.elsewhere:
        raise mismatch(seen, direct.url)
    start, end = names.index(target), names.index(seen.revision)
    return _planned(direct, tuple(reversed(chain[start:end])), down=True, directory=directory)


def losses(database: Database, planned: list[PlannedStatement]) -> list[Loss]:
    """Return what the statements drop; rows are counted exactly.

    A view that its revision makes again, or made for itself, is not lost.
    """
    direct = database.direct()
    made = {
        (item.revision, match[1])
        for item in planned
        if (match := _VIEW_MADE.match(item.statement)) is not None
    }
    found = []
    for item in planned:
        match = _DROPPED.match(item.statement)
        if match is None or (item.revision, match[2]) in made:
            continue
        if match[4]:
            found.append(Loss("column", f"{match[3]}.{match[4]}", _count(direct, match[3])))
        else:
            kind = match[1].lower()
            rows = _count(direct, match[2]) if kind == "table" else None
            found.append(Loss(kind, match[2], rows))
    return found


def _planned(
    database: Database, chain: tuple[Script, ...], *, down: bool, directory: Path | None
) -> list[PlannedStatement]:
    ways = database.dialect.migration_ways()
    statements = [
        (script, statement)
        for script in chain
        for statement in ways.script_statements(script, down=down, directory=directory)
    ]
    if statements and _exists(database):
        with database.transaction() as connection:
            facts = ways.lock_facts(connection)
            locks = [ways.lock_of(statement, facts) for _, statement in statements]
            touched = sorted({name for lock in locks for name in lock.tables})
            sizes = dict(ways.sizes(connection, touched))
    else:
        locks = [ways.lock_of(statement, LockFacts()) for _, statement in statements]
        sizes = {}
    planned = []
    for (script, statement), lock in zip(statements, locks, strict=True):
        known = [sizes[name] for name in lock.tables if name in sizes]
        rows = [size.rows for size in known if size.rows is not None]
        widths = [size.bytes for size in known if size.bytes is not None]
        planned.append(
            PlannedStatement(
                revision=script.revision,
                title=script.title,
                statement=statement,
                lock=lock.lock,
                tables=lock.tables,
                rows=sum(rows) if rows else None,
                bytes=sum(widths) if widths else None,
            )
        )
    return planned


def _refuse_foreign(database: Database, seen: Look) -> None:
    if not _exists(database) or seen.state not in ("not_chatdb", "behind"):
        return
    with database.transaction() as connection:
        columns = database.dialect.migration_ways().table_columns(connection)
    foreign = foreign_tables(columns, migrated=seen.revision is not None)
    if foreign:
        from chatdb.layouts.recognising import whose_tables

        raise refusal(database, foreign, whose_tables(columns))


def _exists(database: Database) -> bool:
    """Tell whether there is a database: a SQLite file may not exist yet."""
    path = database.url.path
    return path is None or path.exists()


def _count(database: Database, table: str) -> int | None:
    with database.transaction() as connection:
        if table not in database.dialect.existing_tables(connection):
            return None
        return int(connection.exec_driver_sql(f'SELECT count(*) FROM "{table}"').scalar_one())
