"""The doctor's findings on kept attachments: bytes that are missing, files that are unused."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from chatdb.db.database import Database
from chatdb.errors import StorageError
from chatdb.operations.attachments.public import (
    SavedDigests,
    check_attachments,
    saved_digests,
    tells_of_files,
)
from chatdb.operations.doctor.findings import Check, Finding, info, ok, warning
from chatdb.operations.kept.public import deletions_folder
from chatdb.primitives.file_store import FileStore
from chatdb.primitives.sizes import size_text
from chatdb.store.every_organization import EVERY


def attachments_check(folder: Path | None) -> Check[Database]:
    """Return the check of the attachments that are in this folder."""
    return Check("attachments", partial(_attachments, folder))


def _attachments(folder: Path | None, database: Database) -> Iterator[Finding]:
    has_rows = tells_of_files(database)
    if folder is None:
        if has_rows:
            yield warning(
                "attachments are kept, but no folder is set for them",
                "set CHATDB_ATTACHMENTS_DIR to the folder that has them",
            )
        return
    store = FileStore(folder)
    if not has_rows and not store.exists:
        return
    with database.transaction() as connection:
        if database.dialect.is_bound(connection):
            yield info(
                f"attachments in {folder} are not compared: row-level security shows this role only"
                " one organization",
                "chatdb attachments check; chatdb doctor as the owner of the tables compares all",
            )
            return
    saved: SavedDigests | None = None
    try:
        saved = saved_digests(deletions_folder(database.url))
    except StorageError as error:
        yield warning(f"unused attachments are not looked for: {error.text}", error.hint)
    report = check_attachments(database, store, saved, organization_key=EVERY)
    if report.missing or report.damaged or report.unreadable:
        unreadable = f", {report.unreadable} unreadable" if report.unreadable else ""
        yield warning(
            f"attachments in {folder}: {report.missing} missing, {report.damaged} damaged"
            f"{unreadable}",
            "chatdb attachments check --all-orgs; then import the export with --attachments again,"
            " or restore a backup",
        )
    if report.unused:
        yield info(
            f"files in {folder} of no message: {report.unused}",
            "chatdb attachments prune --all-orgs",
        )
    if not report.problems:
        yield ok(f"{report.files} attachments in {folder} ({size_text(report.bytes)})")
