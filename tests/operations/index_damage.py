"""Ways in which a full-text index is damaged or incomplete, for the tests of its check."""

import sqlite3
from collections.abc import Callable
from contextlib import closing

import psycopg
import pytest

from chatdb.db.connect import connect_postgresql
from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from tests.operations.importing import conversation, load, message

MESSAGES = 400
INDEX = "ix_messages_search"
DOWN = "UPDATE messages_search_data SET block = "


class Told:
    """Remembers what a build says."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.done = 0

    def note(self, text: str) -> None:
        self.notes.append(text)

    warning = note

    def begin(self, what: str, total: int | None, unit: str = "bytes") -> None:
        del what, total, unit

    def advance(self, amount: int) -> None:
        self.done += amount


def fill(database: Database) -> None:
    """Store messages with words enough that the index has pages of its own."""
    texts = [
        message(f"m{n}", content=" ".join(f"word{n * 40 + k}" for k in range(40)) + " common")
        for n in range(MESSAGES)
    ]
    load(database, [conversation("talk", texts)])


def execute(url: DatabaseUrl, *statements: str) -> None:
    """Run statements by the bare driver, each in a transaction of its own."""
    if url.path is None:
        with connect_postgresql(url, autocommit=True) as server:
            for statement in statements:
                server.execute(statement.encode())
        return
    with closing(sqlite3.connect(url.sqlite_path)) as file:
        for statement in statements:
            file.execute(statement)
        file.commit()


def halve_blocks(url: DatabaseUrl) -> None:
    """Make nulls of the second half of the largest blocks, as a failing disk does."""
    with closing(sqlite3.connect(url.sqlite_path)) as file:
        rows = file.execute(
            "SELECT id, block FROM messages_search_data WHERE id > 1000"
            " ORDER BY length(block) DESC LIMIT 6"
        ).fetchall()
        for identifier, block in rows:
            half = block[: len(block) // 2] + bytes(len(block) - len(block) // 2)
            file.execute(
                "UPDATE messages_search_data SET block = ? WHERE id = ?", (half, identifier)
            )
        file.commit()


def leave_invalid(url: DatabaseUrl, statement: str = f"REINDEX INDEX CONCURRENTLY {INDEX}") -> None:
    """End a concurrent build while it waits for a writer: an invalid index is left."""
    with connect_postgresql(url) as writer, connect_postgresql(url, autocommit=True) as builder:
        writer.execute("UPDATE messages SET content = content")
        builder.execute("SET lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            builder.execute(statement.encode())
        writer.rollback()


def invalidate(url: DatabaseUrl) -> None:
    """Leave the index itself invalid, as a failed CREATE INDEX CONCURRENTLY does."""
    with connect_postgresql(url, autocommit=True) as server:
        row = server.execute(f"SELECT pg_get_indexdef('{INDEX}'::regclass)".encode()).fetchone()
        assert row is not None
        server.execute(f"DROP INDEX {INDEX}".encode())
    leave_invalid(url, str(row[0]).replace("CREATE INDEX", "CREATE INDEX CONCURRENTLY", 1))


def by(*statements: str) -> Callable[[DatabaseUrl], None]:
    """Return a way that runs statements."""
    return lambda url: execute(url, *statements)


SQLITE: dict[str, tuple[Callable[[DatabaseUrl], None], str]] = {
    "blocks": (halve_blocks, "words, but its own count is"),
    "blocks gone": (by("DELETE FROM messages_search_data WHERE id > 1000"), "cannot be read"),
    "structure zeroed": (by(f"{DOWN}zeroblob(20) WHERE id = 10"), "words, but its own count is"),
    "structure lost": (by("DELETE FROM messages_search_data WHERE id = 10"), "cannot be read"),
    "structure garbled": (by(f"{DOWN}x'ffffffffffffffff' WHERE id = 10"), "cannot be read"),
    "totals lost": (by("DELETE FROM messages_search_data WHERE id = 1"), "is missing"),
    "settings lost": (by("DELETE FROM messages_search_config"), "cannot be read"),
    "rows lost": (by("DELETE FROM messages_search_docsize WHERE id % 3 = 0"), "has 267 messages"),
    "a trigger lost": (by("DROP TRIGGER messages_search_insert"), "messages_search_insert"),
    "all triggers lost, then a row": (
        by(
            "DROP TRIGGER messages_search_delete",
            "DELETE FROM messages WHERE rid % 7 = 0",
        ),
        "messages_search_delete",
    ),
    "rows of no message": (
        by("INSERT INTO messages_search(rowid, content) VALUES (999999, 'ghost')"),
        "has 401 messages, but there are 400",
    ),
    "a table lost": (by("DROP TABLE messages_search_docsize"), "messages_search_docsize"),
    "all of it lost": (by("DROP TABLE messages_search"), "messages_search is missing"),
    "the view lost": (by("DROP VIEW messages_search_source"), "messages_search_source"),
    "a trigger altered": (
        by(
            "DROP TRIGGER messages_search_insert",
            "CREATE TRIGGER messages_search_insert AFTER INSERT ON messages BEGIN SELECT 1; END",
        ),
        "messages_search_insert is not chatdb's",
    ),
}
"""What a look finds, and what it says."""

POSTGRESQL: dict[str, tuple[Callable[[DatabaseUrl], None], str]] = {
    "dropped": (by(f"DROP INDEX {INDEX}"), f"{INDEX} is missing"),
    "invalid": (invalidate, "is invalid"),
    "left over": (leave_invalid, f"{INDEX}_ccnew was left"),
    "another's": (
        by(
            f"DROP INDEX {INDEX}",
            f"CREATE INDEX {INDEX} ON messages USING gin (to_tsvector('simple', content))",
        ),
        "is not chatdb's",
    ),
}

WAYS = [
    *(pytest.param("sqlite", *way, id=f"sqlite: {name}") for name, way in SQLITE.items()),
    *(
        pytest.param("postgresql", *way, id=f"postgresql: {name}", marks=pytest.mark.postgresql)
        for name, way in POSTGRESQL.items()
    ),
]
"""(database, way to damage it, words of the problem) for a parametrised test."""
