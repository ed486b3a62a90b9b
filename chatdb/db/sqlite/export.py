"""Reads messages from SQLite: as JSON or as records, both directly from the columns' text."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from itertools import groupby
from operator import itemgetter
from types import GenericAlias
from typing import Any, TypeVar
from uuid import UUID

import msgspec
import sqlalchemy as sa

from chatdb.db.connect import driver_connection
from chatdb.db.contract.message_text import (
    CHUNK_CHARACTERS,
    CHUNK_ROWS,
    NO_METADATA,
    CanonicalTexts,
    Chunk,
    Records,
    Rows,
    Selection,
    json_time,
    unreadable,
)
from chatdb.errors import DatabaseFailedError
from chatdb.primitives import canonical
from chatdb.primitives.nesting import roomy
from chatdb.primitives.row_spans import span_of
from chatdb.primitives.written_out import written_out
from chatdb.records import CITATIONS, MARKS, Message
from chatdb.store.columns import JSON, OBJECT, TEXT, TIME, Column, columns_of, fields_of

_METADATA_TEXT = "nullif(metadata, '{}')"
_WITH_MARKS = (
    "CASE WHEN "
    + " OR ".join(f"instr(metadata, '\"{name}\"')" for name in (MARKS, *CITATIONS))
    + " THEN metadata END"
)

_FIELDS = [column for column in columns_of("messages") if column.native]
_USUAL = [column.name for column in _FIELDS if not column.seldom]
_SELDOM = [column for column in _FIELDS if column.seldom]
_SELDOM_NAMES = ", ".join(column.name for column in _SELDOM)
_SELECTED = {"metadata": "CAST({metadata} AS BLOB)", "content": "{content}"}
"""As bytes metadata are neither decoded to str nor encoded again on their way to JSON."""
_COLUMNS = ", ".join(
    [
        "conversation_id",
        *(_SELECTED.get(name, name) for name in _USUAL),
        f"CASE WHEN coalesce({_SELDOM_NAMES}) IS NOT NULL THEN json_array({_SELDOM_NAMES}) END",
    ]
)
"""Rarely used columns come as one: every additional column costs each row time."""
_PLACES = {name: place for place, name in enumerate(_USUAL, 1)}
_CONTENT, _METADATA, _CREATED_AT = map(_PLACES.__getitem__, ("content", "metadata", "created_at"))
_usual_values = itemgetter(*(_PLACES.get(column.name, -1) for column in _FIELDS))
"""Takes the fields out of a row: those seldom used are NULL, as the last column then is."""


_PLACE_OF = {column.name: place for place, column in enumerate(_FIELDS)}
_METADATA_FIELD, _CREATED_AT_FIELD = _PLACE_OF["metadata"], _PLACE_OF["created_at"]
_Made = TypeVar("_Made")


def _field(column: Column) -> tuple[str, Any, Any]:
    """Return a field that has the column's text as it is, or JSON already encoded."""
    kept: Any = msgspec.Raw if column.kind in (JSON, OBJECT) else str
    left_out = "" if column.absent == "empty" and column.kind is TEXT else None
    return column.name, kept | None, left_out


# gc=False: they hold no cycles, and the collector would go through each of them.
_Message: Any = msgspec.defstruct(
    "_Message", map(_field, _FIELDS), omit_defaults=True, gc=False, module=__name__
)
"""`records.Message` as it is written."""

_encode_into = msgspec.json.Encoder().encode_into
_decode_message = roomy(msgspec.json.Decoder(Message).decode)
_decode_object = roomy(msgspec.json.Decoder(dict[str, Any]).decode)

Row = tuple[Any, ...]
_TYPES = {field.name: field.type for field in msgspec.structs.fields(Message)}


def _times(texts: Sequence[str]) -> list[str]:
    return [*map(json_time, texts)]


def _objects(texts: Sequence[msgspec.Raw | None]) -> list[dict[str, Any]]:
    return [{} if text is None else _decode_object(text) for text in texts]


