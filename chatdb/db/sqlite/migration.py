"""Migrates SQLite: a verified copy first, and a check afterwards that nothing was lost."""

import os
import re
import shutil
import sqlite3
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from chatdb.db.connect import connect_sqlite
from chatdb.db.contract.migration import (
    CatalogueEntry,
    LockFacts,
    MigrationWays,
    Note,
    StatementLock,
    TableSize,
    Witness,
)
from chatdb.db.lock_holders import LockHolder
from chatdb.db.migrating.alembic_scripts import run_script
from chatdb.db.migrating.scripts import Script
from chatdb.db.sqlite import catalogue as sqlite_catalogue
from chatdb.db.sqlite import dependents as sqlite_dependents
from chatdb.db.sqlite.copies import copy_into, damages_of
from chatdb.db.url import DatabaseUrl
from chatdb.errors import DatabaseFailedError, DatabaseLockedError, StorageError
from chatdb.primitives.atomic_write import PARTIAL, claim_partial, sweep_abandoned

WRITE_LOCK = "write lock of the file"

_SPARE_BYTES = 16 * 1024 * 1024
_INSTRUCTIONS_BETWEEN_SIGNALS = 100_000

_READS = re.compile(
    r"\s*(?:--|/\*|SELECT|PRAGMA|BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE)\b|\s*--", re.IGNORECASE
)
_TARGET = re.compile(
    r"(?:CREATE (?:UNIQUE )?INDEX .*?\bON|CREATE TRIGGER .*?\bON|ALTER TABLE|DROP TABLE"
    r"|INSERT INTO|UPDATE|DELETE FROM|DROP VIEW) (?:IF EXISTS )?\"?(\w+)\"?",
    re.IGNORECASE,
)


