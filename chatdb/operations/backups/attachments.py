"""Takes kept attachments along in a backup."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

from chatdb.backups.attachments import write_files
from chatdb.backups.manifest import AttachedFiles
from chatdb.backups.names import ATTACHMENTS, ENCRYPTED
from chatdb.db.database import Database
from chatdb.operations.attachments.public import missing_files, tells_of_files
from chatdb.operations.backups.parts import BackupOptions, Bench, Made
from chatdb.primitives.file_store import FileStore
from chatdb.records import organization_id_of


def back_up_attachments(
    database: Database, options: BackupOptions, bench: Bench, made: Made
) -> Made:
    """Write the attachments of what was backed up into a file of their own, if there are any.

    After the rows: bytes are there before them. What is missing is counted and told.
    """
    if options.part not in ("full", "organization") or not tells_of_files(database):
        return made
    store = options.file_store
    if store is None:
        bench.watch.warning(
            "the kept attachments are not in the backup, for no folder is set: --attachments-dir"
        )
        return made
    missing = missing_files(database, store, options.organization)
    if missing:
        bench.watch.warning(f"{missing} kept attachments have no bytes: chatdb attachments check")
    name = bench.name + ATTACHMENTS + (ENCRYPTED if bench.is_encrypted else "")
    bench.watch.begin("adding attachments", None)
    with bench.write(name, on_bytes=bench.watch.advance) as writer:
        count, size = write_files(writer, _files(store, options.organization))
    file = writer.file(name)
    told = AttachedFiles(name=name, files=count, bytes=size, missing=missing)
    return replace(made, files=(*made.files, file), attachments=told)


def _files(store: FileStore, organization_key: str | None) -> Iterator[tuple[UUID, str, Path]]:
    tenants = store.tenants()
    if organization_key is not None:
        tenants = [organization_id_of(organization_key)]
    for tenant in tenants:
        for digest, _ in sorted(store.files(tenant)):
            yield tenant, digest, store.path(tenant, digest)
