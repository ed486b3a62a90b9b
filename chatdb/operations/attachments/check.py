"""Compares the rows of kept attachments with the files that have their bytes."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from chatdb.db.database import Database
from chatdb.errors import StorageError, UnreadableFileError
from chatdb.operations.attachments.saved import SavedDigests
from chatdb.primitives.file_store import FileStore
from chatdb.records import Organization, organization_id_of
from chatdb.store.every_organization import EVERY, Scope, chosen
from chatdb.store.files import digests_page, has_any_file, read_files, unused_digests

Problem = Literal["missing", "damaged", "unreadable", "unused"]
_NAMED = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentProblem:
    """A file whose bytes are `missing`, `damaged` or `unreadable`, or one that is `unused`.

    No message has an unused one.
    """

    organization: str
    digest: str
    problem: Problem
    text: str


@dataclass(slots=True, kw_only=True)
class AttachmentsCheck:
    """What was compared, and what does not fit.

    `kept_for_undo` are files of deleted messages that saved deletions can bring back. Both that and
    `unused` are None where row-level security hides the messages of other users, or the saved
    deletions are unknown.
    """

    folder: str
    files: int = 0
    bytes: int = 0
    missing: int = 0
    damaged: int = 0
    unreadable: int = 0
    unused: int | None = 0
    kept_for_undo: int | None = 0
    read: bool = False
    problems: list[AttachmentProblem] = field(default_factory=list)

    def add(self, organization: Organization, digest: str, problem: Problem, text: str) -> None:
        """Count a problem."""
        setattr(self, problem, (getattr(self, problem) or 0) + 1)
        if len(self.problems) < _NAMED:
            self.problems.append(
                AttachmentProblem(
                    organization=organization.key, digest=digest, problem=problem, text=text
                )
            )


def check_attachments(
    database: Database,
    store: FileStore,
    saved: SavedDigests | None,
    *,
    organization_key: Scope,
    read: bool = False,
    on_bytes: Callable[[int], object] = lambda _: None,
) -> AttachmentsCheck:
    """Compare them; `read` also hashes every file, `saved` None looks for no unused ones.

    Raises NotFoundError for an organization, StorageError for the folder.
    """
    report = AttachmentsCheck(folder=str(store.folder), read=read)
    for organization in covered(database, store, organization_key):
        for digest, size in told(database, organization.id):
            report.files += 1
            _compare(report, store, organization, digest, size, on_bytes)
        if saved is None or not sees_every_user(database, organization.id):
            report.unused = report.kept_for_undo = None
            continue
        for digest in unused_files(database, store, organization.id):
            if digest in saved:
                report.kept_for_undo = (report.kept_for_undo or 0) + 1
            else:
                report.add(organization, digest, "unused", "no message has it")
    return report


def _compare(
    report: AttachmentsCheck,
    store: FileStore,
    organization: Organization,
    digest: str,
    size: int | None,
    on_bytes: Callable[[int], object],
) -> None:
    try:
        there = store.size_of(organization.id, digest)
        if there is None:
            report.add(organization, digest, "missing", "its bytes are not in the folder")
            return
        report.bytes += there
        if size is not None and there != size:
            report.add(organization, digest, "damaged", f"it has {there} bytes, not {size}")
        elif report.read and _digest_of(store, organization.id, digest, on_bytes) != digest:
            report.add(organization, digest, "damaged", "its bytes have another digest")
    except UnreadableFileError as error:
        report.add(organization, digest, "unreadable", error.text)


def sees_every_user(database: Database, organization: UUID) -> bool:
    """Tell whether the messages of all users of an organization can be seen.

    Who sees those of one user takes the files of all others for unused.
    """
    with database.for_tenant(organization).transaction() as connection:
        return not database.dialect.is_bound_to_user(connection)


def covered(database: Database, store: FileStore, scope: Scope) -> list[Organization]:
    """Return the organizations of the scope; all of them with those that only have a folder."""
    with database.transaction() as connection:
        found = list(chosen(connection, database.dialect, scope))
    if scope is not EVERY:
        return found
    known = {each.id for each in found}
    gone = [tenant for tenant in store.tenants() if tenant not in known]
    now = datetime.now(UTC)
    return [
        *found,
        *(Organization(id=each, key=str(each), name=str(each), created_at=now) for each in gone),
    ]


def digests_of(
    database: Database, store: FileStore, organization_key: str, ids: Sequence[UUID] | None
) -> list[str]:
    """Return the digests of some conversations of an organization, or all that it has files of."""
    organization = organization_id_of(organization_key)
    found: set[str] = set()
    if ids is None:
        found.update(digest for digest, _ in told(database.for_tenant(organization), organization))
        # Whoever removes them is told why it cannot be read.
        with suppress(StorageError):
            found.update(digest for digest, _ in store.files(organization))
        return sorted(found)
    with database.for_tenant(organization).transaction() as connection:
        for start in range(0, len(ids), 500):
            files_of = read_files(connection, organization, ids[start : start + 500])
            found.update(file.digest for _, file in files_of)
    return sorted(found)


def tells_of_files(database: Database) -> bool:
    """Tell whether there is a row of a kept file; the schema may be an older one, or none."""
    with database.transaction() as connection:
        if not {"files", "message_files"} <= set(database.dialect.existing_tables(connection)):
            return False
        return has_any_file(connection)


def missing_files(database: Database, store: FileStore, organization_key: str | None) -> int:
    """Count the kept files without their bytes, of one organization or of all."""
    with database.transaction() as connection:
        scope: Scope = EVERY if organization_key is None else organization_key
        organizations = list(chosen(connection, database.dialect, scope))
    return sum(len(missing_digests(database, store, each.id)) for each in organizations)


def missing_digests(database: Database, store: FileStore, organization: UUID) -> set[str]:
    """Return the digests of an organization that have no bytes."""
    found = told(database, organization)
    return {digest for digest, _ in found if store.size_of(organization, digest) is None}


def unused_files(database: Database, store: FileStore, organization: UUID) -> list[str]:
    """Return the digests of an organization, with a row or a file, that no message has."""
    there = {digest for digest, _ in store.files(organization)}
    there |= {digest for digest, _ in told(database, organization)}
    found: list[str] = []
    digests = sorted(there)
    with database.for_tenant(organization).transaction() as connection:
        for start in range(0, len(digests), 500):
            found += unused_digests(connection, organization, digests[start : start + 500])
    return found


def told(database: Database, organization: UUID) -> Iterator[tuple[str, int | None]]:
    """Yield every digest that the database tells of, with its size, in order."""
    after = ""
    while True:
        # A transaction a page: hashing the files may take hours.
        with database.transaction() as connection:
            page = digests_page(connection, organization, after=after)
        if not page:
            return
        yield from page
        after = page[-1][0]


def _digest_of(
    store: FileStore, organization: UUID, digest: str, on_bytes: Callable[[int], object]
) -> str:
    found = hashlib.sha256()
    for piece in store.pieces(organization, digest):
        found.update(piece)
        on_bytes(len(piece))
    return found.hexdigest()
