"""Parquet: messages in one file, or both tables in a folder, by years in the Hive way."""

import re
from collections.abc import Iterable
from contextlib import ExitStack
from importlib.util import find_spec
from typing import IO, TYPE_CHECKING

from chatdb.errors import ProgramMissingError, RefusedError
from chatdb.formats.base import WriteOptions
from chatdb.formats.tables.rows import ConversationRows
from chatdb.primitives.atomic_write import PARTIAL

if TYPE_CHECKING:
    import pyarrow as pa

    from chatdb.formats.files.folder_writing import LockedFolder
    from chatdb.formats.files.writing import Written
    from chatdb.formats.tables.parquet_batches import Batches, TableBatches
    from chatdb.formats.tables.parquet_files import ParquetFile, ParquetFiles

FILE = "part-0.parquet"
NO_YEAR = "__HIVE_DEFAULT_PARTITION__"
"""What the Hive way has for no value: readers make NULL of it."""
_OURS = re.compile(rf"(conversations|messages)/year=(\d+|{NO_YEAR})/{re.escape(FILE)}")


class ParquetWriter:
    """Writes tables from rows, not records one by one."""

    name = "parquet"
    extension = ".parquet"

    def __init__(self, options: WriteOptions) -> None:
        self._options = options

    def write_table(
        self, stream: IO[bytes], conversations: Iterable[ConversationRows], written: "Written"
    ) -> None:
        """Write the messages as one file."""
        from chatdb.formats.tables.parquet_batches import BESIDE, MESSAGE_SCHEMA, TableBatches
        from chatdb.formats.tables.parquet_files import parquet_files

        with parquet_files() as files:
            file = files.open(stream, MESSAGE_SCHEMA)
            batches = TableBatches(self._options, BESIDE)
            for _, messages in _filled(batches, conversations, written):
                files.add(file, messages)

    def write_tables(
        self, folder: "LockedFolder", conversations: Iterable[ConversationRows]
    ) -> None:
        """Write both tables into the folder.

        Raises RefusedError if it has such files, unless forced: then those that this run does not
        write are removed, for readers take all of them.
        """
        from chatdb.formats.tables.parquet_batches import TableBatches
        from chatdb.formats.tables.parquet_files import parquet_files

        there = _ours(folder.paths("*/*/" + FILE))
        if there and not folder.force:
            raise RefusedError(
                f"the folder already holds tables: {min(there)}",
                hint="give another folder, or add --force, which replaces them",
            )
        begun = folder.paths("*/*/" + FILE + PARTIAL)
        folder.sweep(_ours(path.removesuffix(PARTIAL) for path in begun))
        with ExitStack() as outputs, parquet_files() as files:
            tables = _Tables(folder, files, outputs)
            batches = TableBatches(self._options)
            for filled in _filled(batches, conversations, folder.written):
                tables.add(*filled)
            tables.complete()
        folder.remove(there - tables.paths)


def _filled(
    batches: "TableBatches", conversations: Iterable[ConversationRows], written: "Written"
) -> "Iterable[Batches]":
    for conversation in conversations:
        written.conversations += 1
        written.messages += yield from batches.add(conversation)
    yield batches.take()


def _ours(paths: Iterable[str]) -> set[str]:
    return {path for path in paths if _OURS.fullmatch(path)}


class _Tables:
    """The files of a folder, each opened for the first row of its year."""

    def __init__(self, folder: "LockedFolder", files: "ParquetFiles", outputs: ExitStack) -> None:
        self._folder = folder
        self._files = files
        self._outputs = outputs
        self._opened: dict[str, ParquetFile] = {}

    @property
    def paths(self) -> set[str]:
        """The files written, by their paths in the folder."""
        return {*self._opened}

    def add(self, conversations: "pa.RecordBatch", messages: "pa.RecordBatch") -> None:
        from chatdb.formats.tables.parquet_batches import by_year

        for table, batch in (("conversations", conversations), ("messages", messages)):
            for year, rows in by_year(batch):
                self._files.add(self._file(table, year), rows)

    def complete(self) -> None:
        """Begin a file without rows for a table without any: a folder without one is no table."""
        for table in ("conversations", "messages"):
            if not any(path.startswith(table + "/") for path in self._opened):
                self._file(table, None)

    def _file(self, table: str, year: int | None) -> "ParquetFile":
        from chatdb.formats.tables.parquet_batches import CONVERSATION_SCHEMA, MESSAGE_SCHEMA

        path = f"{table}/year={NO_YEAR if year is None else year}/{FILE}"
        if path not in self._opened:
            schema = MESSAGE_SCHEMA if table == "messages" else CONVERSATION_SCHEMA
            stream = self._outputs.enter_context(self._folder.opened(path))
            self._opened[path] = self._files.open(stream, schema)
        return self._opened[path]


def make_writer(options: WriteOptions) -> ParquetWriter:
    """Return a writer; raises ProgramMissingError without pyarrow."""
    if find_spec("pyarrow") is None:
        raise ProgramMissingError(
            "Parquet needs the package pyarrow",
            hint="to install it: pip install 'chatdb-cli[parquet]'",
        )
    return ParquetWriter(options)
