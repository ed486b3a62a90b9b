"""The migration engine: one lock, one transaction and one Alembic call for each revision.

A revision is either committed with its row in `chatdb_log`, or leaves nothing behind. Alembic is
imported inside functions: a command that finds nothing to do never loads it.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy import event

from chatdb.db.database import Database
from chatdb.db.lock_holders import described, way_out
from chatdb.db.migrating.alembic_scripts import run_script
from chatdb.db.migrating.foreign_tables import Columns, Origin, foreign_tables
from chatdb.db.migrating.migration_errors import failing_as, refusal
from chatdb.db.migrating.migration_log import write_run
from chatdb.db.migrating.revision import judge, mismatch
from chatdb.db.migrating.scripts import VERSION_TABLE, Script, head_revision, scripts
from chatdb.db.schema import log
from chatdb.errors import (
    ChatdbError,
    DatabaseLockedError,
    MigrationFailedError,
    NotFoundError,
    UsageError,
)

RETRIES = 3
"""How often a revision is retried that could not get a table's lock."""

POOLED = (
    "this connection goes through a pooler; a single transaction at a time is safe, but use "
    "the server's own address for migrations: --direct-url"
)

# Doubled each time: a queued lock also makes every later reader of the table wait.
_FIRST_PAUSE_SECONDS = 1.0

Choose = Callable[[str | None], Script | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationSettings:
    """Settings: times in seconds; `directory` is another folder of scripts.

    `lock_wait` is for another migration (or writer of a SQLite file), `lock_timeout` for the lock
    of a table on PostgreSQL. `keep_copy` keeps the copy of a SQLite file after success.
    `whose_tables` tells the origin of foreign tables from all columns of the schema.
    """

    lock_wait: float = 60.0
    # A waiting ALTER TABLE holds up every query that comes after it.
    lock_timeout: float = 5.0
    keep_copy: bool = False
    directory: Path | None = None
    whose_tables: Callable[[Columns], Origin | None] = lambda _columns: None


@dataclass(frozen=True, slots=True)
class AppliedRevision:
    """A committed revision: `direction` is up or down; the time it took in seconds."""

    revision: str
    title: str
    direction: str
    seconds: float


class MigrationWatch(Protocol):
    """Receives what happens, as it happens."""

    def note(self, text: str) -> None:
        """Receive a note on a wait, a retry or a copy."""

    def warning(self, text: str) -> None:
        """Receive a warning; the work continues."""

    def applied(self, revision: AppliedRevision) -> None:
        """Receive a revision that has just been committed."""


class Silence:
    """A watch that ignores everything."""

    def note(self, text: str) -> None:
        """Ignore it."""

    def warning(self, text: str) -> None:
        """Ignore it."""

    def applied(self, revision: AppliedRevision) -> None:
        """Ignore it."""


DEFAULTS = MigrationSettings()
SILENCE = Silence()


def upgrade(
    database: Database,
    *,
    revision: str | None = None,
    settings: MigrationSettings = DEFAULTS,
    watch: MigrationWatch = SILENCE,
) -> list[AppliedRevision]:
    """Apply missing revisions up to `revision` (None: head); return what was applied here.

    Raises MigrationFailedError, DatabaseLockedError, RefusedError for tables that are not chatdb's,
    NotFoundError and UsageError for an invalid target revision.
    """
    chain = scripts(settings.directory)
    target = revision or head_revision(settings.directory)
    require_known(target, settings.directory)

    def next_script(current: str | None) -> Script | None:
        names = [None, *(script.revision for script in chain)]
        if current not in names:
            seen = judge((str(current),), (), directory=settings.directory)
            raise mismatch(seen, database.url)
        if names.index(current) > names.index(target):
            if revision is None:
                return None
            raise UsageError(
                f"the database is at revision {current}, which is newer than {target}",
                hint=f"go back with: chatdb schema downgrade {target}",
            )
        return None if current == target else chain[names.index(current)]

    return _Run(database, settings, watch, "up").all(next_script)


def downgrade(
    database: Database,
    revision: str,
    *,
    settings: MigrationSettings = DEFAULTS,
    watch: MigrationWatch = SILENCE,
) -> list[AppliedRevision]:
    """Revert every revision above `revision` ("base": all); return what was reverted.

    Raises as `upgrade` does.
    """
    chain = scripts(settings.directory)
    target = None if revision == "base" else revision
    require_known(target, settings.directory)
    below = [None, *(script.revision for script in chain)]
    wanted = set(below[: below.index(target) + 1])

    def last_script(current: str | None) -> Script | None:
        if current in wanted:
            return None
        if current not in below:
            seen = judge((str(current),), (), directory=settings.directory)
            raise mismatch(seen, database.url)
        return chain[below.index(current) - 1]

    return _Run(database, settings, watch, "down").all(last_script)


def require_known(revision: str | None, directory: Path | None = None) -> None:
    """Return if there is a script of this revision; raises NotFoundError listing all."""
    known = [script.revision for script in scripts(directory)]
    if revision is not None and revision not in known:
        raise NotFoundError(
            f"there is no revision {revision}",
            hint=f"this chatdb knows {', '.join(known)}: chatdb schema history",
        )


@dataclass(slots=True)
class _Attempt:
    """How far an attempt at a revision got."""

    locked: bool = False
    script: Script | None = None
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))


