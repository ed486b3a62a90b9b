"""The contract of formats: what a reader yields and a writer takes."""

from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from chatdb.records import Conversation, MessageFile

if TYPE_CHECKING:
    from uuid import UUID

    from chatdb.formats.files.json_stream import Layout
    from chatdb.formats.files.sources import Source
    from chatdb.formats.files.writing import Written

RowOutcome = Literal["imported", "merged", "skipped"]


@dataclass(frozen=True, slots=True)
class Skipped:
    """An item that could not be read: where, why, and its id in the source if it has one.

    One invalid conversation never stops the others and is never ignored silently: each becomes one
    of these.
    """

    place: str
    reason: str
    source_id: str | None = None


@dataclass(frozen=True, slots=True)
class IgnoredFile:
    """A file of a folder or archive that is not read: its path, and why.

    `holds_words` says whether it may contain people's words that are nowhere else: leaving it out
    is a loss.
    """

    place: str
    reason: str
    holds_words: bool = False


@dataclass(slots=True)
class RowCounts:
    """The outcome of the rows of a database's table: `read` is the sum of the others.

    `imported` rows became records, `merged` ones parts of another record.
    """

    read: int = 0
    imported: int = 0
    merged: int = 0
    skipped: int = 0


@dataclass(slots=True)
class Tally:
    """What a reader found, for `--explain` and `--report`; readers add to it.

    `unknown_fields` counts dotted paths that no version of the reader knows (kept in metadata
    anyway), `lossy` counts sentences about values that were guessed or could not be kept exactly,
    `kinds` the conversations that are documents, memories or canvases, `rows` those of each table
    of a database.
    """

    conversations: int = 0
    messages: int = 0
    skipped: int = 0
    replaced_characters: int = 0
    versions: Counter[str] = field(default_factory=Counter)
    content_types: Counter[str] = field(default_factory=Counter)
    unknown_fields: Counter[str] = field(default_factory=Counter)
    lossy: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    rows: dict[str, RowCounts] = field(default_factory=dict)
    other_ids: "tuple[UUID, ...] | None" = None
    """Set with each conversation: None if its source names its id; else the id was derived from
    its beginning, and these are others under which it may be known already."""

    def count_rows(self, table: str, outcome: RowOutcome, count: int = 1) -> None:
        """Count rows of a table by outcome."""
        counts = self.rows.setdefault(table, RowCounts())
        counts.read += count
        setattr(counts, outcome, getattr(counts, outcome) + count)

    def add(self, other: "Tally") -> None:
        """Add the counts of another reader of files, whose `rows` are none."""
        for name in ("conversations", "messages", "skipped", "replaced_characters"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("versions", "content_types", "unknown_fields", "lossy", "kinds"):
            if found := getattr(other, name):
                getattr(self, name).update(found)


@dataclass(frozen=True, slots=True)
class Sample:
    """The beginning of a file, for detecting its format by structure.

    `layout` is the file's top-level structure: a JSON list, JSON objects one after another (JSON
    Lines, or a single object), an object that wraps a list of conversations, or not JSON. `values`
    holds the first complete values (list elements, objects), decoded; `trouble` is the first thing
    that could not be read, `hint` what to do about it.
    """

    head: bytes
    layout: "Layout"
    values: tuple[Any, ...]
    trouble: str | None = None
    hint: str | None = None


class Reader(Protocol):
    """Turns files of one format into records, one conversation at a time.

    `version` goes into every `source_hash`: raise it if the records of the same file change.
    """

    name: str
    version: int

    def recognises(self, sample: Sample) -> bool:
        """Tell by its structure whether the file has this format."""
        ...

    def read(
        self, source: "Source", tally: Tally, *, source_name: str | None = None
    ) -> Iterator[Conversation | Skipped]:
        """Yield every conversation of the source, and a `Skipped` for each that cannot be read."""
        ...


@runtime_checkable
class FolderReader(Reader, Protocol):
    """A reader whose files have others beside them, which are read together with them."""

    def folders_beside(self, name: str) -> Iterable[str]:
        """Yield the folders in which a file of this format would have a file of that name."""
        ...


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """What a writer leaves out by default; the native format always contains everything.

    `source` is a word for where the records come from, for formats that have a header;
    `attachments` is the folder beside the files that has the kept attachments, for transcripts;
    `raw_csv` leaves cells of CSV that a spreadsheet would run as a formula unchanged.
    `read_file` returns the first bytes of a kept file, at most so many; None if it is gone.
    `font_folders` have fonts beside those of the system, for formats with pages.
    """

    all_branches: bool = False
    include_hidden: bool = False
    source: str | None = None
    attachments: str | None = None
    raw_csv: bool = False
    read_file: "ReadFile | None" = None
    font_folders: tuple[str, ...] = ()


ReadFile = Callable[[Conversation, MessageFile, int], bytes | None]


@dataclass(frozen=True, slots=True)
class MissingLetters:
    """Letters of a script that no font has: some of them, how many there are, how often they stand.

    `package` is the one of Debian that has a font for them, if any has.
    """

    script: str
    examples: str
    letters: int
    times: int
    package: str | None


class Writer(Protocol):
    """Turns records into bytes: `begin`, conversations joined by `separator`, `end`.

    `messages` is how many messages the last conversation was written with.
    """

    name: str
    extension: str
    separator: bytes = b""
    messages: int = 0

    def begin(self) -> bytes:
        """Return the bytes before the first conversation of a file."""
        return b""

    @abstractmethod
    def conversation(self, record: Conversation) -> bytes:
        """Return one conversation."""

    def pieces(self, record: Conversation) -> Iterable[bytes]:
        """Yield one conversation in pieces, of which one at a time is in memory."""
        return (self.conversation(record),)

    def end(self) -> bytes:
        """Return the bytes after the last conversation of a file."""
        return b""

    def report(self, written: "Written") -> None:
        """Add what is known when everything is written: nothing more, of most formats."""
        del written

    def is_same(self, one: bytes, other: bytes) -> bool:
        """Tell whether two files differ only in when they were written."""
        return one == other


@dataclass(frozen=True, slots=True)
class Document:
    """A document as bytes: of which name, and which volume of it, None for the only one.

    The counts are of the conversations that begin in it.
    """

    name: str
    number: int | None
    data: bytes
    conversations: int
    messages: int


@runtime_checkable
class VolumeWriter(Writer, Protocol):
    """A writer whose documents are made as wholes, and which divides one that is too large."""

    def documents(
        self, named: Iterable[tuple[str, Conversation]], *, empty: str | None = None
    ) -> Generator[Document, None, None]:
        """Yield a document for each name, in as many volumes as it needs.

        Records of one name follow one another. Without any record there is one of the name `empty`.
        """
        ...
