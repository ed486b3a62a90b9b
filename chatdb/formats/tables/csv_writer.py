"""CSV: a row a message, as RFC 4180 has it, in UTF-8 without a byte order mark."""

import csv
from collections.abc import Callable
from io import StringIO
from typing import Any

from chatdb.formats.base import WriteOptions, Writer
from chatdb.formats.tables.columns import MESSAGES
from chatdb.formats.tables.rows import UNKNOWN, chosen_rows, message_values, rows_of
from chatdb.primitives.csv_cells import guarded
from chatdb.records import Conversation

_LINE_END = "\r\n"


class CsvWriter(Writer):
    """Writes the messages of conversations as rows below one line of names."""

    name = "csv"
    extension = ".csv"

    def __init__(self, options: WriteOptions) -> None:
        self._options = options
        cell = _plain if options.raw_csv else guarded
        self._cells: list[Callable[[Any], str]] = [
            _CELLS.get(column.type) or _text_cell(cell) for column in MESSAGES
        ]

    def begin(self) -> bytes:
        return (",".join(column.name for column in MESSAGES) + _LINE_END).encode()

    def conversation(self, record: Conversation) -> bytes:
        stream = StringIO(newline="")
        writer = csv.writer(stream, lineterminator=_LINE_END)
        chosen = chosen_rows(rows_of(record), self._options)
        self.messages = len(chosen.positions)
        for values in message_values(record, chosen):
            writer.writerow([cell(value) for cell, value in zip(self._cells, values, strict=True)])
        return stream.getvalue().encode("utf-8", "replace")


def make_writer(options: WriteOptions) -> CsvWriter:
    """Return a writer."""
    return CsvWriter(options)


def _plain(text: str) -> str:
    return text


def _text_cell(cell: Callable[[str], str]) -> Callable[[Any], str]:
    def of(value: Any) -> str:
        if value is None:
            return ""
        return cell(value if isinstance(value, str) else value.decode())

    return of


_CELLS: dict[str, Callable[[Any], str]] = {
    "number": str,
    "truth": lambda value: "true" if value else "false",
    "time": lambda value: "" if value in (None, UNKNOWN) else value,
}
"""Of values that nobody wrote; those of all others may be formulas."""
