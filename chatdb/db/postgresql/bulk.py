"""Bulk load on PostgreSQL: binary COPY inside our transaction, the index built in parallel.

`bytea` replaces uuid and jsonb: their binary form is what the server receives, and a plain bytes
dumper is the fastest there is.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, nullcontext
from operator import attrgetter
from typing import Any, ClassVar
from uuid import UUID

import psycopg
import sqlalchemy as sa
from psycopg import sql
from psycopg.types.string import BytesBinaryDumper

from chatdb.db.connect import driver_connection
from chatdb.db.contract.bulk import (
    Ahead,
    BatchRows,
    Bulk,
    Converters,
    PlacedFile,
    Row,
    StoredKey,
    Verdict,
    is_record_error,
    json_bytes,
    placed_files,
    row_maker,
)
from chatdb.db.postgresql.embeddings import embedding_rows
from chatdb.db.postgresql.files import leave_places, write_files
from chatdb.records import Conversation, Message
from chatdb.store import columns

SEARCH_INDEX = "ix_messages_search"
FORMER_SEARCH_INDEXES = ("ix_messages_content_search", "ix_messages_attached_search")
"""Those of databases before revision 0009."""
"""Of the words of messages, and of those that have text beside them, of both together."""
# A reader holds the lock up; loading with the index in place is better than waiting for it.
DROP_WAIT = "3s"
"""How long an import waits for the lock that dropping the index takes."""
# More memory took a restore of 200,000 messages from 24.3 to 19.1 s: this index is most of it.
BUILD_MEMORY_KB = 512 * 1024
_OWN_SETTING = ("client", "user", "database", "database user")

# 23505: another import brought the same new conversation; the next try finds it stored.
_RETRY = ("40001", "40P01", "23505")
_RECONNECT = ("08", "57P01", "57P02", "57P03", "57P05")
# Made once: it stands in every row without metadata.
_NO_OBJECT = b"\x01{}"


class PostgresqlBulk(Bulk):
    """COPY at the server's speed; see docs/performance.md for its limits."""

    transaction_settings: ClassVar[dict[str, str]] = {"chatdb.bulk": "on"}
    defers_search_index: ClassVar[bool] = True

    def stored_keys(
        self, connection: sa.Connection, organization_id: UUID, ids: Sequence[UUID]
    ) -> dict[UUID, StoredKey]:
        rows = _fetch(
            connection,
            "SELECT id, source_hash, user_id FROM conversations"
            " WHERE organization_id = %s AND id = ANY(%s)",
            (organization_id, list(ids)),
        )
        return {identifier: StoredKey(digest, user) for identifier, digest, user in rows}

    def tombstones(
        self, connection: sa.Connection, organization_id: UUID, ids: Sequence[UUID]
    ) -> dict[UUID, set[UUID]]:
        found: dict[UUID, set[UUID]] = {}
        for conversation_id, message_id in _fetch(
            connection,
            "SELECT conversation_id, message_id FROM tombstones"
            " WHERE organization_id = %s AND conversation_id = ANY(%s)",
            (organization_id, list(ids)),
        ):
            found.setdefault(conversation_id, set()).add(message_id)
        return found

    def lock(self, connection: sa.Connection, organization_id: UUID, ids: Sequence[UUID]) -> None:
        _fetch(
            connection,
            "SELECT id FROM conversations WHERE organization_id = %s AND id = ANY(%s)"
            # Two imports that lock the same rows in one order cannot block each other.
            " ORDER BY id FOR UPDATE",
            (organization_id, list(ids)),
        )

    def message_rows(
        self, organization_id: UUID, conversation_id: UUID, messages: Iterable[tuple[int, Message]]
    ) -> Iterator[Row]:
        organization, conversation = organization_id.bytes, conversation_id.bytes
        for position, message in messages:
            yield _message_row((organization, conversation, position), message)

    def write(
        self,
        connection: sa.Connection,
        organization_id: UUID,
        rows: BatchRows,
        *,
        index: bool,  # noqa: ARG002 - PostgreSQL keeps its index by itself while it is there
        ahead: Ahead,
    ) -> None:
        if rows.is_empty:
            return
        driver = driver_connection(connection)
        driver.adapters.register_dumper(bytes, BytesBinaryDumper)
        organization = organization_id.bytes
        with driver.cursor() as cursor:
            staged = _is_bound(cursor)
            if rows.changed or rows.stale or rows.rehashed:
                _apply_changes(cursor, organization_id, rows)
            if rows.new:
                _copy(
                    cursor,
                    "conversations",
                    (_conversation_row((organization,), record) for record in rows.new),
                    staged=staged,
                )
            if rows.messages:
                _copy(
                    cursor,
                    "messages",
                    self.all_rows(organization_id, rows),
                    ahead,
                    staged=staged,
                )
            if rows.snapshots_of:
                _replace_snapshots(cursor, organization_id, rows.snapshots_of, staged=staged)
            if rows.moved_files:
                leave_places(cursor, organization_id, rows.moved_files)
            if rows.files_of:
                write_files(cursor, organization_id, placed_files(rows.files_of))
            if rows.embeddings_of:
                rows_of = embedding_rows(cursor, organization_id, rows.embeddings_of)
                _copy(cursor, "message_embeddings", rows_of, staged=staged)

    def add_files(
        self, connection: sa.Connection, organization_id: UUID, placed: Sequence[PlacedFile]
    ) -> None:
        with driver_connection(connection).cursor() as cursor:
            write_files(cursor, organization_id, placed)

    def drop_search_index(self, connection: sa.Connection) -> list[str]:
        driver = driver_connection(connection)
        with driver.cursor() as cursor:
            cursor.execute(
                "SELECT pg_get_indexdef(index) FROM to_regclass(%s) AS index"
                " WHERE index IS NOT NULL",
                (SEARCH_INDEX,),
            )
            definitions = [definition for (definition,) in cursor.fetchall()]
            if not definitions:
                return []
            try:
                # A savepoint: a lock that is not granted must not end the import's transaction.
                with driver.transaction():
                    cursor.execute("SELECT current_setting('lock_timeout')")
                    before = cursor.fetchone()[0]
                    cursor.execute(f"SET LOCAL lock_timeout = '{DROP_WAIT}'")
                    cursor.execute(f"DROP INDEX IF EXISTS {SEARCH_INDEX}")
                    # The rows that follow wait as long as the import was told to.
                    cursor.execute("SELECT set_config('lock_timeout', %s, true)", (before,))
            except (
                psycopg.errors.LockNotAvailable,
                psycopg.errors.UndefinedObject,
                psycopg.errors.InsufficientPrivilege,  # Not ours: it may only seem empty.
            ):
                return []
        return definitions

    def build_search_index(self, connection: sa.Connection, statements: Sequence[str]) -> None:
        driver = driver_connection(connection)
        with driver.cursor() as cursor:
            # Two imports end at once: the second waits here and finds the index built.
            cursor.execute("LOCK TABLE messages IN SHARE MODE")
            cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (SEARCH_INDEX,))
            if cursor.fetchone()[0]:
                return
            tune_build(cursor)
            for statement in statements:
                cursor.execute(statement)

    def verdict(self, error: BaseException) -> Verdict | None:
        cause = _driver_error(error)
        if cause is None:
            return "record" if is_record_error(error) else None
        state = cause.sqlstate or ""
        if state.startswith(_RETRY):
            return "retry"
        if state.startswith(_RECONNECT) or (
            not state and isinstance(cause, psycopg.OperationalError)
        ):
            return "reconnect"
        if isinstance(cause, (psycopg.DataError, psycopg.IntegrityError)):
            return "record"
        # 54: a program limit, such as a row too large for the index; others are not the record's.
        return "record" if state.startswith("54") else None


