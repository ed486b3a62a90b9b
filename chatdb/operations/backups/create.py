"""Creates a backup: claim a name, write files in a staging folder, store them, manifest last."""

import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

import chatdb
from chatdb.backups.archives import write_archive
from chatdb.backups.contents import Contents
from chatdb.backups.inventory import Backup, find_all, remove_incomplete
from chatdb.backups.manifest import VERSION, Manifest, encode
from chatdb.backups.names import MANIFEST, Part, backup_name
from chatdb.backups.store import Store
from chatdb.db.connect import missing_file
from chatdb.db.database import Database
from chatdb.db.label import look_at_label
from chatdb.db.migrating.other_schemas import in_schemas
from chatdb.db.migrating.revision import look
from chatdb.db.postgresql.distribution import refuse_distributed_backup
from chatdb.errors import ChatdbError, UsageError
from chatdb.operations.backups.attachments import back_up_attachments
from chatdb.operations.backups.parts import BackupOptions, Bench, Made
from chatdb.primitives.filled import filled
from chatdb.primitives.watch import Watch


def create_backup(database: Database, store: Store, options: BackupOptions, watch: Watch) -> Backup:
    """Back up the database into the store and return the backup.

    Uses the direct URL if there is one. A failure leaves nothing behind. Raises UsageError for
    contradictory options, and the errors of the backends.
    """
    _check(database, options)
    _sweep(store, watch)
    direct = database.direct()
    try:
        refuse_distributed_backup(direct.url)
        seen = look(direct.url, schema=direct.schema)
        if seen.elsewhere:
            watch.warning(
                f"chatdb's tables are {in_schemas(seen.elsewhere)}: they are backed up, but not "
                "counted or listed unless --schema names their schema"
            )
        label = look_at_label(direct.url, schema=direct.schema)
        name = direct.url.name if direct.url.path is not None else label.name
        started, created_at = time.monotonic(), datetime.now(UTC)
        bench = _claim(store, name, created_at, options, watch)
        try:
            made = _make(direct, options, bench)
            made = back_up_attachments(database, options, bench, made)
            manifest = _manifest(
                made,
                bench=bench,
                options=options,
                database=name,
                database_kind=direct.url.dialect_name,
                environment=label.environment,
                created_at=created_at,
                seconds=time.monotonic() - started,
            )
            _put(store, bench, manifest)
        finally:
            store.release(bench.staging)
    finally:
        if direct is not database:
            direct.close()
    return next(backup for backup in find_all(store) if backup.name == bench.name)


def part_of(*, schema_only: bool, data_only: bool, organization: str | None) -> Part:
    """Return which part of the database to back up; raises UsageError for contradictory options."""
    wanted: list[Part] = []
    if schema_only:
        wanted.append("schema-only")
    if data_only:
        wanted.append("data-only")
    if organization is not None:
        wanted.append("organization")
    if len(wanted) > 1:
        raise UsageError("choose one of --schema-only, --data-only and --org")
    return wanted[0] if wanted else "full"


def _check(database: Database, options: BackupOptions) -> None:
    path = database.url.path
    is_file = path is not None
    if path is not None and not path.exists():
        raise missing_file(database.url)
    if is_file and options.part in ("schema-only", "data-only"):
        raise UsageError(
            f"--{options.part} is for PostgreSQL: a SQLite file is backed up as a whole",
            hint="for the schema only: chatdb schema dump; for the data only: chatdb export "
            "--all-orgs",
        )
    if options.jobs > 1 and (is_file or options.organization is not None):
        raise UsageError(
            "--jobs is for the directory format of pg_dump, which dumps a whole PostgreSQL database"
        )


def _sweep(store: Store, watch: Watch) -> None:
    for name in remove_incomplete(store, store.leftovers()):
        watch.note(f"removed {name}, an interrupted backup")


def _claim(
    store: Store, database: str, at: datetime, options: BackupOptions, watch: Watch
) -> Bench:
    """Claim the first free name of this second."""
    number = 0
    staging = None
    while staging is None:
        number += 1
        name = backup_name(
            database, at, part=options.part, org=options.organization or "", number=number
        )
        staging = store.staging(name)
    return Bench(name, staging, watch, store.keys)


def _make(database: Database, options: BackupOptions, bench: Bench) -> Made:
    """Let the maker of this kind do it; each is imported when it is used."""
    if options.organization is not None:
        from chatdb.operations.backups.organization import back_up_organization

        return back_up_organization(database, options.organization, bench)
    if database.url.path is not None:
        from chatdb.operations.backups.sqlite import back_up_sqlite

        return back_up_sqlite(database, bench)
    from chatdb.operations.backups.postgresql import back_up_postgresql

    return back_up_postgresql(database, options, bench)


def _manifest(made: Made, *, bench: Bench, options: BackupOptions, **fields: Any) -> Manifest:
    return filled(
        Manifest,
        made,
        options,
        name=bench.name,
        version=1 if made.attachments is None else VERSION,
        chatdb_version=chatdb.__version__,
        revision=made.contents.revision,
        index=None if made.index is None else made.index.name,
        contents=_told(made.contents, bench),
        encryption="age" if bench.is_encrypted else "none",
        recipients=() if bench.keys.recipients is None else bench.keys.recipients.keys,
        **fields,
    )


def _told(contents: Contents, bench: Bench) -> Contents:
    """Return the contents for the manifest: beside encrypted data, without the tenants' names."""
    if not bench.is_encrypted:
        return contents
    unnamed = tuple(replace(item, key="") for item in contents.organizations)
    return replace(contents, organizations=unnamed)


def _put(store: Store, bench: Bench, manifest: Manifest) -> None:
    """Put the files into the store, the manifest last; remove them again if that fails."""
    if store.local_path("") is None:
        bench.watch.begin(f"sending to {store.address}", manifest.bytes)
    last = bench.name + MANIFEST
    with write_archive(bench.path(last)) as writer:
        writer.write(encode(manifest))
    names = [*(file.name for file in manifest.files), last]
    try:
        for name in names:
            store.put(bench.path(name), name, bench.watch.advance)
    except BaseException:
        with suppress(
            ChatdbError
        ):  # A store that does not answer is not asked again for each file.
            for name in names:
                store.delete(name)
        raise
