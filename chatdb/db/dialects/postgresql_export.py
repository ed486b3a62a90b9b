"""Messages out of PostgreSQL by binary COPY: the server writes JSON, what it cannot is done here.

PostgreSQL and msgspec escape strings alike, so text comes as JSON. The JSON columns do not: JSONB
has keys and numbers in a form of its own. Every column is asked for as text, never NULL, or as raw
bytes (the conversation's id): nothing is escaped on its way, and the driver splits the rows.
"""

from collections.abc import Generator, Iterator, Sequence
from uuid import UUID

import sqlalchemy as sa
from psycopg import sql

from chatdb import canonical
from chatdb.db.database import driver_connection
from chatdb.db.dialects.message_text import (
    CHUNK_CHARACTERS,
    CHUNK_ROWS,
    NO_METADATA,
    CanonicalTexts,
    Chunk,
    Selection,
    json_time,
    unreadable,
)

_JSON_NAMES = ("reasoning", "tool_calls", "tool_outputs", "attachments")
_COLUMNS = f"""conversation_id,
 concat('{{"id":"', id, '"', ',"parent_id":"' || parent_id || '"', ',"role":"', role, '"',
  ',"author":' || to_json(author)::text, ',"model":' || to_json(model)::text,
  CASE WHEN content <> '' THEN ',"content":' END),
 CASE WHEN content <> '' THEN to_json(content)::text ELSE '' END,
 CASE WHEN coalesce({", ".join(_JSON_NAMES)}) IS NOT NULL
  THEN json_build_array({", ".join(_JSON_NAMES)})::text ELSE '' END,
 coalesce(',"source_id":' || to_json(source_id)::text, ''),
 coalesce(edited_at::text, ''), metadata::text, created_at::text"""
_CONTENT = 2
_RAW = ("bytea",) * 8
"""Every column's type for the driver: the bytes that came."""
_METADATA = CanonicalTexts(left_out=NO_METADATA)
_TIME_LENGTH = len("2026-01-31 12:00:00.000001+00")

Row = tuple[bytes, ...]
Column = Sequence[bytes]


def read_messages(
    connection: sa.Connection, organization_id: UUID, selection: Selection
) -> Generator[Chunk, None, None]:
    """Yield the messages of the selected conversations as JSON, in the order of the index.

    Needs the settings TimeZone UTC and DateStyle ISO. Raises DatabaseFailedError for a row that no
    record can hold.
    """
    statement = _statement(organization_id, selection)
    pending: list[Row] = []
    size = 0
    with driver_connection(connection).cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(_RAW)
        for row in copy.rows():
            pending.append(row)
            size += len(row[_CONTENT])
            if len(pending) >= CHUNK_ROWS or size >= CHUNK_CHARACTERS:
                yield from _chunks(pending)
                pending, size = [], 0
    yield from _chunks(pending)


def _statement(organization_id: UUID, selection: Selection) -> sql.Composed:
    """Write the statement with its values in it: COPY takes no parameters."""
    ids = selection.ids
    if selection.gapless:
        condition = sql.SQL("conversation_id BETWEEN {}::uuid AND {}::uuid").format(ids[0], ids[-1])
    else:
        condition = sql.SQL("conversation_id = ANY ({}::uuid[])").format(list(ids))
    return sql.SQL(
        "COPY (SELECT {} FROM messages WHERE organization_id = {} AND {}"
        " ORDER BY conversation_id, position) TO STDOUT (FORMAT binary)"
    ).format(sql.SQL(_COLUMNS), organization_id, condition)


def _chunks(rows: Sequence[Row]) -> Iterator[Chunk]:
    """Yield a chunk for each run of messages of one conversation."""
    if not rows:
        return
    ids, *columns = zip(*rows, strict=True)
    try:
        objects = _objects(*columns)
    except ValueError:
        _find_unreadable(ids, columns)
        raise
    start, conversation = 0, ids[0]
    for end, identifier in enumerate(ids):
        if identifier != conversation:
            yield str(UUID(bytes=conversation)), b",".join(objects[start:end]), end - start
            start, conversation = end, identifier
    yield str(UUID(bytes=conversation)), b",".join(objects[start:]), len(ids) - start


def _find_unreadable(ids: Column, columns: Sequence[Column]) -> None:
    """Raise DatabaseFailedError for the first row that is to blame."""
    for identifier, *fields in zip(ids, *columns, strict=True):
        try:
            _objects(*([field] for field in fields))
        except ValueError as error:
            raise unreadable(
                f"a message of conversation {UUID(bytes=identifier)}", error
            ) from error


def _objects(
    texts: Column,
    contents: Column,
    json_columns: Column,
    source_ids: Column,
    edits: Column,
    metadata: Column,
    times: Column,
) -> list[bytes]:
    """Return the messages of some rows as JSON objects, column by column; raises ValueError."""
    found = _METADATA.all_of([None if text == NO_METADATA else text for text in metadata])
    return list(
        map(
            b"".join,
            zip(
                texts,
                contents,
                map(_json_fields, json_columns) if any(json_columns) else json_columns,
                source_ids,
                [time and b',"edited_at":"%b"' % _time(time) for time in edits],
                [b',"metadata":' + text if text else b"" for text in found],
                [
                    b',"created_at":"%bT%bZ"}' % (time[:10], time[11:26])
                    if len(time) == _TIME_LENGTH and time[26:] == b"+00"
                    else b',"created_at":"%b"}' % _time(time)
                    for time in times
                ],
                strict=True,
            ),
        )
    )


def _json_fields(columns: bytes) -> bytes:
    if not columns:
        return columns
    values = zip(_JSON_NAMES, canonical.decode(columns), strict=True)
    return b"".join(
        b',"' + name.encode() + b'":' + canonical.encode(value)
        for name, value in values
        if value is not None
    )


def _time(field: bytes) -> bytes:
    return json_time(field.decode()).encode()
