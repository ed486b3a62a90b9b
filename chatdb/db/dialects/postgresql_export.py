"""Messages out of PostgreSQL by COPY: the server writes JSON, only what it cannot is done here.

PostgreSQL and msgspec escape strings alike, so text comes as JSON. The JSON columns do not: JSONB
has keys and numbers in a form of its own. JSON holds no raw control character, so COPY's CSV form
with two of them as its delimiter and quote never has anything to quote.
"""

from collections.abc import Generator
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
  ',"author":' || to_json(author)::text, ',"model":' || to_json(model)::text),
 CASE WHEN content <> '' THEN to_json(content)::text END,
 CASE WHEN coalesce({", ".join(_JSON_NAMES)}) IS NOT NULL
  THEN json_build_array({", ".join(_JSON_NAMES)})::text END,
 ',"source_id":' || to_json(source_id)::text,
 edited_at, metadata, created_at"""
_DELIMITER = b"\x02"
_OPTIONS = r"(FORMAT csv, QUOTE e'\x01', DELIMITER e'\x02')"


def read_messages(
    connection: sa.Connection, organization_id: UUID, selection: Selection
) -> Generator[Chunk, None, None]:
    """Yield the messages of the selected conversations as JSON, in the order of the index.

    Needs the settings TimeZone UTC and DateStyle ISO. Raises DatabaseFailedError for a row that no
    record can hold.
    """
    statement = _statement(organization_id, selection)
    splice = _Splicer().splice
    conversation = b""
    objects: list[bytes] = []
    size = 0
    with driver_connection(connection).cursor() as cursor, cursor.copy(statement) as copy:
        for row in copy:
            fields = bytes(row).split(_DELIMITER)
            full = len(objects) >= CHUNK_ROWS or size >= CHUNK_CHARACTERS
            if full or fields[0] != conversation:
                if objects:
                    yield conversation.decode(), b",".join(objects), len(objects)
                conversation = fields[0]
                objects, size = [], 0
            try:
                objects.append(splice(*fields))
            except ValueError as error:
                place = f"a message of conversation {fields[0].decode()}"
                raise unreadable(place, error) from error
            size += len(row)
    if objects:
        yield conversation.decode(), b",".join(objects), len(objects)


def _statement(organization_id: UUID, selection: Selection) -> sql.Composed:
    """Write the statement with its values in it: COPY takes no parameters."""
    ids = selection.ids
    if selection.gapless:
        condition = sql.SQL("conversation_id BETWEEN {}::uuid AND {}::uuid").format(ids[0], ids[-1])
    else:
        condition = sql.SQL("conversation_id = ANY ({}::uuid[])").format(list(ids))
    return sql.SQL(
        "COPY (SELECT {} FROM messages WHERE organization_id = {} AND {}"
        " ORDER BY conversation_id, position) TO STDOUT {}"
    ).format(sql.SQL(_COLUMNS), organization_id, condition, sql.SQL(_OPTIONS))


class _Splicer:
    """Makes JSON objects of rows."""

    def __init__(self) -> None:
        self._metadata = CanonicalTexts(left_out=NO_METADATA)

    def splice(
        self,
        _conversation_id: bytes,
        text: bytes,
        content: bytes,
        json_columns: bytes,
        source_id: bytes,
        edited_at: bytes,
        metadata: bytes,
        created_at: bytes,
    ) -> bytes:
        """Return the message of a row as a JSON object; raises ValueError."""
        if content:
            text += b',"content":' + content
        if json_columns:
            text += _json_fields(json_columns)
        text += source_id
        if edited_at:
            text += b',"edited_at":"' + _time(edited_at) + b'"'
        if metadata != NO_METADATA:
            encoded = self._metadata.of(metadata)
            if encoded is not None:
                text += b',"metadata":' + encoded
        return text + b',"created_at":"' + _time(created_at[:-1]) + b'"}'


def _json_fields(columns: bytes) -> bytes:
    values = zip(_JSON_NAMES, canonical.decode(columns), strict=True)
    return b"".join(
        b',"' + name.encode() + b'":' + canonical.encode(value)
        for name, value in values
        if value is not None
    )


def _time(field: bytes) -> bytes:
    return json_time(field.decode()).encode()