class _Run:
    """One call of `upgrade` or `downgrade`: at most one copy, any number of revisions."""

    def __init__(
        self, database: Database, settings: MigrationSettings, watch: MigrationWatch, direction: str
    ) -> None:
        # Behind a pooler each transaction may get another session of the server.
        self.database = database.direct()
        self.ways = self.database.dialect.migration_ways()
        self.settings = settings
        self.watch = watch
        self.direction = direction
        self.copy: Path | None = None
        self.began = False

    def all(self, choose: Choose) -> list[AppliedRevision]:
        applied: list[AppliedRevision] = []
        try:
            while (done := self._one(choose)) is not None:
                applied.append(done)
                self.watch.applied(done)
        except MigrationFailedError as error:
            if self.copy is None:
                raise
            raise MigrationFailedError(
                f"{error.text}; the previous file is kept at {self.copy}", hint=error.hint
            ) from error.__cause__
        except BaseException:
            if self.copy is not None:
                self.watch.note(f"the previous file is kept at {self.copy}")
            raise
        if self.copy is not None and not self.settings.keep_copy:
            # The copy is as large as the database; after success it only takes space.
            self.copy.unlink(missing_ok=True)
        elif self.copy is not None:
            path = self.database.url.sqlite_path
            self.watch.note(
                f"the previous file is kept; to restore it: rm -f {path}-wal {path}-shm; mv "
                f"{self.copy} {path}"
            )
        return applied

    def _one(self, choose: Choose) -> AppliedRevision | None:
        """Apply one revision, retrying while another session holds a lock."""
        deadline = time.monotonic() + self.settings.lock_wait
        retries = 0
        while True:
            attempt = _Attempt()
            try:
                return self._attempt(attempt, choose)
            except DatabaseLockedError as error:
                if attempt.script is not None:
                    retries += 1
                    self._retry_later(retries, attempt, error)
                # Once BEGIN has succeeded all of --lock-wait has passed;
                # before it another program slipped in.
                elif attempt.locked or time.monotonic() >= deadline:
                    raise
            except MigrationFailedError as error:
                self._record_failure(attempt, error)
                raise
            except sa.exc.DBAPIError as error:
                if getattr(error.orig, "sqlite_errorname", "") == "SQLITE_INTERRUPT":
                    raise KeyboardInterrupt from error
                raise

    def _attempt(self, attempt: _Attempt, choose: Choose) -> AppliedRevision | None:
        began = time.monotonic()
        with self.database.translated_errors():
            self.ways.wait_for_turn(
                self.database.url, seconds=self.settings.lock_wait, note=self.watch.note
            )
        with self.database.migration_transaction(
            settings=self.ways.settings(self.settings.lock_timeout)
        ) as connection:
            attempt.locked = True
            self.ways.take_lock(connection, seconds=self.settings.lock_wait, note=self.watch.note)
            # Without lock and second look 8 of 12 concurrent first migrations failed on PostgreSQL.
            current = self._current_revision(connection)
            script = choose(current)
            if script is None:
                return None
            if self.direction == "up":
                self.ways.require_place(
                    connection, self.database.url, self.database.schema, writes=True
                )
                self.ways.make_schema(connection, self.database.schema)
            attempt.script = script
            if not self.began and self.ways.is_pooled(connection):
                self.watch.warning(POOLED)
            # One copy before the first change, under the write lock:
            # nobody can write between the two.
            if not self.began and self.database.dialect.existing_tables(connection):
                self.copy = self.ways.keep_copy(
                    self.database.url, revision=script.revision, note=self.watch.note
                )
            self.began = True
            with failing_as(script):
                self._run_script(connection, script, attempt.started_at)
        seconds = round(time.monotonic() - began, 3)
        return AppliedRevision(script.revision, script.title, self.direction, seconds)

    def _current_revision(self, connection: sa.Connection) -> str | None:
        """Read the revision again, now that no one else can change it; refuse foreign tables."""
        columns = self.ways.table_columns(connection)
        revision = None
        if "version_num" in columns.get(VERSION_TABLE, ()):
            rows = connection.execute(sa.text(f"SELECT version_num FROM {VERSION_TABLE}"))
            revision = ", ".join(row[0] for row in rows) or None
        foreign = foreign_tables(columns, migrated=revision is not None)
        if foreign:
            raise refusal(self.database, foreign, self.settings.whose_tables(columns))
        return revision

    def _run_script(self, connection: sa.Connection, script: Script, started_at: datetime) -> None:
        before = self.ways.witness(connection)
        with _recorded_statements(connection) as statements:
            target = script.revision if self.direction == "up" else script.down_revision or "base"
            run_script(
                connection, target, down=self.direction == "down", directory=self.settings.directory
            )
        self.ways.verify(connection, before, statements)
        if sa.inspect(connection).has_table(log.name):
            write_run(connection, script, direction=self.direction, started_at=started_at)

    def _retry_later(self, retries: int, attempt: _Attempt, error: DatabaseLockedError) -> None:
        revision = attempt.script.revision if attempt.script else ""
        # Asked in a new transaction: the failed one can run nothing more.
        with self.database.transaction() as connection:
            holders = self.ways.lock_holders(connection)
        told = described(holders) if holders else "other sessions"
        if retries > RETRIES:
            failure = DatabaseLockedError(
                f"revision {revision} could not get a lock within"
                f" {self.settings.lock_timeout:g} s, {RETRIES + 1} times; nothing was changed;"
                f" locks are held by {told}",
                hint=way_out(
                    holders,
                    "run it again when they have finished, or wait longer: --lock-timeout 60",
                ),
            )
            self._record_failure(attempt, failure)
            raise failure from error
        pause = _FIRST_PAUSE_SECONDS * 2 ** (retries - 1)
        self.watch.note(
            f"revision {revision} could not get a lock within"
            f" {self.settings.lock_timeout:g} s (held by {told});"
            f" trying again in {pause:g} s ({retries} of {RETRIES})"
        )
        time.sleep(pause)

    def _record_failure(self, attempt: _Attempt, error: ChatdbError) -> None:
        """Write the failure to the log, if that exists and can be written."""
        if attempt.script is None:
            return
        with (
            # The failure itself is about to be raised; a log that cannot
            # be written must not hide it.
            suppress(ChatdbError, sa.exc.SQLAlchemyError),
            self.database.transaction(
                write=True, settings=self.ways.settings(self.settings.lock_timeout)
            ) as connection,
        ):
            if sa.inspect(connection).has_table(log.name):
                write_run(
                    connection,
                    attempt.script,
                    direction=self.direction,
                    started_at=attempt.started_at,
                    error=error.text,
                )


@contextmanager
def _recorded_statements(connection: sa.Connection) -> Iterator[list[str]]:
    statements: list[str] = []

    def record(*arguments: object) -> None:
        statements.append(str(arguments[2]))

    # What was really run: the checks afterwards look only at the tables it touched.
    event.listen(connection, "before_cursor_execute", record)
    try:
        yield statements
    finally:
        event.remove(connection, "before_cursor_execute", record)
