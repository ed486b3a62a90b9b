"""What is kept of a database, with the details from its log."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from chatdb.db.migrating.revision import look
from chatdb.db.url import DatabaseUrl
from chatdb.errors import ChatdbError, NotFoundError, UsageError
from chatdb.operations.kept.deletions import LoggedDeletion, read_deletion_log
from chatdb.operations.kept.items import KeptItem, MadeBy, deletion_time, find_kept, sorted_out
from chatdb.primitives.filled import filled


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptEntry:
    """A kept item; `name` is the database's on the server, or the file's path.

    Of a deletion `organization`, `conversations` and `messages` tell what went; None where the
    log of this database does not name it, or cannot be read.
    """

    name: str
    made_by: MadeBy
    kept_at: datetime
    bytes: int
    organization: str | None = None
    conversations: int | None = None
    messages: int | None = None

    @property
    def is_logged(self) -> bool:
        """Tell whether the log of the database contains it."""
        return self.organization is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptDetails(KeptEntry):
    """A kept item, with the revision of a database's schema, if known."""

    revision: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptEntries:
    """What is kept of a database (`own`), and deletions of the same folder that are of others.

    `log_problem` tells why the log could not be read: then nobody knows whose deletions they are.
    """

    own: list[KeptEntry]
    others: list[KeptEntry]
    log_problem: str | None = None

    @property
    def all(self) -> list[KeptEntry]:
        """Return both, the oldest first."""
        return sorted([*self.own, *self.others], key=_order)


def kept_entries(url: DatabaseUrl, *, schema: str | None = None) -> KeptEntries:
    """Return what is kept, oldest first, including deletions saved elsewhere.

    Raises the errors of `chatdb.errors` for a server that cannot be reached.
    """
    log = read_deletion_log(url, schema=schema)
    logged = {each.path.name: each for each in log.deletions}
    items = find_kept(url)
    own, others = sorted_out(items, log)
    there = {Path(item.name).name for item in items}
    own += [
        _elsewhere(each)
        for name, each in logged.items()
        if name not in there and each.path.is_file()
    ]
    deletions = ((item, logged if item.made_by == "deletion" else {}) for item in own)
    entries = [
        filled(KeptEntry, item, known.get(Path(item.name).name)) for item, known in deletions
    ]
    return KeptEntries(
        own=sorted(entries, key=_order),
        others=[filled(KeptEntry, item, None) for item in others],
        log_problem=log.problem,
    )


def _order(entry: KeptEntry) -> tuple[datetime, str]:
    return entry.kept_at, entry.name


def named(entries: Sequence[KeptEntry], text: str) -> KeptEntry:
    """Return the entry of a name: the whole of it, or the end of a path.

    Raises NotFoundError, UsageError if several end so.
    """
    found = [entry for entry in entries if text == entry.name]
    found = found or [entry for entry in entries if Path(text).name == Path(entry.name).name]
    if not found:
        raise NotFoundError(f"nothing with the name {text} is kept", hint="chatdb kept list")
    if len(found) > 1:
        raise UsageError(
            f"{text} may be {' or '.join(entry.name for entry in found)}",
            hint="give it with its folder",
        )
    return found[0]


def details(entry: KeptEntry, url: DatabaseUrl, *, schema: str | None = None) -> KeptDetails:
    """Read the details of an entry."""
    return KeptDetails(**asdict(entry), revision=_revision(entry, url, schema))


def _revision(entry: KeptEntry, url: DatabaseUrl, schema: str | None) -> str | None:
    if entry.made_by not in ("restore", "migration"):
        return None
    place = url.with_database(entry.name)
    if url.path is not None:
        place = DatabaseUrl(dialect_name="sqlite", path=Path(entry.name))
    try:
        return look(place, schema=schema).revision
    except ChatdbError:
        return None


def _elsewhere(deletion: LoggedDeletion) -> KeptItem:
    told = deletion.path.stat()
    kept_at = deletion_time(deletion.path) or deletion.kept_at
    return KeptItem(
        name=str(deletion.path), made_by="deletion", kept_at=kept_at, bytes=told.st_size
    )
