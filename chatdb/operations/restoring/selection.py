"""Restores some conversations of a backup, merging them like an import."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from chatdb.backups.inventory import Backup
from chatdb.backups.reading import check_files, require_whole
from chatdb.db.database import Database
from chatdb.db.migrating.revision import look, mismatch
from chatdb.db.migrating.scripts import head_revision
from chatdb.db.url import DatabaseUrl
from chatdb.errors import NotFoundError, UsageError
from chatdb.operations.exporting.public import find_ids, read_conversations
from chatdb.operations.importing.public import ImportCounts, ImportOptions, ImportRun, preview
from chatdb.operations.organizations.public import organizations
from chatdb.operations.restoring.parts import RestoreOptions
from chatdb.operations.restoring.scratch_restore import imported_native, scratch_restore
from chatdb.primitives.filled import filled
from chatdb.primitives.watch import Watch
from chatdb.store.added_columns import added_columns
from chatdb.store.batches import Arrival
from chatdb.store.selecting import ConversationFilter, count_conversations

# What was deleted here is what people look for in a backup.
_OPTIONS = ImportOptions(restore_deleted=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreSelection:
    """Which conversations: of one organization, those named (ids, or their ends) or of one user."""

    organization: str
    conversations: tuple[str, ...] = ()
    user: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionRestored:
    """The outcome for the restored conversations and their messages.

    `columns_left_out` are those of the backup that are not chatdb's.
    """

    backup: str
    database: str
    organization: str
    new: int
    updated: int
    unchanged: int
    skipped: int
    messages_new: int
    messages_changed: int
    columns_left_out: tuple[str, ...] = ()
    dry_run: bool = False


def restore_selection(
    backup: Backup,
    database: Database,
    selection: RestoreSelection,
    options: RestoreOptions,
    watch: Watch,
    *,
    server: DatabaseUrl,
    dry_run: bool = False,
) -> SelectionRestored:
    """Restore the selected conversations; nothing in the database is removed.

    `server` is where a PostgreSQL dump is unpacked. Raises NotFoundError for what the backup does
    not contain, UsageError for a dump without a server, and the errors of a restore.
    """
    require_whole(backup)
    watch.begin("checking", backup.bytes)
    check_files(backup, on_bytes=watch.advance)
    with _opened(backup, options, watch, server) as source:
        left_out = tuple(f"{each.table}.{each.column}" for each in added_columns(source))
        for name in left_out:
            watch.warning(f"column {name} is not chatdb's: what it holds is not brought back")
        wanted = _wanted(source, selection, backup)
        total = count_conversations(source, wanted, organization_key=selection.organization)
        if not total:
            raise NotFoundError(
                f"{backup.name} does not have a conversation of user {selection.user!r} in "
                f"{selection.organization}"
            )
        watch.begin("merging", None)
        arrivals = (
            Arrival(record, hashed=False)
            for record in read_conversations(
                source, wanted, organization_key=selection.organization
            )
        )
        if dry_run:
            counts = preview(
                database,
                selection.organization,
                arrivals,
                options=_OPTIONS,
                on_placed=lambda _: None,
            )
        else:
            counts = _merge(source, database, selection.organization, arrivals, backup.name)
    report = _report(backup, database, selection, counts, dry_run=dry_run)
    return replace(report, columns_left_out=left_out)


def _merge(
    source: Database, database: Database, key: str, arrivals: Iterator[Arrival], subject: str
) -> ImportCounts:
    with source.transaction() as connection:
        organization = organizations.require(connection, key)
    organizations.add_missing(database, [organization])
    with ImportRun(database, key, subject=subject, options=_OPTIONS) as run:
        run.load(arrivals)
        run.complete_search_index()
    return run.counts


def _wanted(source: Database, selection: RestoreSelection, backup: Backup) -> ConversationFilter:
    key = selection.organization
    try:
        ids = find_ids(source, selection.conversations, organization_key=key)
    except NotFoundError as error:
        raise NotFoundError(
            f"{backup.name}: {error.text}", hint=f"chatdb backup show {shlex.quote(backup.file)}"
        ) from error
    return ConversationFilter(ids=ids if selection.conversations else None, user_id=selection.user)


@contextmanager
def _opened(
    backup: Backup, options: RestoreOptions, watch: Watch, server: DatabaseUrl
) -> Iterator[Database]:
    """Open the backup as a migrated database for the duration of the block."""
    if backup.kind == "native":
        with imported_native(backup, watch) as (database, _, _):
            yield database
        return
    if backup.kind != "sqlite" and server.path is not None:
        raise UsageError(
            f"{backup.name} is a PostgreSQL dump, and a server is needed to unpack it",
            hint="give one where you may create databases: --via postgresql://...",
        )
    manifest = backup.manifest
    is_at_head = manifest is not None and manifest.revision == head_revision()
    # Building the full-text index takes most time and nothing is searched; a migration may need it.
    options = replace(options, owner=False, search_index=not is_at_head)
    with scratch_restore(backup, server, options, watch) as (task, _):
        schema = options.schema if manifest is None else manifest.schema
        seen = look(task.url, schema=schema)
        if seen.state not in ("current", "behind"):
            raise mismatch(seen, task.url)
        with Database.open(task.url, schema=schema) as database:
            if seen.state == "behind":
                from chatdb.db.migrating.migrations import upgrade

                upgrade(database)
            yield database


def _report(
    backup: Backup,
    database: Database,
    selection: RestoreSelection,
    counts: ImportCounts,
    *,
    dry_run: bool,
) -> SelectionRestored:
    return filled(
        SelectionRestored,
        counts,
        backup=backup.file,
        database=database.url.redacted(),
        organization=selection.organization,
        dry_run=dry_run,
    )
