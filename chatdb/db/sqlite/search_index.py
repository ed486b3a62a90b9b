"""FTS5's table on SQLite: its state, a comparison with the messages, rebuilding it.

FTS5 keeps four tables of its own (data, idx, docsize, config). Record 1 of `data` contains how many
rows and words it has: all else is counted against that, without the write lock that FTS5's own
check takes.
"""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

import sqlalchemy as sa

from chatdb.db.connect import connect_sqlite, driver_connection
from chatdb.db.contract.search_index import CaughtUp, Forget, Glance, IndexSight, SearchIndex
from chatdb.db.migrating.catalogue import expected_catalogue
from chatdb.db.sqlite.bulk import CACHE_KIB, fill_search
from chatdb.db.sqlite.catalogue import normal
from chatdb.db.sqlite.damage import SEARCH_TABLE as TABLE
from chatdb.db.sqlite.search_forms import FORMS, QUEUE, queued, take_from_queue
from chatdb.errors import ChatdbError
from chatdb.primitives.watch import Watch

if TYPE_CHECKING:
    from chatdb.db.database import Database

_PARTS = ("data", "idx", "docsize", "config")
# The count reads the whole index, and a search that found nothing waits for it.
_SMALL = 300_000
"""Up to this many words are counted for a search that found little."""
_STEPS_BETWEEN_LOOKS = 10_000
_AT_ONCE = 2_000
_CATCH_UP_LOCK_SECONDS = 0.2
"""A search does not wait for another program that writes."""
_MOST_COUNTED = 100_000
_WORDS = "chatdb_search_words"
_UNREADABLE = ("SQLITE_CORRUPT", "SQLITE_ERROR")


class SqliteSearchIndex(SearchIndex):
    """`messages_search`, the view it reads and the three triggers that update it."""

    def glance(self, connection: sa.Connection) -> Glance:
        driver = driver_connection(connection)
        objects = {row[0] for row in driver.execute("SELECT name FROM sqlite_master")}
        if not {TABLE, *(f"{TABLE}_{part}" for part in _PARTS)} <= objects:
            return Glance(is_usable=False)
        missing = [
            name for kind, name, _ in _expected() if kind == "trigger" and name not in objects
        ]
        if missing:
            return Glance(is_usable=True, problem=f"the trigger {missing[0]} is missing")
        # Two ends of indexes; comparing all rows would make each look as slow as a count.
        newest, newest_indexed = driver.execute(
            "SELECT (SELECT max(rid) FROM messages), (SELECT max(id) FROM messages_search_docsize)"
        ).fetchone()
        if newest == newest_indexed:
            _, words = _totals(driver)
            return Glance(is_usable=True, is_small=words is None or words <= _SMALL)
        return Glance(is_usable=True, problem="its messages are not those of the table")

    def catch_up(self, database: "Database", *, seconds: float | None) -> CaughtUp:
        ends = float("inf") if seconds is None else time.monotonic() + seconds
        indexed = 0
        waiting = _waiting(database)
        # Locked, full or read-only: the search goes on with what is indexed.
        with suppress(sqlite3.Error, ChatdbError):
            while waiting and time.monotonic() < ends:
                indexed += _catch_up_some(database)
                waiting = _waiting(database)
        return CaughtUp(indexed, waiting)

    def look(self, connection: sa.Connection, *, seconds: float | None) -> IndexSight:
        driver = driver_connection(connection)
        objects = tuple(_missing(driver))
        messages = indexed = size = None
        damages: list[str] = []
        unchecked: list[str] = []
        try:
            with _deadline(driver, seconds):
                messages = _value(driver, "SELECT count(*) FROM messages")
                indexed = _value(driver, f"SELECT count(*) FROM {TABLE}_docsize")
                damages += _counts(driver, messages, indexed)
                # Before the words: a large index may not be counted in time, its size is.
                size = _size(driver)
                damages += _words(driver)
        except sqlite3.Error as error:
            if _name(error) == "SQLITE_INTERRUPT":
                unchecked.append(f"it was not counted within {seconds:g} s")
            # A damaged index is the answer here; a lock or a full disk is not.
            elif not _name(error).startswith(_UNREADABLE):
                raise
            elif not objects:
                damages.append(f"it cannot be read: {error}")
        return IndexSight(
            bytes=size,
            messages=messages,
            indexed=indexed,
            objects=objects,
            damages=tuple(damages),
            unchecked=tuple(unchecked),
        )

    def check(self, connection: sa.Connection) -> IndexSight:
        seen = self.look(connection, seconds=None)
        if seen.problems:
            return seen
        driver = driver_connection(connection)
        try:
            with _deadline(driver):
                # Rank 1: without it FTS5 checks its tables against
                # each other only, not against the texts.
                driver.execute(f"INSERT INTO {TABLE}({TABLE}, rank) VALUES ('integrity-check', 1)")
        except sqlite3.Error as error:
            if not _name(error).startswith(_UNREADABLE):
                raise
            text = "it does not contain the words of the messages (FTS5's integrity check)"
            return IndexSight(
                bytes=seen.bytes, messages=seen.messages, indexed=seen.indexed, damages=(text,)
            )
        return seen

    def rebuild(self, database: "Database", watch: Watch, *, forget: Forget) -> None:
        with database.transaction(write=True) as connection:
            driver = driver_connection(connection)
            driver.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            _remove(driver)
            triggers = []
            for kind, _, statement in _expected():
                if kind == "trigger":
                    # Last: each filled row would go through them a second time.
                    triggers.append(statement)
                else:
                    driver.execute(statement)
            rows = _value(driver, "SELECT count(*) FROM messages")
            watch.begin("building the search index", rows, "messages")
            fill_search(driver, on_rows=watch.advance)
            for statement in triggers:
                driver.execute(statement)
            forget(connection)


