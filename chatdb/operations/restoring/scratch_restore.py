"""Test restore of a backup into a scratch database: compared, checked, then removed."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from msgspec.structs import replace

from chatdb.backups.archives import PIECE
from chatdb.backups.contents import differences
from chatdb.backups.inventory import Backup
from chatdb.backups.left_out import LeftOut
from chatdb.backups.reading import check_files, open_data, packed_bytes, require_whole
from chatdb.db.database import Database
from chatdb.db.migrating.revision import look
from chatdb.db.url import DatabaseUrl
from chatdb.errors import (
    ChatdbError,
    DatabaseLockedError,
    DatabaseUnreachableError,
    ProgramMissingError,
    RefusedError,
    StorageError,
    UsageError,
)
from chatdb.operations.dumps.public import scratch_database
from chatdb.operations.importing.public import ImportOptions, find_inputs, import_files
from chatdb.operations.organizations.public import DEFAULT, require
from chatdb.operations.restoring.checks import compare, filling_of
from chatdb.operations.restoring.parts import Filling, RestoreOptions, Task
from chatdb.operations.schema.public import check, is_of_search_index
from chatdb.operations.searching.public import check_search_index, search_index_warning
from chatdb.primitives.private_folder import private_folder
from chatdb.primitives.watch import Watch
from chatdb.store.contents import measure

# These concern the machine or the server: they must not make a good backup count as damaged.
_NO_FAULT_OF_THE_BACKUP = (
    DatabaseLockedError,
    DatabaseUnreachableError,
    ProgramMissingError,
    RefusedError,
    StorageError,
    UsageError,
)


@dataclass(frozen=True, slots=True)
class Trial:
    """The result of a test restore: `problems`, which mean failure, and what is left out.

    `warnings` concern only the full-text index.
    """

    problems: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    warnings: tuple[str, ...] = ()


def verify_by_restoring(
    backup: Backup, url: DatabaseUrl, options: RestoreOptions, watch: Watch
) -> Trial:
    """Restore the backup into a scratch database and return what was found.

    `url` names the server for a PostgreSQL dump; a SQLite file and the native format need none.
    Remains of killed runs there are removed first. Raises UsageError for a dump without a server,
    and errors unrelated to the backup: an unreachable server, a missing program or privilege, a
    full disk.
    """
    try:
        require_whole(backup)
        watch.begin("checking", backup.bytes)
        check_files(backup, on_bytes=watch.advance)
        if backup.kind == "native":
            return Trial(_native(backup, watch))
        with scratch_restore(backup, url, options, watch) as (task, filling):
            watch.begin("comparing", None)
            warnings: list[str] = []
            compared = compare(task, filling, task.url, thorough=True).problems
            problems = (*compared, *_faults(task, warnings))
            return Trial(problems, tuple(filling.left_out), tuple(warnings))
    except _NO_FAULT_OF_THE_BACKUP:
        raise
    except ChatdbError as error:
        return Trial((error.text,))


@contextmanager
def scratch_restore(
    backup: Backup, url: DatabaseUrl, options: RestoreOptions, watch: Watch
) -> Iterator[tuple[Task, Filling]]:
    """Restore the backup into a scratch database, which is the task's.

    It is dropped at the end; one of a killed chatdb is dropped by the next.
    """
    with _place(backup, url, watch) as new:
        task = Task(backup, new, options, watch)
        with filling_of(task) as filling:
            filling.fill(new)
            filling.finish(new)
            yield task, filling


@contextmanager
def _place(backup: Backup, url: DatabaseUrl, watch: Watch) -> Iterator[DatabaseUrl]:
    if backup.kind == "sqlite":
        with private_folder("restore") as folder:
            path = folder / "restored.db"
            # It exists before the first byte is written, so that nobody else can ever read it.
            path.touch(0o600)
            yield DatabaseUrl(dialect_name="sqlite", path=path)
        return
    if url.path is not None:
        raise UsageError(
            f"{backup.name} is a PostgreSQL dump, and {url.redacted()} is not a server",
            hint="give one where you may create databases: --database-url postgresql://...",
        )
    with scratch_database(url, watch) as new:
        yield new


def _faults(task: Task, warnings: list[str]) -> Iterator[str]:
    """Yield what `schema check` finds in a migrated schema, except in the full-text index."""
    if look(task.url, schema=task.schema).state != "current":
        return
    with Database.open(task.url, schema=task.schema) as database:
        for item in check(database).differences:
            if not is_of_search_index(item):
                yield f"{item.kind} {item.name}: {item.problem}"
        report = check_search_index(database)
    warnings += map(search_index_warning, report.problems)


def _native(backup: Backup, watch: Watch) -> tuple[str, ...]:
    """Import an organization into an empty SQLite database and compare it."""
    with imported_native(backup, watch) as (database, key, problems):
        if backup.manifest is None:
            return problems
        watch.begin("comparing", None)
        with database.transaction(snapshot=True) as connection:
            identifier = require(connection, key).id
            found = measure(database, connection, organization_id=identifier)
    # The schema is today's, and a renamed tenant has an id of its own.
    wanted, there = backup.manifest.contents.organizations, found.organizations
    told = [replace(each, id="") for each in wanted], [replace(each, id="") for each in there]
    whole = [replace(found, revision=None, rows={}, organizations=tuple(each)) for each in told]
    return (*problems, *differences(*whole))


@contextmanager
def imported_native(
    backup: Backup, watch: Watch
) -> Iterator[tuple[Database, str, tuple[str, ...]]]:
    """Import an organization's file into a SQLite database for the duration of the block.

    Yields it, the organization's key, and the items that could not be read.
    """
    from chatdb.db.migrating.migrations import upgrade

    manifest = backup.manifest
    key = (manifest.organization if manifest else None) or DEFAULT
    with private_folder("restore") as folder:
        path = folder / "organization.jsonl"
        watch.begin("reading", packed_bytes(backup))
        with (
            open_data(backup, backup.archive_names[0], on_bytes=watch.advance) as stream,
            path.open("wb") as file,
        ):
            shutil.copyfileobj(stream, file, PIECE)
        url = DatabaseUrl(dialect_name="sqlite", path=folder / "organization.db")
        with Database.open(url, create=True) as database:
            upgrade(database)
            inputs = find_inputs([str(path)], format_name="jsonl", all_organizations=True)
            # Nothing is searched here, and the index is the larger part of the work.
            options = ImportOptions(search_index=False)
            report = import_files(database, key, inputs, options=options)
            yield (
                database,
                key,
                tuple(item.reason for each in report.files for item in each.skipped),
            )
