"""The full-text index: its state, a full check, and rebuilding it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import sqlalchemy as sa

from chatdb.db.contract.search_index import COMPLETE_HINT, IndexSight
from chatdb.db.database import Database
from chatdb.errors import StorageError
from chatdb.primitives.watch import Watch
from chatdb.store.search_index import forget_search_index_state, search_index_state

LOOK_SECONDS = 2.0
"""How long a look counts: enough for some millions of messages."""

IndexState = Literal["present", "damaged", "deferred", "off"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchIndexReport:
    """What is known about the index.

    `state` is present, damaged (or missing, or incomplete: see `problems`), deferred (left out by
    an import, to be built later) or off (by request). `messages` and `indexed` are counts on
    SQLite, `bytes` is its size. `unchecked` says what was not checked, and why.
    """

    state: IndexState
    messages: int | None
    indexed: int | None
    bytes: int | None
    problems: tuple[str, ...]
    unchecked: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Tell whether searches may rely on it, or it is off by request."""
        return self.state in ("present", "off")


def look_at_search_index(
    database: Database,
    *,
    seconds: float | None = LOOK_SECONDS,
    settings: Mapping[str, str] | None = None,
) -> SearchIndexReport:
    """Check the index by counts (SQLite) and in the catalogue (PostgreSQL), without locks.

    What is not counted within `seconds` (None: no limit) is left unchecked; `settings` are those of
    the transaction.
    """
    with database.transaction(settings=settings) as connection:
        seen = database.dialect.search_index().look(connection, seconds=seconds)
        return _report(connection, seen)


def check_search_index(
    database: Database, *, settings: Mapping[str, str] | None = None
) -> SearchIndexReport:
    """Compare the whole index with the messages, as far as the database can.

    SQLite takes the write lock meanwhile; a file that cannot be written is only counted.
    """
    ways = database.dialect.search_index()
    try:
        with database.transaction(write=True, settings=settings) as connection:
            return _report(connection, ways.check(connection))
    except StorageError as error:
        seen = look_at_search_index(database, seconds=None, settings=settings)
        return replace(seen, unchecked=(*seen.unchecked, f"only counted: {error.text}"))


def rebuild_search_index(database: Database, watch: Watch, *, only_if_needed: bool = False) -> bool:
    """Rebuild the index from the messages; return whether it was.

    SQLite: in one transaction, with its triggers. PostgreSQL: beside the old one while writers
    continue, behind a pooler without a direct URL in one transaction. `only_if_needed` leaves an
    index alone in which a quick check finds nothing wrong. Raises the errors of the database.
    """
    if only_if_needed and look_at_search_index(database).state == "present":
        return False
    ways = database.dialect.search_index()
    ways.rebuild(database, watch, forget=forget_search_index_state)
    return True


def search_index_warning(problem: str) -> str:
    """Return the note on a database, such as one in a backup, whose index is not intact."""
    return (
        f"the full-text index in it is not intact ({problem}), but its messages are; after "
        f"restoring it, run {COMPLETE_HINT}"
    )


def _report(connection: sa.Connection, seen: IndexSight) -> SearchIndexReport:
    state = search_index_state(connection)
    found: IndexState = state
    problems: tuple[str, ...] = ()
    if state == "present":
        problems = seen.problems
        found = "damaged" if problems else "present"
    elif state == "deferred":
        problems = ("an import did not finish, which would have built it",)
    return SearchIndexReport(
        state=found,
        messages=seen.messages,
        indexed=seen.indexed,
        bytes=seen.bytes,
        problems=problems,
        unchecked=seen.unchecked if state == "present" else (),
    )