def _records_maker() -> Callable[[Sequence[Row], Sequence[msgspec.Raw | None]], list[Message]]:
    """Return what makes records of rows and their metadata, without the columns seldom used.

    Whole columns are converted at a time; the function raises ValueError.
    """
    values = {name: f"value_{place}" for name, place in _PLACES.items()}
    times, (metadata,) = fields_of("messages", TIME), fields_of("messages", OBJECT)
    converted = [name for name in _USUAL if name != metadata]
    columns = ", ".join(values[name] for name in converted)
    texts = ", ".join(
        f"times({values[name]})" if name in times else values[name] for name in converted
    )
    source = (
        "def records_of(rows, metadata):\n"
        f"    _, {', '.join(values.values())}, _ = zip(*rows, strict=True)\n"
        f"    {columns} = convert(({texts}), types)\n"
        f"    return [Message({', '.join(f'{name}={value}' for name, value in values.items())})\n"
        f"        for {columns}, {values[metadata]}\n"
        f"        in zip({columns}, objects(metadata), strict=True)]\n"
    )
    types = GenericAlias(tuple, tuple(GenericAlias(list, _TYPES[name]) for name in converted))
    known: dict[str, Any] = {
        "Message": Message, "convert": msgspec.convert, "objects": _objects, "times": _times,
        "types": types,
    }  # fmt: skip
    # Written out, for a call with the fields' names is the fastest way to make a record.
    return written_out(source, "records_of", known)


_records_of = _records_maker()


def read_messages(
    connection: sa.Connection, organization_id: UUID, selection: Selection
) -> Generator[Chunk, None, None]:
    """Yield the messages of the selected conversations as JSON, in the order of the index.

    Raises DatabaseFailedError for a row that no record can represent.
    """
    made = _Messages()
    with closing(_rows(connection, organization_id, selection)) as pending:
        for rows in pending:
            yield from made.chunks(rows)


def read_records(
    connection: sa.Connection, organization_id: UUID, selection: Selection
) -> Generator[Records, None, None]:
    """Yield the messages that `read_messages` does as records: JSON in between costs as much again.

    Raises DatabaseFailedError for a row that no record can represent.
    """
    made = _Messages()
    with closing(_rows(connection, organization_id, selection)) as pending:
        for rows in pending:
            yield from made.records(rows)


def read_rows(
    connection: sa.Connection, organization_id: UUID, selection: Selection
) -> Generator[Rows, None, None]:
    """Yield the messages that `read_messages` does as rows of text, their content as bytes.

    Raises DatabaseFailedError for a row that no record can represent.
    """
    made = _Messages(wrap=bytes)
    with closing(
        _rows(connection, organization_id, selection, content="CAST(content AS BLOB)")
    ) as pending:
        for rows in pending:
            yield from made.rows(rows)


def _rows(
    connection: sa.Connection,
    organization_id: UUID,
    selection: Selection,
    content: str = "content",
) -> Generator[Sequence[Row], None, None]:
    """Yield the rows, some at a time: their metadata, ids and times are converted together."""
    cursor = driver_connection(connection).cursor()
    try:
        pending: list[Row] = []
        size = 0
        for row in cursor.execute(*_statement(organization_id, selection, content)):
            pending.append(row)
            size += len(row[_CONTENT]) + len(row[_METADATA] or b"") + len(row[-1] or "")
            # Both bounds: a conversation may have one message
            # of 50 MB as well as a million small ones.
            if len(pending) >= CHUNK_ROWS or size >= CHUNK_CHARACTERS:
                yield pending
                pending, size = [], 0
        if pending:
            yield pending
    # An open cursor keeps the read transaction, and with it the write-ahead log from being reset.
    finally:
        cursor.close()


def _statement(organization_id: UUID, selection: Selection, content: str) -> tuple[str, list[str]]:
    ids = list(selection.ids)
    if selection.gapless:
        # A range reads the index in one walk; IN looks up each id.
        condition, values = "BETWEEN ? AND ?", [ids[0], ids[-1]]
    else:
        condition, values = f"IN ({', '.join('?' * len(ids))})", ids
    metadata = _WITH_MARKS if selection.marks_only else _METADATA_TEXT
    columns = _COLUMNS.format(metadata=metadata, content=content)
    statement = (
        f"SELECT {columns} FROM messages WHERE organization_id = ?"
        f" AND conversation_id {condition} ORDER BY conversation_id, position"
    )
    return statement, [str(organization_id), *values]


