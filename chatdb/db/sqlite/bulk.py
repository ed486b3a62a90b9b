"""Bulk load on SQLite: executemany without triggers, the full-text index filled in chunks.

The triggers are dropped and created again inside the same transaction, so another connection never
sees the table without them and a crash leaves them in place.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import datetime
from json import dumps
from typing import Any, ClassVar
from uuid import UUID

import msgspec
import sqlalchemy as sa

from chatdb.db.connect import driver_connection
from chatdb.db.contract.bulk import (
    KNOWN_FILE,
    REPLACED_FILE,
    SEARCH_CHUNK,
    Ahead,
    BatchRows,
    Bulk,
    Converters,
    PlacedFile,
    Row,
    StoredKey,
    Verdict,
    checked_text,
    is_record_error,
    json_bytes,
    placed_files,
    row_maker,
    sized_files,
)
from chatdb.db.sqlite.search_forms import FORMS, QUEUE, clear_forms, make_forms
from chatdb.db.types import time_text
from chatdb.primitives import canonical
from chatdb.records import Message
from chatdb.store import columns

# Filling in chunks takes 24,000 rows a second with FTS5's 1 MB, 36,000 with a large table.
HASH_SIZE = 16 << 20
"""Bytes of FTS5's table in memory while an import fills it; the setting is stored in the file."""
DEFAULT_HASH_SIZE = 1 << 20
AUTOMERGE = 16
"""Segments of FTS5's index before it merges them; the default of 4 rewrites it too often."""
CACHE_KIB = 24 * 1024
# Checkpoints of the default 1,000 pages wrote the same index pages to the file over and over.
CHECKPOINT_PAGES = 32_000
"""Pages in the write-ahead log before a checkpoint: an index page changes often."""

_SEARCH_TRIGGERS = "messages_search_"
_OUR_TRIGGERS = (_SEARCH_TRIGGERS, "messages_touch_")

_TIME_LENGTH = len("2026-01-31T12:00:00.500000Z")
_WHOLE_SECONDS = len("2026-01-31T12:00:00Z")
_to_builtins = msgspec.to_builtins


class SqliteBulk(Bulk):
    """One writer with the lock of the file, so that nothing else needs locking."""

    transaction_settings: ClassVar[dict[str, str]] = {}
    defers_search_index: ClassVar[bool] = False

    def stored_keys(
        self, connection: sa.Connection, organization_id: UUID, ids: Sequence[UUID]
    ) -> dict[UUID, StoredKey]:
        rows = driver_connection(connection).execute(
            # json_each takes any number of ids; one `?` an id
            # would meet SQLite's limit of variables.
            "SELECT id, source_hash, user_id FROM conversations WHERE " + _among("id"),
            (str(organization_id), _id_list(ids)),
        )
        return {UUID(identifier): StoredKey(digest, user) for identifier, digest, user in rows}

    def tombstones(
        self, connection: sa.Connection, organization_id: UUID, ids: Sequence[UUID]
    ) -> dict[UUID, set[UUID]]:
        found: dict[UUID, set[UUID]] = {}
        for conversation_id, message_id in driver_connection(connection).execute(
            "SELECT conversation_id, message_id FROM tombstones WHERE " + _among("conversation_id"),
            (str(organization_id), _id_list(ids)),
        ):
            found.setdefault(UUID(conversation_id), set()).add(UUID(message_id))
        return found

    def lock(self, connection: sa.Connection, organization_id: UUID, ids: Sequence[UUID]) -> None:
        """Do nothing: the transaction began with the write lock of the whole file."""

    def message_rows(
        self, organization_id: UUID, conversation_id: UUID, messages: Iterable[tuple[int, Message]]
    ) -> Iterator[Row]:
        organization, conversation = str(organization_id), str(conversation_id)
        for position, message in messages:
            yield _message_row((organization, conversation, position), message)

    def write(
        self,
        connection: sa.Connection,
        organization_id: UUID,
        rows: BatchRows,
        *,
        index: bool,
        ahead: Ahead,
    ) -> None:
        if rows.is_empty:
            return
        driver = driver_connection(connection)
        organization = str(organization_id)
        driver.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        # Both settings end with the connection: the file and other programs keep theirs.
        driver.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        # FTS5 fed by a trigger a row takes 9,400 rows a second, filled in chunks 36,000.
        with _without_triggers(driver):
            _apply_changes(driver, organization, rows, index=index)
            # After the deletions: the highest rids may be given
            # again, to rows that must be indexed.
            last = _last_rid(driver)
            _insert_all(
                driver,
                "conversations",
                (_conversation_row((organization,), record) for record in rows.new),
            )
            _insert_all(driver, "messages", self.all_rows(organization_id, rows))
            _insert_parts(driver, organization, rows)
            if index and rows.messages:
                fill_search(driver, after=last, ahead=ahead)

    def add_files(
        self, connection: sa.Connection, organization_id: UUID, placed: Sequence[PlacedFile]
    ) -> None:
        _insert_files(driver_connection(connection), str(organization_id), placed)

    def drop_search_index(self, connection: sa.Connection) -> list[str]:
        driver = driver_connection(connection)
        triggers = [
            (name, text) for name, text in _triggers(driver) if name.startswith(_SEARCH_TRIGGERS)
        ]
        for name, _ in triggers:
            driver.execute(f"DROP TRIGGER {name}")
        if triggers:
            _empty_search(driver)
        return [text for _, text in triggers]

    def build_search_index(self, connection: sa.Connection, statements: Sequence[str]) -> None:
        driver = driver_connection(connection)
        driver.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        present = {name for name, _ in _triggers(driver)}
        # Present triggers mean that another run has built it already: they end a build.
        if any(name.startswith(_SEARCH_TRIGGERS) for name in present):
            return
        _empty_search(driver)
        fill_search(driver)
        for statement in statements:
            driver.execute(statement)

    def verdict(self, error: BaseException) -> Verdict | None:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, sqlite3.Error):
            cause = getattr(cause, "orig", None) or cause.__cause__
        if cause is None:
            return "record" if is_record_error(error) else None
        # Others (locked, full, damaged) are of the file:
        # trying single records again would hide them.
        if isinstance(cause, (sqlite3.IntegrityError, sqlite3.DataError)):
            return "record"
        return "record" if isinstance(cause, sqlite3.InterfaceError) else None


