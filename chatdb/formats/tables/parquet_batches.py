"""Conversations and their messages as batches of Arrow, built by columns.

Text goes from the rows into Arrow as it is, most of it as the bytes of the database.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import chain, repeat
from operator import attrgetter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from chatdb.formats.base import WriteOptions
from chatdb.formats.tables.columns import CONVERSATIONS, MESSAGES, CellType, TableColumn
from chatdb.formats.tables.rows import (
    FIELDS,
    UNKNOWN,
    ConversationRows,
    MessageRow,
    chosen_rows,
    json_text,
    time_text,
)
from chatdb.primitives import canonical
from chatdb.primitives.row_spans import RowSpan, joined_columns, span_of, text_size
from chatdb.records import Conversation

ROWS = 10_000
SIZE = 16 << 20
"""Either ends a batch: rows, and bytes of text."""

_TIME = pa.timestamp("us", "UTC")
_TYPES: dict[CellType, pa.DataType] = {
    "text": pa.string(),
    "json": pa.string(),
    "time": _TIME,
    "number": pa.int32(),
    "truth": pa.bool_(),
}
_TWICE = ("organization", "title", "source", "user_id")
"""Columns of a conversation that each of its messages has beside it, however long they are."""
BESIDE = tuple(
    column
    for column in CONVERSATIONS
    if column in MESSAGES and (column.name not in FIELDS or column.name in _TWICE)
)
"""All columns of a conversation that each of its messages has beside it."""


def schema_of(table: str, columns: Sequence[TableColumn]) -> pa.Schema:
    """Return the schema of a table's files."""
    fields = [pa.field(column.name, _TYPES[column.type]) for column in columns]
    return pa.schema(fields, metadata={"chatdb": table})


MESSAGE_SCHEMA = schema_of("messages", MESSAGES)
CONVERSATION_SCHEMA = schema_of("conversations", CONVERSATIONS)


Batches = tuple[pa.RecordBatch, pa.RecordBatch]
"""Conversations and messages."""


class TableBatches:
    """Collects conversations until there are enough of them for a batch of each table.

    Of conversations `columns` are made; the table of messages alone needs only BESIDE.
    """

    def __init__(
        self, options: WriteOptions, columns: Sequence[TableColumn] = CONVERSATIONS
    ) -> None:
        self._options = options
        self._columns = columns
        self._begin()

    def _begin(self) -> None:
        self._records: list[Conversation] = []
        self._counts: list[int] = []
        self._in_batch: list[int] = []
        self._is_continued = False
        self._spans: list[RowSpan] = []
        self._positions: list[int] = []
        self._active: list[bool] = []
        self._hidden: list[bool] = []
        self._size = 0

    def add(self, conversation: ConversationRows) -> Generator[Batches, None, int]:
        """Add a conversation with the messages that the options choose; return their number.

        Yields the batches that it fills.
        """
        record, chosen = conversation.record, chosen_rows(conversation, self._options)
        beside = text_size(_twice_of(record))
        done, count = 0, len(chosen.positions)
        self._add_record(record, count)
        for span in chosen.spans:
            for part in self._parts(span, beside):
                end = done + len(part)
                self._spans.append(part)
                self._positions += chosen.positions[done:end]
                self._active += chosen.active[done:end]
                self._hidden += chosen.hidden[done:end]
                self._size += part.size + len(part) * beside
                self._in_batch[-1] += len(part)
                done = end
                if done < count and self._is_full():
                    yield self.take()
                    self._is_continued = True
                    self._add_record(record, count)
        if self._is_full():
            yield self.take()
        return count

    def _add_record(self, record: Conversation, count: int) -> None:
        self._records.append(record)
        self._counts.append(count)
        self._in_batch.append(0)

    def _parts(self, span: RowSpan, beside: int) -> Iterator[RowSpan]:
        """Yield a span in parts of which all but the last fill the batch.

        `beside` is what a row adds to its own size.
        """
        # What fitted before its conversation was counted does so now.
        if not self._is_full(len(span) - 1, span.size + len(span) * beside):
            yield span
            return
        rows: list[MessageRow] = []
        size = 0
        for row in span.rows():
            if self._is_full(len(rows) - 1, size):
                yield span_of(rows)
                rows, size = [], 0
            rows.append(row)
            size += beside + text_size(row)
        yield span_of(rows)

    def _is_full(self, rows: int = 0, size: int = 0) -> bool:
        """Tell whether so many more rows and bytes end the batch."""
        rows += len(self._positions) + len(self._records)
        return rows >= ROWS or self._size + size >= SIZE

    def take(self) -> Batches:
        """Return the collected conversations and messages, and begin again."""
        conversations = _conversation_batch(self._columns, self._records, self._counts)
        messages = self._message_batch(conversations)
        if self._is_continued:
            conversations = conversations.slice(1)
        self._begin()
        return conversations, messages

    def _message_batch(self, conversations: pa.RecordBatch) -> pa.RecordBatch:
        indices = pa.array(
            chain.from_iterable(map(repeat, range(len(self._in_batch)), self._in_batch)),
            pa.int32(),
        )
        fields = joined_columns(self._spans, len(FIELDS))
        values: dict[str, Sequence[Any]] = dict(zip(FIELDS, fields, strict=True))
        values["message_id"] = values["id"]
        values["position"] = self._positions
        values["on_active_branch"], values["hidden"] = self._active, self._hidden
        arrays = []
        for column in MESSAGES:
            own = values.get(column.name)
            of_conversation = None
            if own is None or column.name == "user_id":
                of_conversation = conversations[column.name].take(indices)
            if own is None:
                arrays.append(of_conversation)
            elif of_conversation is not None:
                arrays.append(pc.coalesce(_array(column.type, own), of_conversation))
            else:
                arrays.append(_array(column.type, own))
        return pa.RecordBatch.from_arrays(arrays, schema=MESSAGE_SCHEMA)


