"""Migrates a schema to a revision, and back: looks first, migrates only if needed.

Importing this loads no database library: with nothing to do the bare driver is enough.
"""

import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chatdb.db.migrating.revision import look
from chatdb.db.migrating.scripts import head_revision
from chatdb.db.reachable import wait_until_reachable
from chatdb.db.url import DatabaseUrl
from chatdb.errors import MigrationFailedError

if TYPE_CHECKING:
    from chatdb.backups.inventory import Backup
    from chatdb.backups.store import Store
    from chatdb.db.database import Database
    from chatdb.db.migrating.foreign_tables import Columns, Origin
    from chatdb.db.migrating.migrations import AppliedRevision, MigrationWatch
    from chatdb.operations.backups.public import BackupOptions
    from chatdb.operations.schema.public import Loss
    from chatdb.primitives.watch import Watch as BackupWatch


@dataclass(frozen=True, slots=True)
class Downgrade:
    """What going back to `revision` would do; `keeps_copy` says whether the file is copied first.

    `pending` is false if the database is at that revision already.
    """

    revision: str
    pending: bool
    losses: "tuple[Loss, ...]"
    keeps_copy: bool


def already_there(
    url: DatabaseUrl,
    *,
    schema: str | None,
    revision: str | None,
    wait: float | None,
    note: Callable[[str], None],
) -> bool:
    """Tell whether the database is at `revision` (None: the newest) already.

    `wait` is how many seconds the database may take to answer. Raises DatabaseUnreachableError.
    """
    if wait is not None:
        wait_until_reachable(url, wait, note)
    return look(url, schema=schema).revision == (revision or head_revision())


def bring_up(
    database: "Database",
    revision: str | None,
    *,
    lock_wait: float,
    lock_timeout: float,
    keep_copy: bool,
    watch: "MigrationWatch",
) -> "list[AppliedRevision]":
    """Apply missing revisions up to `revision` (None: the newest); times in seconds.

    Raises what `chatdb.db.migrating.migrations.upgrade` raises.
    """
    from chatdb.db.migrating.migrations import MigrationSettings, upgrade

    settings = MigrationSettings(
        lock_wait=lock_wait,
        lock_timeout=lock_timeout,
        keep_copy=keep_copy,
        whose_tables=_whose_tables,
    )
    applied = upgrade(database, revision=revision, settings=settings, watch=watch)
    if applied and revision is None:
        # A revision cannot make the normal forms that SQLite's index has of many texts.
        done = database.dialect.search_index().catch_up(database, seconds=None)
        if done.indexed:
            watch.note(f"indexed {done.indexed:,} messages in their normal form")
    return applied


@contextmanager
def backed_up(
    database: "Database", store: "Store", options: "BackupOptions", watch: "BackupWatch"
) -> "Iterator[Backup | None]":
    """Back up the database before the block; if a revision fails, the error names the backup.

    A database without any of chatdb's tables is not backed up: None.
    """
    from chatdb.operations.backups.public import create_backup

    if look(database.direct().url, schema=database.schema).revision is None:
        watch.note("nothing is backed up: there are no chatdb tables yet")
        yield None
        return
    backup = create_backup(database, store, options, watch)
    watch.note(f"backed up to {backup.file}")
    try:
        yield backup
    except MigrationFailedError as error:
        raise MigrationFailedError(
            f"{error.text}; the backup made before is {backup.file}",
            hint=error.hint or f"chatdb restore {shlex.quote(backup.file)}",
        ) from error.__cause__


def plan_back(database: "Database", revision: str, *, keep_copy: bool) -> Downgrade:
    """Return what going back to `revision` ("base": to nothing) removes; writes nothing.

    Raises NotFoundError, RefusedError and SchemaMismatchError.
    """
    from chatdb.operations.schema.public import losses, plan_downgrade

    planned = plan_downgrade(database, revision)
    has_file = database.url.path is not None
    return Downgrade(
        revision, bool(planned), tuple(losses(database, planned)), keep_copy and has_file
    )


def take_back(database: "Database", planned: Downgrade, *, watch: "MigrationWatch") -> None:
    """Revert what was planned; raises what `chatdb.db.migrating.migrations.downgrade` raises."""
    from chatdb.db.migrating.migrations import MigrationSettings, downgrade

    settings = MigrationSettings(keep_copy=planned.keeps_copy, whose_tables=_whose_tables)
    downgrade(database, planned.revision, settings=settings, watch=watch)


def _whose_tables(columns: "Columns") -> "Origin | None":
    from chatdb.layouts.recognising import whose_tables  # only a refusal needs it

    return whose_tables(columns)
