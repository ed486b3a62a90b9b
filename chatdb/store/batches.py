"""Cuts a stream of records into batches of bounded size, one ahead of the database."""

import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from operator import attrgetter
from queue import SimpleQueue
from uuid import UUID

import msgspec

from chatdb.db.contract.bulk import Row
from chatdb.formats.base import Skipped, Tally
from chatdb.formats.unread import Unread
from chatdb.primitives.nesting import roomy
from chatdb.records import Conversation, Organization
from chatdb.store.columns import JSON, TEXT, fields_of

MAX_CONVERSATIONS = 1_000
# Two batches are held, each as records and as rows: an import of 300 MB stays below 180 MB.
MAX_MESSAGES = 7_000
MAX_SIZE = 16 << 20
"""Characters of text and bytes of JSON; a larger conversation forms its own batch."""
# A float of 24 bytes and the reference to it.
_NUMBER_SIZE = 32
"""Bytes of a Python number in a list."""
_FILE_SIZE = 200
"""Characters of a kept file's row, about."""

_encode = roomy(msgspec.json.Encoder().encode)
_texts_of = attrgetter(*fields_of("messages", TEXT))
_values_of = attrgetter(*fields_of("messages", JSON))

Prepare = Callable[[Conversation], Sequence[Row] | None]
"""Makes the rows of a record that is likely to be new."""

SWITCH_SECONDS = 0.0002
"""How long the reading thread may block the writing one; Python's own limit is 5 ms."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A record on its way in, or an item that could not be read.

    `file` is the number of its file; `hashed` says that equal `source_hash`es mean equal sources
    (foreign formats), which a native file, written by any chatdb, cannot promise. `rows` are its
    messages as the database takes them, made ahead. `organization` is the one its source names,
    None if it names none. `other_ids` is None if the source names the record's id; otherwise the id
    was derived from its beginning, and these are others it may be known by. An `Unread` item is
    counted in `tally` if it is read after all.
    """

    record: Conversation | Skipped | Unread
    file: int = 0
    hashed: bool = True
    rows: Sequence[Row] | None = None
    organization: Organization | None = None
    other_ids: tuple[UUID, ...] | None = None
    tally: Tally | None = None


def with_user(arrival: Arrival, user_id: str | None) -> Arrival:
    """Return the arrival, its record owned by `user_id` if the source names no user."""
    record = arrival.record
    if isinstance(record, Conversation) and record.user_id is None:
        record.user_id = user_id
    return arrival


class Batches:
    """The batches of a stream; a thread reads the next one while the last is written.

    `prepare` is called for every record as it is read. An error of the stream is raised only after
    the records before it have been returned.
    """

    def __init__(self, arrivals: Iterable[Arrival], prepare: Prepare | None = None) -> None:
        self._arrivals = iter(arrivals)
        self._prepare = prepare
        self._error: Exception | None = None
        self._ended = False
        self._reading = threading.Lock()
        # A queue in C: an interrupt cannot leave its lock held, unlike an Event's.
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._may_read = False
        self._reader: threading.Thread | None = None
        self._begin()

    def _begin(self) -> None:
        self._batch: list[Arrival] = []
        self._messages = 0
        self._size = 0

    @property
    def _closed(self) -> bool:
        return (
            self._ended
            or len(self._batch) >= MAX_CONVERSATIONS
            or self._messages >= MAX_MESSAGES
            or self._size >= MAX_SIZE
        )

    def next_batch(self) -> list[Arrival]:
        """Return the next batch, an empty list at the end; raises what the stream raised."""
        with self._reading:
            while not self._closed:
                self._read_one()
            batch = self._batch
            self._begin()
        # What was read before the error is stored first: a later run recognises it.
        if not batch and self._error is not None:
            raise self._error
        return batch

    @contextmanager
    def ahead(self) -> Iterator[None]:
        """Read into the next batch during the block, which should leave us the time.

        A slow record is not waited for at the end of the block.
        """
        if not self._ended:
            self._may_read = True
            self._wake.put(None)
            if self._reader is None:
                # A daemon: a source that hangs must not keep the process alive after Ctrl-C.
                self._reader = threading.Thread(target=self._read_on, daemon=True)
                self._reader.start()
        interval = sys.getswitchinterval()
        # Both drivers release the lock for the server's work; to get it
        # back in time is what counts.
        sys.setswitchinterval(SWITCH_SECONDS)
        try:
            yield
        finally:
            self._may_read = False
            sys.setswitchinterval(interval)

    def close(self) -> None:
        """Let the reading thread end."""
        self._ended = True
        self._wake.put(None)

    def close_and_wait(self) -> None:
        """Let the reading thread end, and wait until it stops reading: its source may be closed."""
        self.close()
        with self._reading:
            pass

    def _read_on(self) -> None:
        while not self._ended:
            self._wake.get()
            with self._reading:
                while self._may_read and not self._closed:
                    self._read_one()

    def _read_one(self) -> None:
        try:
            arrival = next(self._arrivals, None)
        except Exception as error:  # noqa: BLE001 - raised again by next_batch
            self._error, self._ended = error, True
            return
        if arrival is None:
            self._ended = True
            return
        record = arrival.record
        if isinstance(record, Conversation):
            self._messages += len(record.messages)
            self._size += size_or_batch(record)
            if self._prepare is not None:
                arrival = replace(arrival, rows=self._prepare(record))
        elif isinstance(record, Unread):
            self._size += len(record.data)
        self._batch.append(arrival)


def _size_of(record: Conversation) -> int:
    size = len(_encode(record.metadata)) if record.metadata else 0
    for message in record.messages:
        if message.metadata:
            size += len(_encode(message.metadata))
        for text in _texts_of(message):
            if text:
                size += len(text)
        for value in _values_of(message):
            if value is not None:
                size += len(_encode(value))
    for snapshot in record.snapshots:
        size += len(_encode(snapshot.state))
    size += _FILE_SIZE * len(record.files)
    for embedding in record.embeddings:
        size += _NUMBER_SIZE * len(embedding.vector)
    return size


def size_or_batch(record: Conversation) -> int:
    """Return the size; a record that cannot be encoded, refused by a later step, fills a batch."""
    try:
        return _size_of(record)
    except (ValueError, RecursionError):
        return MAX_SIZE