def _conversation_batch(
    columns: Sequence[TableColumn], records: Sequence[Conversation], counts: Sequence[int]
) -> pa.RecordBatch:
    arrays = []
    for column in columns:
        if column.name == "messages":
            arrays.append(_array(column.type, counts))
            continue
        own = [*map(attrgetter(_FIELD_OF.get(column.name, column.name)), records)]
        made = str if column.name in _IDS else _OF_RECORDS.get(column.type)
        if made is not None:
            own = [None if value is None or value == {} else made(value) for value in own]
        arrays.append(_array(column.type, own))
    return pa.RecordBatch.from_arrays(arrays, schema=schema_of("conversations", columns))


_IDS = ("conversation_id", "current_message_id")
_FIELD_OF = {"conversation_id": "id"}
_twice_of = attrgetter(*_TWICE)
_OF_RECORDS: dict[CellType, Callable[[Any], Any]] = {"json": json_text, "time": time_text}


def _array(cell_type: CellType, values: Sequence[Any]) -> pa.Array:
    if cell_type in ("number", "truth"):
        return pa.array(values, _TYPES[cell_type])
    texts = _texts(values)
    return _times(texts) if cell_type == "time" else texts


def _texts(values: Sequence[Any]) -> pa.Array:
    try:
        return pa.array(values, pa.string())
    except (UnicodeEncodeError, pa.ArrowInvalid):
        return pa.array([*map(_storable, values)], pa.string())


def _storable(value: Any) -> Any:
    """Return a text that is UTF-8, whatever it holds."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if value is None else canonical.clean_text(value)[0]


def _times(texts: pa.Array) -> pa.Array:
    times = texts.cast(_TIME)
    unknown = pa.scalar(UNKNOWN, pa.string()).cast(_TIME)
    return pc.if_else(pc.equal(times, unknown), pa.scalar(None, _TIME), times)


def by_year(batch: pa.RecordBatch) -> Iterator[tuple[int | None, pa.RecordBatch]]:
    """Yield the rows of each year in which they were created; None for those of unknown times."""
    years = pc.year(batch["created_at"])
    found = pc.unique(years).to_pylist()
    if len(found) == 1:
        yield found[0], batch
        return
    for year in found:
        yield year, batch.filter(pc.is_null(years) if year is None else pc.equal(years, year))