def _among(column: str) -> str:
    return f"organization_id = ? AND {column} IN (SELECT value FROM json_each(?))"


def _id_list(ids: Sequence[UUID]) -> str:
    return dumps([str(identifier) for identifier in ids])


def _triggers(driver: sqlite3.Connection) -> list[tuple[str, str]]:
    return driver.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'messages'"
    ).fetchall()


@contextmanager
def _without_triggers(driver: sqlite3.Connection) -> Iterator[None]:
    """Drop chatdb's triggers on `messages` and create each again as it was written."""
    triggers = [(name, text) for name, text in _triggers(driver) if name.startswith(_OUR_TRIGGERS)]
    for name, _ in triggers:
        driver.execute(f'DROP TRIGGER "{name}"')
    yield
    for _, text in triggers:
        driver.execute(text)


def _empty_search(driver: sqlite3.Connection) -> None:
    driver.execute("INSERT INTO messages_search(messages_search) VALUES ('delete-all')")
    clear_forms(driver)


def _last_rid(driver: sqlite3.Connection) -> int:
    return int(driver.execute("SELECT coalesce(max(rid), 0) FROM messages").fetchone()[0])


def _first_rid(driver: sqlite3.Connection) -> int:
    return int(driver.execute("SELECT coalesce(min(rid), 1) FROM messages").fetchone()[0])


def fill_search(
    driver: sqlite3.Connection,
    *,
    after: int | None = None,
    ahead: Ahead = nullcontext,
    on_rows: Callable[[int], object] = lambda _: None,
) -> None:
    """Index the rows after `after` (None: all), reporting after each chunk how many it had.

    The larger table in memory is reset at the end.
    """
    if after is None:
        after = _first_rid(driver) - 1
    # The options are rows of the file, so they are rolled back with the transaction.
    _configure_search(driver, "automerge", AUTOMERGE)
    _configure_search(driver, "hashsize", HASH_SIZE)
    last = _last_rid(driver)
    while after < last:
        with ahead():
            make_forms(driver, after, after + SEARCH_CHUNK)
            filled = driver.execute(
                "INSERT INTO messages_search(rowid, content)"
                " SELECT rid, content FROM messages_search_source WHERE rid > ? AND rid <= ?",
                (after, after + SEARCH_CHUNK),
            )
        on_rows(filled.rowcount)
        after += SEARCH_CHUNK
    # Left in the file it would let every application that writes hold as much in memory.
    _configure_search(driver, "hashsize", DEFAULT_HASH_SIZE)


def _configure_search(driver: sqlite3.Connection, name: str, value: int) -> None:
    """Set an option of FTS5, which stores it in the file."""
    driver.execute(
        "INSERT INTO messages_search(messages_search, rank) VALUES (?, ?)", (name, value)
    )


