"""Removes kept attachments that no message has and no saved deletion can bring back."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from chatdb.db.database import Database
from chatdb.errors import RefusedError
from chatdb.operations.attachments.check import covered, sees_every_user, unused_files
from chatdb.operations.attachments.saved import SavedDigests
from chatdb.primitives.file_store import FileStore
from chatdb.store.every_organization import Scope
from chatdb.store.files import delete_rows, unused_digests

_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunedAttachments:
    """What is or was removed; `kept_for_undo` are files that saved deletions can bring back."""

    folder: str
    files: int
    bytes: int
    kept_for_undo: int
    dry_run: bool


def prune_attachments(
    database: Database,
    store: FileStore,
    saved: SavedDigests,
    *,
    organization_key: Scope,
    dry_run: bool = False,
) -> PrunedAttachments:
    """Remove what is unused: rows first, then the bytes.

    Raises RefusedError while an import adds attachments, whose bytes are there before their rows,
    and as `require_every_user`.
    """
    files = size = undo = 0
    organizations = covered(database, store, organization_key)
    for organization in organizations:
        require_every_user(database, organization.id)
    with store.held(alone=True) as alone:
        if not alone:
            raise RefusedError(
                f"another process is adding attachments to {store.folder}, or removing some",
                hint="run the same command again when it has finished",
            )
        for organization in organizations:
            unused = unused_files(database, store, organization.id)
            going = [digest for digest in unused if digest not in saved]
            undo += len(unused) - len(going)
            if dry_run:
                files += len(going)
                size += sum(store.size_of(organization.id, digest) or 0 for digest in going)
            else:
                removed, freed = remove_unused(database, store, organization.id, going)
                files, size = files + removed, size + freed
    return PrunedAttachments(
        folder=str(store.folder), files=files, bytes=size, kept_for_undo=undo, dry_run=dry_run
    )


def require_every_user(database: Database, organization: UUID) -> None:
    """Raise RefusedError if row-level security shows only the messages of one user."""
    if not sees_every_user(database, organization):
        raise RefusedError(
            "row-level security shows this role only one user: it does not see which files the"
            " messages of the others have",
            hint="connect as the owner of the tables: chatdb config show",
        )


def remove_unused(
    database: Database, store: FileStore, organization: UUID, digests: Sequence[str]
) -> tuple[int, int]:
    """Remove those of the files that no message has; return how many, and their bytes.

    The caller holds the store alone. Raises RefusedError as `require_every_user`.
    """
    require_every_user(database, organization)
    files = size = 0
    own = database.for_tenant(organization)
    for start in range(0, len(digests), _AT_ONCE):
        some = digests[start : start + _AT_ONCE]
        with own.transaction(write=True) as connection:
            going = unused_digests(connection, organization, some)
            if going:
                delete_rows(connection, organization, going)
        # After the commit, and looked at again: an import may have brought one back meanwhile.
        with own.transaction() as connection:
            gone = unused_digests(connection, organization, going)
        for digest in gone:
            size += store.size_of(organization, digest) or 0
            store.remove(organization, digest)
        files += len(gone)
    return files, size
