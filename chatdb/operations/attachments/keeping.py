"""Keeps the files of exports: their bytes first, then the rows that tell of them.

Works on what is stored, not on what is read: the messages of the conversations that an import met
name their files, and the export has them. So an import of the same again adds what is missing.
"""

from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from chatdb.db.contract.bulk import PlacedFile
from chatdb.db.database import Database
from chatdb.errors import ChatdbError
from chatdb.formats.attached_files import Attached, FileIndex, files_of, missing_files
from chatdb.formats.files.media_types import media_type
from chatdb.formats.files.source_files import IS_LINK, UNREADABLE
from chatdb.formats.files.sources import open_source
from chatdb.primitives.digests import digest_of
from chatdb.primitives.file_store import BYTES_AT_ONCE, FILES_AT_ONCE, FileStore, Incoming
from chatdb.records import Conversation, MessageFile, organization_id_of
from chatdb.store.deletion import lock
from chatdb.store.files import FileKey, kept_keys, messages_with_attachments, with_messages
from chatdb.store.holding import CHANGING, with_retries

if TYPE_CHECKING:
    from collections.abc import Iterable

LARGEST = 25_000_000
"""Bytes of a file that is kept without being asked for."""
_CONVERSATIONS = 500
"""What is written at most before its rows are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOutFile:
    """A file that is not kept: its place in the export, its name, and why."""

    place: str
    name: str
    reason: str


@dataclass(slots=True, kw_only=True)
class KeptAttachments:
    """What was kept of an export's files.

    `kept` and `bytes` are new, `unchanged` were here before. `not_in_export` counts attachments
    that name a file by its id which the export does not have.
    """

    kept: int = 0
    bytes: int = 0
    unchanged: int = 0
    not_in_export: int = 0
    too_large: list[LeftOutFile] = field(default_factory=list)
    unreadable: list[LeftOutFile] = field(default_factory=list)


def opened_index(paths: Sequence[str], stack: ExitStack) -> FileIndex:
    """Return the files of these exports, which stay open until the stack is closed."""
    index = FileIndex()
    for path in paths:
        # The import has told what is wrong with it.
        with suppress(ChatdbError):
            index.add(stack.enter_context(open_source(path, raw=True)).raw)
    return index


class CountedAttachments:
    """What a dry run counts: the files of the exports that the records name, here or not."""

    def __init__(self, index: FileIndex, largest: int = LARGEST) -> None:
        self.report = KeptAttachments()
        self.places: set[str] = set()
        self._index = index
        self._largest = largest

    def count(self, record: Conversation) -> None:
        """Count the files of a conversation."""
        report = self.report
        for message in record.messages:
            if message.attachments is None:
                continue
            report.not_in_export += missing_files(message.attachments, self._index)
            for attached in files_of(message.attachments, self._index):
                if attached.file.is_link:
                    report.unreadable.append(_unreadable(attached, IS_LINK))
                elif attached.file.size > self._largest:
                    report.too_large.append(left_out(attached, self._largest))
                else:
                    report.kept += 1
                    report.bytes += attached.file.size
                    self.places.add(attached.file.name)


def left_out(attached: Attached, largest: int) -> LeftOutFile:
    """Return what is told of a file that is too large."""
    reason = f"it has {attached.file.size} bytes, more than {largest}"
    return LeftOutFile(place=attached.file.name, name=attached.name, reason=reason)


def _unreadable(attached: Attached, why: object) -> LeftOutFile:
    reason = f"it cannot be read: {why}"
    return LeftOutFile(place=attached.file.name, name=attached.name, reason=reason)


class MetConversations:
    """The conversations that an import met, by organization: 16 bytes each."""

    def __init__(self) -> None:
        self._ids: dict[str, array[int]] = {}

    def add(self, organization_key: str, ids: "Iterable[UUID | None]") -> None:
        """Note some of an organization."""
        held = self._ids.setdefault(organization_key, array("Q"))
        for each in ids:
            if each is not None:
                held.extend((each.int >> 64, each.int & ((1 << 64) - 1)))

    def organizations(self) -> list[str]:
        """Return the keys of the organizations."""
        return list(self._ids)

    def groups(self, organization_key: str) -> Iterator[list[UUID]]:
        """Yield the ids of an organization, some at a time, in order."""
        held = self._ids[organization_key]
        ids = sorted({held[at] << 64 | held[at + 1] for at in range(0, len(held), 2)})
        for start in range(0, len(ids), _CONVERSATIONS):
            yield [UUID(int=each) for each in ids[start : start + _CONVERSATIONS]]


def keep_attachments(
    database: Database,
    store: FileStore,
    paths: Sequence[str],
    met: MetConversations,
    *,
    largest: int = LARGEST,
    places: set[str] | None = None,
    on_bytes: Callable[[int], object] = lambda _: None,
) -> KeptAttachments:
    """Keep the files of these exports that messages of the conversations name.

    To `places` come those of the files that are kept, new or here before.
    Interrupted it leaves no file without its bytes, and no row; run again it goes on. Raises
    StorageError for a folder that cannot be written.
    """
    report = KeptAttachments()
    with ExitStack() as stack:
        index = opened_index(paths, stack)
        if not index.is_empty:
            keeping = _Keeping(database, store, index, report, largest, on_bytes)
            for key in met.organizations():
                for ids in met.groups(key):
                    keeping.keep(key, ids)
            if places is not None:
                places |= keeping.places
    return report


@dataclass(slots=True)
class _Wanted:
    """A file of a message that is to be kept."""

    conversation: UUID
    message: UUID
    attached: Attached


class _Keeping:
    """One run over the files of some exports."""

    def __init__(
        self,
        database: Database,
        store: FileStore,
        index: FileIndex,
        report: KeptAttachments,
        largest: int,
        on_bytes: Callable[[int], object],
    ) -> None:
        self._database = database
        self._store = store
        self._index = index
        self._report = report
        self._largest = largest
        self._on_bytes = on_bytes
        self.places: set[str] = set()
        self._told: set[str] = set()
        self._digests: dict[str, str] = {}

    def keep(self, key: str, ids: Sequence[UUID]) -> None:
        """Keep the files of some conversations of an organization."""
        organization = organization_id_of(key)
        database = self._database.for_tenant(organization)
        wanted = self._wanted(database, organization, ids)
        while wanted:
            self._keep_some(database, organization, _cut(wanted))

    def _wanted(self, database: Database, organization: UUID, ids: Sequence[UUID]) -> list[_Wanted]:
        """Return what is not here yet, the last first."""
        found: list[_Wanted] = []
        with database.transaction() as connection:
            here = kept_keys(connection, organization, ids)
            rows = messages_with_attachments(connection, organization, ids)
            with closing(rows):
                for conversation, message, entries in rows:
                    self._report.not_in_export += missing_files(entries, self._index)
                    for attached in files_of(entries, self._index):
                        place = (conversation, message, attached.position)
                        if self._is_here(organization, here, place, attached):
                            self._report.unchanged += 1
                            self.places.add(attached.file.name)
                        elif attached.file.size > self._largest:
                            self._too_large(attached)
                        else:
                            found.append(_Wanted(conversation, message, attached))
        found.reverse()
        return found

    def _is_here(
        self,
        organization: UUID,
        here: dict[FileKey, MessageFile],
        place: FileKey,
        attached: Attached,
    ) -> bool:
        held = here.get(place)
        # A later export may tell the name that an earlier one did not.
        if held is None or (held.size, held.name) != (attached.file.size, attached.name):
            return False
        if self._store.size_of(organization, held.digest) != held.size:
            return False
        # Two files that no entry names may be called `sanitized.png`, and have one size.
        return attached.is_named or self._digest_of(attached) == held.digest

    def _digest_of(self, attached: Attached) -> str | None:
        """Return the digest of a file of the export; None if it cannot be read."""
        name = attached.file.name
        if name not in self._digests:
            try:
                with attached.file.opener() as stream:
                    self._digests[name] = digest_of(stream)
            except (*UNREADABLE, OSError):
                return None
        return self._digests[name]

    def _too_large(self, attached: Attached) -> None:
        if attached.file.name not in self._told:
            self._told.add(attached.file.name)
            self._report.too_large.append(left_out(attached, self._largest))

    def _keep_some(self, database: Database, organization: UUID, wanted: Sequence[_Wanted]) -> None:
        """Write the bytes of some files, then their rows; meanwhile nothing unused is removed."""
        added: dict[str, tuple[str, int, bytes]] = {}
        placed: list[PlacedFile] = []
        with self._store.held():
            with self._store.incoming(organization) as incoming:
                for each in wanted:
                    if each.attached.file.name not in added and not self._read(
                        incoming, each.attached, added
                    ):
                        continue
                    digest, size, head = added[each.attached.file.name]
                    file = MessageFile(
                        message_id=each.message,
                        position=each.attached.position,
                        digest=digest,
                        name=each.attached.name,
                        size=size,
                        media_type=media_type(head, each.attached.name),
                    )
                    placed.append((each.conversation, file))
                    self.places.add(each.attached.file.name)
            self._report.kept += self._add(database, organization, placed)

    def _read(
        self, incoming: Incoming, attached: Attached, added: dict[str, tuple[str, int, bytes]]
    ) -> bool:
        """Add the bytes of a file; False for one that cannot be read, which is reported."""
        file = attached.file
        if file.name in self._told:
            return False
        try:
            with file.opener() as stream:
                stored = incoming.add(stream)
        except (*UNREADABLE, OSError) as error:
            self._told.add(file.name)
            self._report.unreadable.append(_unreadable(attached, error))
            return False
        added[file.name] = stored.digest, stored.size, stored.head
        self._report.bytes += stored.size
        self._on_bytes(stored.size)
        return True

    def _add(self, database: Database, organization: UUID, placed: list[PlacedFile]) -> int:
        def work() -> int:
            with database.transaction(write=True, settings=CHANGING) as connection:
                there = set(lock(connection, organization, sorted({key for key, _ in placed})))
                still = [each for each in placed if each[0] in there]
                added = with_messages(connection, organization, still)
                database.dialect.bulk().add_files(connection, organization, added)
                return len(added)

        return with_retries(database, work) if placed else 0


def _cut(wanted: list[_Wanted]) -> list[_Wanted]:
    """Take from the end what is written at once: at least one file."""
    taken: list[_Wanted] = []
    size = 0
    while wanted and len(taken) < FILES_AT_ONCE and (not taken or size < BYTES_AT_ONCE):
        taken.append(wanted.pop())
        size += taken[-1].attached.file.size
    return taken
