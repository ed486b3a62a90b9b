"""Files of Parquet that are written together, their row groups within one bound of memory."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from io import RawIOBase
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from chatdb.formats.tables.rows import LONG

GROUP_ROWS = 100_000
GROUP_BYTES = 96 << 20
"""Rows in a row group, and bytes that wait in all files together before one is written."""
_AT_ONCE = 1 << 20
"""Bytes that a file writes at once."""
_ALIKE = (
    *("organization", "organization_name", "conversation_id", "title", "kind", "source"),
    *("source_name", "user_id", "role", "author", "model", "on_active_branch", "hidden"),
    "metadata",
)
"""Columns with few values, for which a dictionary pays."""
_WITHOUT_BOUNDS = {"metadata", *LONG}
"""Columns of which nobody asks for the least and the greatest value."""


class ParquetFile:
    """A file that is being written, and the batches of its next row group."""

    def __init__(self, stream: IO[bytes], schema: pa.Schema) -> None:
        names = schema.names
        self.rows = self.size = 0
        self._waiting: list[pa.RecordBatch] = []
        self._schema = schema
        self._sink = _Sink(stream)
        # A call for each page would make the thread wait for the one that collects rows.
        self._stream = pa.BufferedOutputStream(pa.PythonFile(self._sink, "w"), _AT_ONCE)
        self._writer = pq.ParquetWriter(
            self._stream,
            schema,
            compression="zstd",
            use_dictionary=[name for name in _ALIKE if name in names],
            write_statistics=[name for name in names if name not in _WITHOUT_BOUNDS],
        )

    def add(self, batch: pa.RecordBatch) -> None:
        """Add rows to the next row group."""
        self._waiting.append(batch)
        self.rows += batch.num_rows
        self.size += batch.nbytes

    def take(self) -> pa.Table:
        """Return the rows of the next row group, and begin another."""
        table = pa.Table.from_batches(self._waiting, self._schema)
        self._waiting, self.rows, self.size = [], 0, 0
        return table

    def write(self, table: pa.Table) -> None:
        """Write a row group."""
        self._writer.write_table(table, row_group_size=GROUP_ROWS)

    def close(self) -> None:
        """Write the end of the file."""
        self._writer.close()
        self._stream.close()

    def leave(self) -> None:
        """Write nothing more: Arrow does when it forgets a file, whose stream may be closed."""
        self._sink.is_left = True


class ParquetFiles:
    """The open files: a thread encodes and compresses a row group while the next is collected."""

    def __init__(self) -> None:
        self._files: list[ParquetFile] = []
        self._thread = ThreadPoolExecutor(1)
        self._writing: Future[None] | None = None

    def open(self, stream: IO[bytes], schema: pa.Schema) -> ParquetFile:
        """Begin a file in a stream."""
        file = ParquetFile(stream, schema)
        self._files.append(file)
        return file

    def add(self, file: ParquetFile, batch: pa.RecordBatch) -> None:
        """Add rows to a file; writes row groups that are large enough."""
        if file.rows and file.rows + batch.num_rows > GROUP_ROWS:
            self._write(file)
        file.add(batch)
        while sum(each.size for each in self._files) >= GROUP_BYTES:
            self._write(max(self._files, key=lambda each: each.size))

    def _write(self, file: ParquetFile) -> None:
        self._wait()
        self._writing = self._thread.submit(file.write, file.take())

    def _wait(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def finish(self) -> None:
        """Write what waits, and the ends of the files."""
        for file in self._files:
            if file.rows:
                self._write(file)
        self._wait()
        for file in self._files:
            file.close()

    def stop(self) -> None:
        """End the thread, and leave the files as they are."""
        self._thread.shutdown(cancel_futures=True)
        for file in self._files:
            file.leave()


@contextmanager
def parquet_files() -> Iterator[ParquetFiles]:
    """Open files of Parquet, which are complete if the block ends well."""
    files = ParquetFiles()
    try:
        yield files
        files.finish()
    finally:
        files.stop()


class _Sink(RawIOBase):
    """Counts the bytes for Arrow, which asks where it is, and leaves the stream open."""

    is_left = False

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._place = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        if not self.is_left:
            self._stream.write(bytes(data))
        self._place += len(data)
        return len(data)

    def tell(self) -> int:
        return self._place