def _catch_up_some(database: "Database") -> int:
    with closing(connect_sqlite(database.url, busy_seconds=_CATCH_UP_LOCK_SECONDS)) as driver:
        driver.begin(write=True)
        indexed = take_from_queue(driver, _AT_ONCE)
        driver.execute("COMMIT")
    return indexed


def _waiting(database: "Database") -> int:
    with database.transaction() as connection:
        driver = driver_connection(connection)
        there = driver.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (QUEUE,)).fetchone()
        return queued(driver, _MOST_COUNTED) if there else 0


def _expected() -> Sequence[tuple[str, str, str]]:
    """Return (kind, name, statement) of all the index's objects, in the order of creation."""
    found = [
        (entry.kind, entry.name, entry.definition)
        for entry in expected_catalogue("sqlite")
        if entry.name.startswith(TABLE) and entry.kind in ("table", "view", "trigger")
    ]
    return sorted(found, key=lambda item: ("view", "table", "trigger").index(item[0]))


def _missing(driver: sqlite3.Connection) -> Iterator[str]:
    there = {
        name: normal(text or "")
        for name, text in driver.execute("SELECT name, sql FROM sqlite_master")
    }
    for kind, name, statement in _expected():
        if name not in there:
            yield f"the {kind} {name} is missing"
        elif there[name] != statement:
            yield f"the {kind} {name} is not chatdb's"
    for part in _PARTS:
        if TABLE in there and f"{TABLE}_{part}" not in there:
            yield f"the table {TABLE}_{part} is missing"


def _counts(driver: sqlite3.Connection, messages: int, indexed: int) -> Iterator[str]:
    rows, _ = _totals(driver)
    if messages != indexed:
        yield f"it has {indexed:,} messages, but there are {messages:,}"
    elif rows != indexed and rows is not None:
        yield f"it has {indexed:,} messages, but its own count is {rows:,}"
    elif rows is None:
        yield "its own count of rows and words is missing"


def _words(driver: sqlite3.Connection) -> Iterator[str]:
    """Count the words by reading the whole index: a lost part takes its words with it."""
    _, words = _totals(driver)
    # If FTS5 cannot open it this fails; the table below would spoil the commit as well.
    driver.execute(f"SELECT 1 FROM {TABLE} LIMIT 0").fetchall()
    driver.execute(f"CREATE VIRTUAL TABLE temp.{_WORDS} USING fts5vocab('main', '{TABLE}', 'row')")
    try:
        found = _value(driver, f"SELECT coalesce(sum(cnt), 0) FROM temp.{_WORDS}")
    finally:
        driver.execute(f"DROP TABLE temp.{_WORDS}")
    if words is not None and found != words:
        yield f"it has {found:,} words, but its own count is {words:,}"