def tune_build(cursor: Any, *, session: bool = False) -> None:
    """Give the build memory and one helper, unless the user or database has its own settings.

    One parallel worker beside the leader is the fastest on two cores and leaves the other cores to
    others. `session`: for the connection, which must be ours alone, instead of the transaction.
    """
    scope = "SESSION" if session else "LOCAL"
    cursor.execute(
        "SELECT name, setting::bigint, source FROM pg_settings"
        " WHERE name IN ('maintenance_work_mem', 'max_parallel_maintenance_workers')"
    )
    found = {name: (value, source) for name, value, source in cursor.fetchall()}
    memory, source = found["maintenance_work_mem"]
    # A value that somebody set for this role or database was chosen with its machine in mind.
    if source not in _OWN_SETTING and memory < BUILD_MEMORY_KB:
        cursor.execute(f"SET {scope} maintenance_work_mem = '{BUILD_MEMORY_KB}kB'")
    workers, source = found["max_parallel_maintenance_workers"]
    # Of the build of 200,000 messages: 12.0 s alone, 4.8 s with one worker, 5.6 s with two.
    if source == "default" and workers > 1:
        cursor.execute(f"SET {scope} max_parallel_maintenance_workers = 1")


def _driver_error(error: BaseException | None) -> psycopg.Error | None:
    while error is not None and not isinstance(error, psycopg.Error):
        error = getattr(error, "orig", None) or error.__cause__
    return error


def _fetch(connection: sa.Connection, statement: str, values: tuple[Any, ...]) -> list[Row]:
    with driver_connection(connection).cursor() as cursor:
        cursor.execute(statement, values)
        rows: list[Row] = cursor.fetchall()
    return rows


