"""The report of an import: counts, skipped items, and the whole run."""

from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Literal
from uuid import UUID

from chatdb.formats.base import IgnoredFile, RowCounts
from chatdb.formats.unread import Counts
from chatdb.operations.attachments.public import KeptAttachments

Outcome = Literal["new", "updated", "unchanged", "deleted_here", "skipped"]


@dataclass(slots=True)
class ImportCounts:
    """Conversations by outcome, and the messages that were written.

    `deleted_here` were left out because they were deleted in chatdb; `messages_changed` are
    existing messages that got newer values from the source.
    """

    new: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted_here: int = 0
    skipped: int = 0
    messages_new: int = 0
    messages_changed: int = 0

    @property
    def conversations(self) -> int:
        """How many conversations of the source are in the database now."""
        return self.new + self.updated + self.unchanged

    def add(self, other: "ImportCounts") -> None:
        """Add the counts of another."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedItem:
    """An item that is not in the database: its place, the reason, its id in the source if any."""

    place: str
    reason: str
    source_id: str | None = None


@dataclass(slots=True, kw_only=True)
class FileReport:
    """The outcome of one input; the counters by name are what its reader met.

    `kinds` counts the conversations that are not chats but documents, memories or canvases.
    `organizations` counts conversations by the organization that a native file names for them.
    `rows` counts those of each table of a database; `source_name` is what its ids were made with,
    `other_source_names` are those under which the same system is here too, if all that came under
    this one is new. `ignored_files` are the files of a folder or archive that are not read; those
    that may contain people's words are among the skipped items too. `error` is set if the input as
    a whole could not be read (to its end).
    """

    path: str
    format: str | None = None
    source_name: str | None = None
    other_source_names: tuple[str, ...] = ()
    bytes: int = 0
    counts: ImportCounts = field(default_factory=ImportCounts)
    messages: int = 0
    replaced_characters: int = 0
    versions: dict[str, int] = field(default_factory=dict)
    content_types: dict[str, int] = field(default_factory=dict)
    unknown_fields: dict[str, int] = field(default_factory=dict)
    lossy: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, int] = field(default_factory=dict)
    organizations: dict[str, int] = field(default_factory=dict)
    rows: dict[str, RowCounts] = field(default_factory=dict)
    skipped: list[SkippedItem] = field(default_factory=list)
    ignored_files: list[IgnoredFile] = field(default_factory=list)
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """The outcome of one record: `item` says why it was skipped.

    `met` is what its reader would have counted in a record that needed no reading.
    """

    file: int
    outcome: Outcome
    messages_new: int = 0
    messages_changed: int = 0
    item: SkippedItem | None = None
    conversation_id: UUID | None = None
    met: Counts | None = None


def count(placed: list[Placed]) -> ImportCounts:
    """Return the counts of a batch."""
    counts = ImportCounts()
    for each in placed:
        setattr(counts, each.outcome, getattr(counts, each.outcome) + 1)
        counts.messages_new += each.messages_new
        counts.messages_changed += each.messages_changed
    return counts


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """The whole run, as `--report` writes it.

    `all_organizations` says that each conversation went to the organization it names;
    `organizations_made` are those that were missing. `attachments` are the files that were kept, if
    that was asked for.
    """

    chatdb: str
    database: str | None
    organization: str
    all_organizations: bool
    organizations_made: tuple[str, ...]
    dry_run: bool
    outcome: Literal["done", "partial"]
    started_at: datetime
    finished_at: datetime
    counts: ImportCounts
    messages: int
    replaced_characters: int
    search_index: str
    files: list[FileReport]
    attachments: KeptAttachments | None = None