def _totals(driver: sqlite3.Connection) -> tuple[int | None, int | None]:
    """Return FTS5's own numbers of rows and words (record 1 of its data: two varints)."""
    row = driver.execute(f"SELECT block FROM {TABLE}_data WHERE id = 1").fetchone()
    numbers = [] if row is None else list(_varints(bytes(row[0] or b"")))
    if not numbers:
        return (None, None) if row is None else (0, 0)
    return numbers[0], numbers[1] if len(numbers) > 1 else 0


def _varints(data: bytes) -> Iterator[int]:
    """Read SQLite's variable-length integers (https://www.sqlite.org/fileformat.html)."""
    number = count = 0
    for byte in data:
        count += 1
        if count == 9:
            yield number << 8 | byte
            number = count = 0
            continue
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            yield number
            number = count = 0


def _size(driver: sqlite3.Connection) -> int:
    return _value(driver, f"SELECT coalesce(sum(length(block)), 0) FROM {TABLE}_data")


def _remove(driver: sqlite3.Connection) -> None:
    """Drop the index, however damaged: FTS5 itself drops only what it can open."""
    for kind, name, _ in reversed(_expected()):
        if kind == "trigger":
            driver.execute(f"DROP TRIGGER IF EXISTS {name}")
    # A DROP that fails half-way must leave the tables for the second try.
    driver.execute("SAVEPOINT remove_search")
    try:
        driver.execute(f"DROP TABLE IF EXISTS {TABLE}")
    except sqlite3.Error as error:
        if not _name(error).startswith(_UNREADABLE):
            raise
        driver.execute("ROLLBACK TO remove_search")
        _make_readable(driver)
        driver.execute(f"DROP TABLE IF EXISTS {TABLE}")
    driver.execute("RELEASE remove_search")
    for part in _PARTS:
        driver.execute(f"DROP TABLE IF EXISTS {TABLE}_{part}")
    for table in (FORMS, QUEUE):
        driver.execute(f"DROP TABLE IF EXISTS {table}")
    driver.execute(f"DROP VIEW IF EXISTS {TABLE}_source")


def _make_readable(driver: sqlite3.Connection) -> None:
    """Replace the damaged tables by those of a new, empty FTS5 table."""
    driver.execute(f"CREATE VIRTUAL TABLE temp.{TABLE}_empty USING fts5(content, content='')")
    try:
        for part in _PARTS:
            empty = f"{TABLE}_empty_{part}"
            (statement,) = driver.execute(
                "SELECT sql FROM sqlite_temp_master WHERE name = ?", (empty,)
            ).fetchone()
            driver.execute(f"DROP TABLE IF EXISTS main.{TABLE}_{part}")
            driver.execute(statement.replace(empty, f"{TABLE}_{part}"))
            driver.execute(f"INSERT INTO main.{TABLE}_{part} SELECT * FROM temp.{empty}")
    finally:
        driver.execute(f"DROP TABLE temp.{TABLE}_empty")


def _value(driver: sqlite3.Connection, query: str) -> int:
    return int(driver.execute(query).fetchone()[0])


def _name(error: BaseException) -> str:
    return str(getattr(error, "sqlite_errorname", ""))


@contextmanager
def _deadline(driver: sqlite3.Connection, seconds: float | None = None) -> Iterator[None]:
    """Interrupt the statements inside with SQLITE_INTERRUPT at the timeout, or at Ctrl-C.

    SQLite turns a KeyboardInterrupt raised in a callback into the same error.
    """
    ends = float("inf") if seconds is None else time.monotonic() + seconds
    driver.set_progress_handler(lambda: time.monotonic() > ends, _STEPS_BETWEEN_LOOKS)
    try:
        yield
    except sqlite3.Error as error:
        if _name(error) == "SQLITE_INTERRUPT" and time.monotonic() < ends:
            raise KeyboardInterrupt from error
        raise
    finally:
        driver.set_progress_handler(None, 0)