class _Messages:
    """Makes messages of rows; encodes into reused memory: growing it costs more than filling it."""

    def __init__(self, wrap: Callable[[bytes], Any] = msgspec.Raw) -> None:
        self._metadata = CanonicalTexts(left_out=NO_METADATA, wrap=wrap)
        self._buffer = bytearray()

    def chunks(self, rows: Sequence[Row]) -> Iterator[Chunk]:
        """Yield a chunk for each run of messages of one conversation."""
        conversation = ""
        messages: list[Any] = []
        for row, metadata in zip(rows, self._metadata_of(rows), strict=True):
            if row[0] != conversation:
                if messages:
                    yield self._chunk(conversation, messages)
                conversation, messages = row[0], []
            rare = row[-1]
            try:
                message = _Message(*_usual_values(row))
                message.metadata = metadata
                message.created_at = json_time(row[_CREATED_AT])
                if rare is not None:
                    _add_rare(message, rare, _RARE_TEXTS)
            except ValueError as error:
                raise _unreadable(row, error) from error
            messages.append(message)
        if messages:
            yield self._chunk(conversation, messages)

    def records(self, rows: Sequence[Row]) -> Iterator[Records]:
        """Yield the records of each run of messages of one conversation."""
        try:
            messages = _records_of(rows, self._metadata_of(rows))
            for message, row in zip(messages, rows, strict=True):
                if row[-1] is not None:
                    _add_rare(message, row[-1], _RARE_VALUES)
        except ValueError:
            # Not as chatdb writes them: what the JSON of each gives decides.
            messages = [self._record_of_json(row) for row in rows]
        yield from _runs(rows, messages)

    def rows(self, rows: Sequence[Row]) -> Iterator[Rows]:
        """Yield the rows of each run of messages of one conversation."""
        made: list[Sequence[Any]] = []
        for row, metadata in zip(rows, self._metadata_of(rows), strict=True):
            values = [*_usual_values(row)]
            values[_METADATA_FIELD] = metadata
            try:
                values[_CREATED_AT_FIELD] = json_time(row[_CREATED_AT])
                if row[-1] is not None:
                    columns = canonical.decode(row[-1])
                    for (name, make), value in zip(_RARE_BYTES, columns, strict=True):
                        values[_PLACE_OF[name]] = None if value is None else make(value)
            except ValueError as error:
                raise _unreadable(row, error) from error
            made.append(values)
        for conversation, run in _runs(rows, made):
            yield conversation, span_of(run)

    def _record_of_json(self, row: Row) -> Message:
        ((_, encoded, _),) = self.chunks([row])
        try:
            return _decode_message(encoded)
        except ValueError as error:
            raise _unreadable(row, error) from error

    def _metadata_of(self, rows: Sequence[Row]) -> list[Any]:
        try:
            return self._metadata.all_of([row[_METADATA] for row in rows])
        except ValueError:
            # The batch says only that some row is invalid: one by one names the message.
            for row in rows:
                try:
                    self._metadata.all_of([row[_METADATA]])
                except ValueError as error:
                    raise _unreadable(row, error) from error
            raise

    def _chunk(self, conversation: str, messages: list[Any]) -> Chunk:
        _encode_into(messages, self._buffer)
        # Without the list's brackets: the chunks of a conversation are joined to one list.
        return conversation, bytes(memoryview(self._buffer)[1:-1]), len(messages)


def _runs(rows: Sequence[Row], made: list[_Made]) -> Iterator[tuple[str, list[_Made]]]:
    """Yield what was made of the rows by their conversations."""
    start = 0
    for conversation, run in groupby(rows, itemgetter(0)):
        end = start + len(list(run))
        yield conversation, made[start:end]
        start = end


def _unreadable(row: Row, error: ValueError) -> DatabaseFailedError:
    return unreadable(f"message {row[1]} of conversation {row[0]}", error)


Makers = Sequence[tuple[str, Callable[[Any], Any]]]
"""The columns seldom used, each with what makes its field of a value that is not NULL."""


def _add_rare(message: Any, columns: str, makers: Makers) -> None:
    for (name, make), value in zip(makers, canonical.decode(columns), strict=True):
        setattr(message, name, None if value is None else make(value))


def _rare_text(column: Column) -> Callable[[Any], Any]:
    """Return what makes the field of `_Message`."""
    if column.kind is JSON:
        return _raw
    return json_time if column.kind is TIME else lambda value: value


def _rare_value(column: Column) -> Callable[[Any], Any]:
    """Return what makes the field of `records.Message`; it raises ValueError."""
    if column.kind is JSON:
        return lambda text: canonical.decode(canonical.encode(canonical.decode(text)))
    text_of, kind = _rare_text(column), _TYPES[column.name]
    return lambda value: msgspec.convert(text_of(value), kind)


def _raw(text: str) -> msgspec.Raw | None:
    encoded = _canonical(text)
    return None if encoded is None else msgspec.Raw(encoded)


def _rare_bytes(column: Column) -> Callable[[Any], Any]:
    """Return what makes the field of a row of text."""
    return _canonical if column.kind is JSON else _rare_text(column)


def _canonical(text: str) -> bytes | None:
    encoded = canonical.encode(canonical.decode(text))
    return None if encoded == b"null" else encoded


_RARE_TEXTS: Makers = [(column.name, _rare_text(column)) for column in _SELDOM]
_RARE_VALUES: Makers = [(column.name, _rare_value(column)) for column in _SELDOM]
_RARE_BYTES: Makers = [(column.name, _rare_bytes(column)) for column in _SELDOM]