def _copy(
    cursor: Any,
    table: str,
    rows: Iterable[Row],
    ahead: Ahead = nullcontext,
    *,
    staged: bool,
) -> None:
    """Copy the rows; at the end the server checks their foreign keys.

    `staged` copies them into a temporary table first, because COPY into a table with row-level
    security is not possible.
    """
    names = sql.SQL(", ").join(map(sql.Identifier, columns.names_of(table)))
    place = sql.Identifier(f"{table}_staged" if staged else table)
    if staged:
        cursor.execute(
            sql.SQL("CREATE TEMP TABLE {} (LIKE {}) ON COMMIT DROP").format(
                place, sql.Identifier(table)
            )
        )
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(place, names)
    with ExitStack() as stack:
        copy = stack.enter_context(cursor.copy(statement))
        copy.set_types(columns.copy_types_of(table))
        write_row = copy.write_row
        for row in rows:
            write_row(row)
        # The end of COPY is where the server checks foreign keys: the next batch is read meanwhile.
        with ahead():
            stack.pop_all().close()
    if staged:
        insert = sql.SQL("INSERT INTO {0} ({1}) SELECT {1} FROM {2}")
        cursor.execute(insert.format(sql.Identifier(table), names, place))
        cursor.execute(sql.SQL("DROP TABLE {}").format(place))


def _json(value: Any) -> bytes:
    """Return jsonb's binary form: its version, then the text."""
    return b"\x01" + json_bytes(value)


def _object(value: Any) -> bytes:
    return b"\x01" + json_bytes(value) if value else _NO_OBJECT


_BINARY: Converters = {
    columns.ID: attrgetter("bytes"),
    columns.JSON: _json,
    columns.OBJECT: _object,
}
_conversation_row = row_maker("conversations", _BINARY)
_message_row = row_maker("messages", _BINARY)
_snapshot_row = row_maker("snapshots", _BINARY)

_row_as_text = row_maker("conversations", {columns.JSON: json_bytes, columns.OBJECT: json_bytes})
_IS_JSON = (columns.JSON, columns.OBJECT)
_ASSIGNMENTS = ", ".join(
    # The parameters are bytes, which PostgreSQL casts to bytea only.
    f"{column.name} = convert_from(%s, 'UTF8')::jsonb"
    if column.kind in _IS_JSON
    else f"{column.name} = %s"
    for column in columns.columns_of("conversations")
    if column.native
)


def _apply_changes(cursor: Any, organization_id: UUID, rows: BatchRows) -> None:
    for conversation_id, message_ids in rows.stale:
        cursor.execute(
            "DELETE FROM messages WHERE organization_id = %s AND conversation_id = %s"
            " AND id = ANY(%s)",
            (organization_id, conversation_id, list(message_ids)),
        )
    for record in rows.changed:
        cursor.execute(
            f"UPDATE conversations SET {_ASSIGNMENTS} WHERE organization_id = %s AND id = %s",
            (*_row_as_text((None,), record)[1:], organization_id, record.id),
        )
    if rows.rehashed:
        cursor.execute(
            "UPDATE conversations SET source_hash = new.source_hash"
            " FROM unnest(%s::uuid[], %s::text[], %s::text[]) AS new(id, stored, source_hash)"
            " WHERE organization_id = %s AND conversations.id = new.id"
            " AND conversations.source_hash = new.stored",
            (
                [each.id for each in rows.rehashed],
                [each.stored for each in rows.rehashed],
                [each.source_hash for each in rows.rehashed],
                organization_id,
            ),
        )


def _is_bound(cursor: Any) -> bool:
    """Tell whether row-level security applies to us."""
    cursor.execute("SELECT row_security_active('messages')")
    return bool(cursor.fetchone()[0])


def _replace_snapshots(
    cursor: Any, organization_id: UUID, records: Sequence[Conversation], *, staged: bool
) -> None:
    conversations = [record.id for record in records for _ in record.snapshots]
    ids = [snapshot.id for record in records for snapshot in record.snapshots]
    cursor.execute(
        # COPY knows no ON CONFLICT: what comes again is removed first.
        "DELETE FROM snapshots s USING unnest(%s::uuid[], %s::uuid[]) AS k(conversation_id, id)"
        " WHERE s.organization_id = %s AND s.conversation_id = k.conversation_id AND s.id = k.id",
        (conversations, ids, organization_id),
    )
    _copy(
        cursor,
        "snapshots",
        (
            _snapshot_row((organization_id.bytes, record.id.bytes), snapshot)
            for record in records
            for snapshot in record.snapshots
        ),
        staged=staged,
    )
