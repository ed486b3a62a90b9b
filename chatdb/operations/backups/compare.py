"""Two backups compared by their lists of conversations: what was added, removed or changed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from chatdb.backups.checks import read_index
from chatdb.backups.contents import IndexEntry, OrganizationContents
from chatdb.backups.inventory import Backup
from chatdb.backups.reading import open_data, require_whole
from chatdb.errors import UsageError

Change = Literal["appeared", "vanished", "changed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationChange:
    """A conversation in only one of two backups, or with a different number of messages.

    `messages_before` is None for an added one, `messages_after` for a removed one.
    """

    change: Change
    organization: str
    id: str
    title: str | None
    messages_before: int | None
    messages_after: int | None


def compare_backups(before: Backup, after: Backup) -> Iterator[ConversationChange]:
    """Yield the differences ordered by organization and id; both lists are streamed.

    Raises UsageError for a backup without a list of conversations, InvalidInputError for a
    damaged one.
    """
    keys = {
        item.id: item.key or item.id for each in (before, after) for item in _organizations(each)
    }
    with _entries(before) as old, _entries(after) as new:
        for one, other in _paired(old, new):
            change = _change(one, other)
            entry = other or one
            if change is not None and entry is not None:
                yield ConversationChange(
                    change=change,
                    organization=keys.get(entry.organization_id, entry.organization_id),
                    id=entry.id,
                    title=entry.title,
                    messages_before=None if one is None else one.messages,
                    messages_after=None if other is None else other.messages,
                )


def _organizations(backup: Backup) -> tuple[OrganizationContents, ...]:
    return () if backup.manifest is None else backup.manifest.contents.organizations


@contextmanager
def _entries(backup: Backup) -> Iterator[Iterator[IndexEntry]]:
    require_whole(backup)
    index = None if backup.manifest is None else backup.manifest.index
    if index is None:
        raise UsageError(
            f"{backup.name} does not have a list of its conversations",
            hint="only chatdb's own backups that contain rows have one",
        )
    with open_data(backup, index) as data:
        yield read_index(data, index)


def _paired(
    old: Iterator[IndexEntry], new: Iterator[IndexEntry]
) -> Iterator[tuple[IndexEntry | None, IndexEntry | None]]:
    """Walk both ascending lists at once; an item in only one is paired with None."""
    one, other = next(old, None), next(new, None)
    while one is not None or other is not None:
        if other is None or (one is not None and _key(one) < _key(other)):
            yield one, None
            one = next(old, None)
        elif one is None or _key(other) < _key(one):
            yield None, other
            other = next(new, None)
        else:
            yield one, other
            one, other = next(old, None), next(new, None)


def _key(entry: IndexEntry) -> tuple[str, str]:
    return entry.organization_id, entry.id


def _change(one: IndexEntry | None, other: IndexEntry | None) -> Change | None:
    if one is None:
        return "appeared"
    if other is None:
        return "vanished"
    return "changed" if one.messages != other.messages else None
