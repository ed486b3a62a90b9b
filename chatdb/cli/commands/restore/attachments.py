"""The part of `chatdb restore` about kept attachments."""

from typing import TYPE_CHECKING

from chatdb.cli.context import CommandContext
from chatdb.cli.text import counted
from chatdb.errors import UsageError

if TYPE_CHECKING:
    from chatdb.backups.inventory import Backup
    from chatdb.cli.backup_options import StageWatch
    from chatdb.db.database import Database
    from chatdb.db.url import DatabaseUrl
    from chatdb.primitives.file_store import FileStore


def store_for(
    command: CommandContext, backup: "Backup", other: "DatabaseUrl | None"
) -> "FileStore | None":
    """Return where the backup's attachments go; raises UsageError if it has some and no folder.

    `other` is the target, if it is not the configured database.
    """
    told = None if backup.manifest is None else backup.manifest.attachments
    store = command.file_store_of(other)
    if told is not None and store is None:
        raise UsageError(
            f"{backup.name} has {counted(told.files, 'attachment')}, and no folder is set for them",
            hint="give one: --attachments-dir FOLDER, or CHATDB_ATTACHMENTS_DIR",
        )
    return store


def bring_attachments(
    backup: "Backup",
    store: "FileStore | None",
    watch: "StageWatch",
    *,
    missing_in: "tuple[Database, str] | None" = None,
) -> None:
    """Put the backup's attachments into the folder; of a part only what is missing there."""
    from chatdb.operations.restoring.attachments import restore_attachments

    if store is None:
        return
    if missing_in is None:
        count = restore_attachments(backup, store, watch)
    else:
        from chatdb.operations.attachments.public import missing_digests
        from chatdb.records import organization_id_of

        database, key = missing_in
        own = organization_id_of(key)
        missing = missing_digests(database.for_tenant(own), store, own)
        count = restore_attachments(
            backup, store, watch, wanted=lambda tenant, digest: tenant == own and digest in missing
        )
    if count:
        watch.note(f"{counted(count, 'attachment')} restored to {store.folder}")
