"""Databases to copy and to be copied into, for the tests of `chatdb copy`."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from chatdb.db import schema
from chatdb.db.database import Database
from chatdb.operations.copying.copy_database import copy_database
from tests.operations.export_rows import conversation, message
from tests.operations.importing import load

Make = Callable[..., Database]

COPIED = (
    schema.organizations,
    schema.conversations,
    schema.messages,
    schema.snapshots,
    schema.files,
    schema.message_files,
    schema.message_embeddings,
    schema.tombstones,
)
KINDS = ("sqlite", "postgresql")
BATCH = 1_000
"""Conversations a transaction."""


class Watch:
    """Listens to a copy; `at` is called with the messages of each committed batch."""

    def __init__(self, at: Callable[[int], object] = lambda _: None) -> None:
        self.stages: list[str] = []
        self.notes: list[str] = []
        self.seen = 0
        self._at = at

    def note(self, text: str) -> None:
        self.notes.append(text)

    warning = note

    def begin(self, what: str, total: int | None, unit: str = "bytes") -> None:
        del unit
        self.stages.append(what)
        self.seen = 0
        self.total = total

    def advance(self, amount: int) -> None:
        self.seen += amount
        if self.stages[-1] == "copying":
            self._at(self.seen)


def rows_of(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows that a copy moves, by their keys."""
    with database.transaction() as connection:
        return {
            str(table.name): [
                tuple(row)
                for row in connection.execute(sa.select(table).order_by(*table.primary_key.columns))
            ]
            for table in COPIED
        }


def many(database: Database, count: int = BATCH + 10) -> None:
    """Write so many conversations of one message."""
    load(database, [conversation(n, [message(1, f"word {n}")]) for n in range(1, count + 1)])


def broken_off(source: Database, destination: Database, after: int = BATCH) -> None:
    """Copy until so many messages are in, as Ctrl-C would end it."""

    def interrupt(seen: int) -> None:
        if seen >= after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_database(source, destination, Watch(interrupt))