class SqliteMigrationWays(MigrationWays):
    """One writer by nature: BEGIN IMMEDIATE is the lock."""

    has_schemas: ClassVar[bool] = False

    def settings(self, lock_timeout: float) -> dict[str, str]:  # noqa: ARG002
        return {}

    def wait_for_turn(self, url: DatabaseUrl, *, seconds: float, note: Note) -> None:
        """Try for the write lock one second at a time, so that Ctrl-C is noticed."""
        if not url.sqlite_path.exists():
            return
        if not os.access(url.sqlite_path, os.W_OK):
            raise StorageError(
                f"{url.sqlite_path} is read-only", hint="check the permissions of the file"
            )
        deadline, said = time.monotonic() + seconds, False
        with closing(connect_sqlite(url, busy_seconds=min(seconds, 1.0))) as connection:
            while True:
                try:
                    connection.execute("BEGIN IMMEDIATE")
                except sqlite3.OperationalError as error:
                    if not error.sqlite_errorname.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
                        raise
                    if time.monotonic() >= deadline:
                        raise DatabaseLockedError(
                            f"another program held the write lock of {url.sqlite_path}"
                            f" for {seconds:g} s",
                            hint="run chatdb migrate again when it has finished; to wait longer: "
                            "--lock-wait 600",
                        ) from error
                    if not said:
                        note(f"waiting for another program that writes to {url.sqlite_path}")
                        said = True
                else:
                    connection.execute("ROLLBACK")
                    return

    def take_lock(
        self,
        connection: sa.Connection,
        *,
        seconds: float,  # noqa: ARG002
        note: Note,  # noqa: ARG002
    ) -> None:
        """The lock is held since BEGIN; let Ctrl-C end a long statement."""
        driver: Any = connection.connection.driver_connection
        driver.set_progress_handler(lambda: 0, _INSTRUCTIONS_BETWEEN_SIGNALS)

    def require_place(
        self, connection: sa.Connection, url: DatabaseUrl, schema: str | None, *, writes: bool
    ) -> None:
        """A file is one place, and its permissions were checked before."""

    def make_schema(self, connection: sa.Connection, schema: str | None) -> None:
        """There are none."""

    def is_pooled(self, connection: sa.Connection) -> bool:  # noqa: ARG002
        return False

    def lock_holders(self, connection: sa.Connection) -> Sequence[LockHolder]:  # noqa: ARG002
        return ()

    def witness(self, connection: sa.Connection) -> Witness:
        triggers = {name: (table, text) for name, table, text in _triggers(connection)}
        searched = [
            name
            for name, text in _virtual_tables(connection)
            if any(
                re.search(rf"INTO \"?{name}\"?\s*\(", trigger) for _, trigger in triggers.values()
            )
            and "fts5" in text.lower()
        ]
        return Witness(
            {name: table for name, (table, _) in triggers.items()},
            _broken_references(connection),
            frozenset(searched),
            sqlite_dependents.readable_views(connection),
            sqlite_dependents.references(connection),
        )

    def verify(self, connection: sa.Connection, before: Witness, statements: Sequence[str]) -> None:
        _check_triggers(connection, before, statements)
        _check_references(connection, before)
        sqlite_dependents.check(connection, before)
        tables = {name for name, _ in _virtual_tables(connection)}
        for name in sorted(before.searched & tables):
            _check_search(connection, name, statements)

    def keep_copy(self, url: DatabaseUrl, *, revision: str, note: Note) -> Path | None:
        path = url.sqlite_path
        size = sum(
            part.stat().st_size
            for part in (path, path.with_name(path.name + "-wal"))
            if part.exists()
        )
        free = shutil.disk_usage(path.absolute().parent).free
        if free < size + _SPARE_BYTES:
            raise StorageError(
                f"not enough space for the copy of {path} that is kept while it is migrated: "
                f"{size + _SPARE_BYTES:,} bytes needed, {free:,} free",
                hint=f"free some space in {path.absolute().parent}",
            )
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")[:-3] + "Z"
        target = path.with_name(f"{path.stem}.before_{revision}_{stamp}.db")
        if size > 50_000_000:
            note(f"copying {path} ({size / 1e6:,.0f} MB) to {target} before the first change")
        _copy(url, target)
        return target

    def table_columns(self, connection: sa.Connection) -> Mapping[str, Mapping[str, str]]:
        columns: dict[str, dict[str, str]] = defaultdict(dict)
        query = (
            "SELECT m.name, c.name, c.type FROM sqlite_master m JOIN pragma_table_xinfo(m.name) c"
            " WHERE m.type = ? AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND m.name LIKE ?"
        )
        views = sqlite_dependents.readable_views(connection)
        wanted = [("table", "%"), *(("view", name) for name in views)]
        for kind_and_name in wanted:
            for table, column, kind in connection.exec_driver_sql(query, kind_and_name):
                columns[table.lower()][column] = kind  # SQLite ignores case in names.
        return columns

    def stored_columns(self, connection: sa.Connection) -> Mapping[str, Sequence[str]]:
        columns: dict[str, list[str]] = defaultdict(list)
        query = (
            "SELECT t.name, c.name FROM pragma_table_list t JOIN pragma_table_xinfo(t.name) c"
            " WHERE t.schema = 'main' AND t.type IN ('table', 'virtual')"
            " AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY t.name, c.cid"
        )
        for table, column in connection.exec_driver_sql(query):
            columns[table].append(column)
        return columns

    def sizes(self, connection: sa.Connection, tables: Sequence[str]) -> Mapping[str, TableSize]:
        present = {name for name, _ in _named(connection, "table")}
        found = {}
        for table in tables:
            if table in present:
                rows = connection.exec_driver_sql(f'SELECT count(*) FROM "{table}"').scalar_one()
                found[table] = TableSize(int(rows), _bytes(connection, table))
        return found

    def lock_facts(self, connection: sa.Connection) -> LockFacts:  # noqa: ARG002
        return LockFacts()

    def lock_of(self, statement: str, facts: LockFacts) -> StatementLock:  # noqa: ARG002
        match = _TARGET.match(" ".join(statement.split()))
        return StatementLock(WRITE_LOCK, (match[1],) if match else ())

    def script_statements(
        self, script: Script, *, down: bool, directory: Path | None
    ) -> Sequence[str]:
        """Run it on a scratch file at the revision below: a batch rebuild reads the tables."""
        before = script.revision if down else script.down_revision
        target = script.down_revision or "base" if down else script.revision
        statements: list[str] = []
        with _scratch() as connection:
            if before is not None:
                run_script(connection, before, down=False, directory=directory)
            driver: Any = connection.connection.driver_connection
            driver.set_trace_callback(statements.append)
            run_script(connection, target, down=down, directory=directory)
            driver.set_trace_callback(None)
        return [text.strip().removesuffix(";") for text in statements if not _READS.match(text)]

    def catalogue(self, connection: sa.Connection) -> Sequence[CatalogueEntry]:
        return sqlite_catalogue.read(connection)

    def left_out(self, connection: sa.Connection) -> frozenset[str]:  # noqa: ARG002
        return frozenset()

    def dump(self, connection: sa.Connection) -> Sequence[str]:
        return sqlite_catalogue.dump(connection)


@contextmanager
def _scratch() -> Iterator[sa.Connection]:
    with tempfile.TemporaryDirectory(prefix="chatdb-") as folder:
        url = DatabaseUrl(dialect_name="sqlite", path=Path(folder) / "scratch.db")
        engine = sa.create_engine(
            "sqlite+pysqlite://",
            creator=lambda: connect_sqlite(url, create=True, foreign_keys=False),
            poolclass=NullPool,
        )
        with engine.connect() as connection:
            yield connection