def _apply_changes(
    driver: sqlite3.Connection, organization: str, rows: BatchRows, *, index: bool
) -> None:
    """Delete stale messages, passing FTS5 what each row contained, and update conversations."""
    where = "organization_id = ? AND conversation_id = ? AND id IN (SELECT value FROM json_each(?))"
    for conversation_id, message_ids in rows.stale:
        values = (organization, str(conversation_id), _id_list(message_ids))
        # With external content FTS5 needs the old text to
        # remove a row; after the DELETE it is gone.
        if index:
            driver.execute(
                "INSERT INTO messages_search(messages_search, rowid, content)"
                " SELECT 'delete', rid, content FROM messages_search_source"
                f" WHERE rid IN (SELECT rid FROM messages WHERE {where})",
                values,
            )
            for table in (FORMS, QUEUE):
                driver.execute(
                    f"DELETE FROM {table} WHERE rid IN (SELECT rid FROM messages WHERE {where})",
                    values,
                )
        driver.execute(f"DELETE FROM messages WHERE {where}", values)
    driver.executemany(
        "DELETE FROM message_files WHERE organization_id = ? AND conversation_id = ?"
        " AND message_id = ? AND position = ?",
        (
            (organization, str(conversation), str(each.message_id), each.position)
            for conversation, files in rows.moved_files
            for each in files
        ),
    )
    names = columns.fields_of("conversations")
    driver.executemany(
        f"UPDATE conversations SET {', '.join(f'{name} = ?' for name in names)}"
        " WHERE organization_id = ? AND id = ?",
        (
            (*_conversation_row((organization,), record)[1:], organization, str(record.id))
            for record in rows.changed
        ),
    )
    driver.executemany(
        "UPDATE conversations SET source_hash = ?"
        # The old digest is in the condition: another import may have brought a newer source since.
        " WHERE organization_id = ? AND id = ? AND source_hash = ?",
        ((each.source_hash, organization, str(each.id), each.stored) for each in rows.rehashed),
    )


def _insert_parts(driver: sqlite3.Connection, organization: str, rows: BatchRows) -> None:
    """Insert or replace what belongs to conversations beside their messages."""
    _insert_files(driver, organization, placed_files(rows.files_of))
    for table, row_of, records, name in (
        ("snapshots", _snapshot_row, rows.snapshots_of, "snapshots"),
        ("message_embeddings", _embedding_row, rows.embeddings_of, "embeddings"),
    ):
        parts = (
            row_of((organization, str(record.id)), each)
            for record in records
            for each in getattr(record, name)
        )
        _insert_all(driver, table, parts, verb="INSERT OR REPLACE")


def _insert_files(
    driver: sqlite3.Connection, organization: str, placed: Sequence[PlacedFile]
) -> None:
    files = (_file_row((organization,), each) for each in sized_files(placed))
    _insert_all(driver, "files", files, conflict=KNOWN_FILE)
    places = (
        _message_file_row((organization, str(conversation)), each) for conversation, each in placed
    )
    _insert_all(driver, "message_files", places, conflict=REPLACED_FILE)


def _insert_all(
    driver: sqlite3.Connection,
    table: str,
    rows: Iterator[Row],
    *,
    verb: str = "INSERT",
    conflict: str = "",
) -> None:
    names = columns.names_of(table)
    marks = ", ".join("?" * len(names))
    otherwise = f" ON CONFLICT {conflict}" if conflict else ""
    driver.executemany(
        f"{verb} INTO {table} ({', '.join(names)}) VALUES ({marks}){otherwise}", rows
    )


def _json(value: Any) -> str:
    return json_bytes(value).decode()


def _object(value: Any) -> str:
    return json_bytes(value).decode() if value else "{}"


def _vector(value: list[float]) -> str:
    return canonical.encode_vector(value).decode()


def _time(text: str) -> str:
    """Return msgspec's text of a time, which leaves out zero microseconds, as SQLite keeps it."""
    # Two slices instead of parsing: a time stands in every row.
    if text[-1] == "Z":
        if len(text) == _TIME_LENGTH:
            return text
        if len(text) == _WHOLE_SECONDS:
            return text[:-1] + ".000000Z"
    return time_text(datetime.fromisoformat(text))


_TEXTS: Converters = {
    columns.TEXT: checked_text,
    columns.DIGEST: checked_text,
    columns.TIME: _time,
    columns.JSON: _json,
    columns.OBJECT: _object,
    columns.VECTOR: _vector,
}


# msgspec writes UUIDs and times as text three times faster than Python.
_conversation_row, _message_row, _snapshot_row = (
    row_maker(table, _TEXTS, plain=_to_builtins)
    for table in ("conversations", "messages", "snapshots")
)
_file_row, _message_file_row, _embedding_row = (
    row_maker(table, _TEXTS, plain=_to_builtins)
    for table in ("files", "message_files", "message_embeddings")
)
