"""Deletes an organization in one transaction, after saving its contents as a native file."""

import re
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from chatdb.db.database import Database
from chatdb.errors import DatabaseFailedError, RefusedError
from chatdb.formats.native import header_line
from chatdb.operations.kept.public import default_keep_path, new_file
from chatdb.operations.organizations.organizations import (
    DEFAULT,
    OrganizationRemoval,
    delete_contents,
    delete_row,
    describe,
    require,
)
from chatdb.records import Organization
from chatdb.store.lines import lines_within
from chatdb.store.selecting import READING, ConversationFilter
from chatdb.store.work_log import write_deletion

REASON = "chatdb organizations delete"
OnDone = Callable[[int], object]

_CHANGED = "40001"
_RETRY_SECONDS = (0.1, 0.5)
_SETTINGS = {
    **READING,
    # ORDER BY the key needs its index; a deletion may choose another.
    "chatdb.bulk": "on",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationDeletion:
    """What was deleted; `kept` is the file to restore it from."""

    contents: OrganizationRemoval
    kept: Path | None
    row_kept: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionWatch:
    """Receives how many more conversations were saved, and how many deleted."""

    on_kept: OnDone = lambda _: None
    on_deleted: OnDone = lambda _: None


def keep_path(database: Database, key: str, *, now: datetime) -> Path:
    """Return where the contents of an organization are saved."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", key)[:40].strip(".-") or "organization"
    return default_keep_path(database, now=now, prefix=name, suffix=".jsonl.zst")


def refuse_default(key: str, *, keep_row: bool) -> None:
    """Raise RefusedError for the default organization."""
    if key == DEFAULT and not keep_row:
        raise RefusedError(
            f"{DEFAULT!r} is the default for commands without --org; it cannot be deleted",
            hint=f"to empty it: chatdb organizations delete {DEFAULT} --keep-organization",
        )


def delete_organization(
    database: Database,
    key: str,
    *,
    keep_to: Path | None,
    keep_row: bool = False,
    watch: DeletionWatch | None = None,
) -> OrganizationDeletion:
    """Delete an organization's contents, and the organization unless `keep_row`.

    One transaction: exactly what was saved is deleted, and an interrupted run changes nothing. It
    reads one state and starts again if other sessions changed it meanwhile; after three attempts it
    gives up. Raises RefusedError, NotFoundError, StorageError, DatabaseFailedError; then nothing
    was deleted, and no file is left.
    """
    refuse_default(key, keep_row=keep_row)
    watch = watch or DeletionWatch()
    for seconds in _RETRY_SECONDS:
        try:
            return _delete_once(database, key, keep_to, keep_row=keep_row, watch=watch)
        except DatabaseFailedError as error:
            if not _was_changed(error):
                raise
            time.sleep(seconds)
    return _delete_once(database, key, keep_to, keep_row=keep_row, watch=watch)


def _delete_once(
    database: Database, key: str, keep_to: Path | None, *, keep_row: bool, watch: DeletionWatch
) -> OrganizationDeletion:
    started = datetime.now(UTC)
    written: list[Path] = []
    try:
        with database.transaction(write=True, snapshot=True, settings=_SETTINGS) as connection:
            organization = require(connection, key)
            contents = describe(connection, organization)
            if keep_to is not None:
                _keep(database, connection, organization, keep_to, watch.on_kept)
                written.append(keep_to)
            delete_contents(connection, organization.id, on_deleted=watch.on_deleted)
            if not keep_row:
                delete_row(connection, organization.id)
            write_deletion(
                connection,
                organization.key,
                organization.id,
                started_at=started,
                kept=keep_to,
                organization=not keep_row,
                conversations=contents.conversations,
                messages=contents.messages,
                snapshots=contents.snapshots,
            )
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        raise
    return OrganizationDeletion(contents=contents, kept=keep_to, row_kept=keep_row)


def _keep(
    database: Database,
    connection: sa.Connection,
    organization: Organization,
    path: Path,
    on_kept: OnDone,
) -> None:
    lines = lines_within(
        connection,
        database.dialect,
        organization.id,
        ConversationFilter(),
        label=organization,
        on_read=lambda conversations, _: on_kept(conversations),
    )
    with new_file(path) as stream, closing(lines):
        stream.write(header_line(created=datetime.now(UTC), source=REASON))
        for piece in lines:
            stream.write(piece)


def _was_changed(error: DatabaseFailedError) -> bool:
    """Tell whether another session changed what is to be deleted since we read it."""
    cause = getattr(error.__cause__, "orig", None) or error.__cause__
    return getattr(cause, "sqlstate", None) == _CHANGED