def _copy(url: DatabaseUrl, target: Path) -> None:
    """Copy by the backup API (a plain copy misses the write-ahead log), check, rename.

    A lock on the file being written says that a process is writing it: a killed one's file is
    removed.
    """
    partial = target.with_name(target.name + PARTIAL)
    sweep_abandoned(target.parent, f"{url.sqlite_path.stem}.before_")
    descriptor = claim_partial(partial, target, [])
    try:
        copy_into(url, partial)
        with closing(sqlite3.connect(partial)) as copy:
            copy.execute("PRAGMA journal_mode=DELETE")
        _require_intact(partial, url.sqlite_path)
        os.fsync(descriptor)
        partial.rename(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)


def _require_intact(copy: Path, path: Path) -> None:
    damages = damages_of(copy)
    if damages:
        raise DatabaseFailedError(
            f"{path} is damaged ({damages[0]}); nothing was changed",
            hint="restore it from a backup before migrating",
        )


def _bytes(connection: sa.Connection, table: str) -> int | None:
    """Count the pages of the table and its indexes; None if SQLite was built without dbstat."""
    query = (
        "SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE aggregate = TRUE AND name IN"
        " (SELECT name FROM sqlite_master WHERE tbl_name = ?)"
    )
    try:
        return int(connection.exec_driver_sql(query, (table,)).scalar_one())
    except sa.exc.OperationalError:
        return None


def _check_triggers(connection: sa.Connection, before: Witness, statements: Sequence[str]) -> None:
    tables = {name for kind in ("table", "view") for name, _ in _named(connection, kind)}
    present = {name for name, _, _ in _triggers(connection)}
    dropped = "\n".join(statements)
    lost = [
        f"{name} on {table}"
        for name, table in sorted(before.triggers.items())
        if name not in present
        and table in tables
        and not re.search(rf"DROP TRIGGER (?:IF EXISTS )?\"?{name}\b", dropped, re.IGNORECASE)
    ]
    if lost:
        raise DatabaseFailedError(
            f"triggers were lost: {', '.join(lost)} (rebuilding a table drops them silently)",
            hint="create the triggers again in the revision, after rebuilding the table",
        )


def _check_references(connection: sa.Connection, before: Witness) -> None:
    for (table, parent), count in sorted(_broken_references(connection).items()):
        if count > before.broken_references.get((table, parent), 0):
            rows = connection.exec_driver_sql(
                f'SELECT * FROM "{table}" WHERE rowid IN (SELECT rowid FROM'
                " pragma_foreign_key_check(?) WHERE parent = ? LIMIT 3)",
                (table, parent),
            ).mappings()
            named = "; ".join(
                ", ".join(f"{key}={value}" for key, value in row.items() if key.endswith("id"))
                for row in rows
            )
            raise DatabaseFailedError(
                f"{count} rows of {table} refer to missing rows of {parent}: {named}"
            )


def _check_search(connection: sa.Connection, name: str, statements: Sequence[str]) -> None:
    """Have FTS5 compare its index with the texts, if a statement touched one of them."""
    definition = dict(_virtual_tables(connection))[name]
    match = re.search(r"content\s*=\s*['\"]?(\w+)", definition)
    related = {name, match[1] if match else name}
    views = dict(_named(connection, "view"))
    for view in related & views.keys():
        related |= set(re.findall(r"\b(?:FROM|JOIN)\s+\"?(\w+)", views[view], re.IGNORECASE))
    if not any(word in statement for word in related for statement in statements):
        return
    try:
        connection.exec_driver_sql(f"INSERT INTO {name}({name}, rank) VALUES('integrity-check', 1)")
    except sa.exc.DatabaseError as error:
        raise DatabaseFailedError(
            f"the search index {name} no longer matches its texts",
            hint=f"end the revision with: INSERT INTO {name}({name}) VALUES('rebuild')",
        ) from error


def _broken_references(connection: sa.Connection) -> dict[tuple[str, str], int]:
    query = 'SELECT "table", parent, count(*) FROM pragma_foreign_key_check GROUP BY 1, 2'
    return {(row[0], row[1]): row[2] for row in connection.exec_driver_sql(query)}


def _triggers(connection: sa.Connection) -> list[tuple[str, str, str]]:
    query = "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger'"
    return [(row[0], row[1], row[2]) for row in connection.exec_driver_sql(query)]


def _named(connection: sa.Connection, kind: str) -> list[tuple[str, str]]:
    query = "SELECT name, sql FROM sqlite_master WHERE type = ?"
    return [(row[0], row[1] or "") for row in connection.exec_driver_sql(query, (kind,))]


def _virtual_tables(connection: sa.Connection) -> list[tuple[str, str]]:
    return [
        (name, text)
        for name, text in _named(connection, "table")
        if text.upper().startswith("CREATE VIRTUAL TABLE")
    ]
