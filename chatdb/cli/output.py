"""The only writer of stdout: the same rows as a table, JSON, JSON Lines or CSV.

A row is a frozen dataclass or a msgspec Struct; its field names are the keys in every format. A
pipe changes only colour and width, never the format; text for a terminal is made safe. Times are
ISO 8601 in UTC, in tables those of the time zone that is set.
"""

import sys
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, tzinfo
from io import RawIOBase
from pathlib import PurePath
from typing import Any, BinaryIO, cast

from chatdb.cli.cells import json_text, known_time, told_once
from chatdb.cli.diagnostics import is_terminal, use_utf8
from chatdb.cli.options import OutputFormat
from chatdb.cli.text import escaped_json, in_zone, safe
from chatdb.errors import StorageError
from chatdb.primitives.csv_cells import guarded
from chatdb.primitives.filled import field_names


class Output:
    """Writes a command's data; `color` enables colour on a terminal.

    `pager` returns the command line of the pager, "" for none; `raw_csv` leaves CSV cells that a
    spreadsheet would run as a formula unchanged. `zone` gives the time zone of times in tables.
    """

    def __init__(
        self,
        output_format: OutputFormat = OutputFormat.TABLE,
        *,
        color: bool = True,
        pager: Callable[[], str] = str,
        raw_csv: bool = False,
        zone: Callable[[], tzinfo] = lambda: UTC,
    ) -> None:
        self._zone = zone
        self.format = output_format
        self._color = color
        self._raw_csv = raw_csv
        self._pager = pager

    @property
    def is_table(self) -> bool:
        """Tell whether people read the data, not programs."""
        return self.format is OutputFormat.TABLE

    @property
    def is_terminal(self) -> bool:
        """Tell whether stdout is a terminal."""
        return is_terminal(sys.stdout)

    @property
    def color(self) -> bool:
        """Tell whether colour may be written to stdout."""
        return self._color and self.is_terminal

    @property
    def width(self) -> int | None:
        """The terminal's columns (COLUMNS overrides the terminal), None if stdout is none."""
        import shutil

        return shutil.get_terminal_size().columns if self.is_terminal else None

    def rows(
        self,
        rows: Iterable[Any],
        row_type: type[Any],
        *,
        organizations: Iterable[str] | None = None,
        table: Callable[[Any], dict[str, Any]] | None = None,
        shortened: Sequence[str] = (),
        words: str | None = None,
    ) -> None:
        """Write rows of one type (needed for the header of an empty list), as `--format` says.

        JSON Lines and CSV are written as the rows arrive; a table needs all of them for its widths.
        `organizations` has the key of each row's organization, to be shown in front of it. For
        people, `table` makes the cells of a row by their names, `shortened` names those that are
        cut where a terminal has no room (the most important last); `words` replace the table.
        """
        if words is not None and self.is_table:
            self.text(words)
            return
        names = fields = field_names(row_type)
        values: Iterable[list[Any]] = (_values(row, fields) for row in rows)
        if table is not None and self.is_table:
            cells = [table(row) for row in rows]
            names, values = tuple(cells[0] if cells else ()), [[*each.values()] for each in cells]
        if organizations is not None:
            names = ("organization", *names)
            values = ([key, *row] for key, row in zip(organizations, values, strict=True))
        if self.is_table:
            from chatdb.cli.table import table_lines

            here = [self._in_zone(row) for row in values]
            self.lines(
                table_lines(names, here, width=self.width, color=self.color, shortened=shortened)
            )
        elif self.format is OutputFormat.CSV:
            self._csv(names, values)
        elif self.format is OutputFormat.JSONL:
            for row in values:
                self.text(json_text(dict(zip(names, row, strict=True))))
        else:
            self._json_list(dict(zip(names, row, strict=True)) for row in values)

    def record(
        self,
        record: Any,
        *,
        organization: str | None = None,
        table: Callable[[Any], dict[str, Any]] | None = None,
        words: str | None = None,
    ) -> None:
        """Write one answer: a table of two columns, a JSON object, or CSV with a single row.

        `organization` is the key of its organization, to be shown first. For people, `table` makes
        the cells by their headings; `words` replace the table.
        """
        if words is not None and self.is_table:
            self.text(words)
            return
        names = field_names(type(record))
        values = _values(record, names)
        if table is not None and self.is_table:
            names, values = tuple(table(record)), [*table(record).values()]
        if organization is not None:
            names, values = ("organization", *names), [organization, *values]
        if self.is_table:
            from chatdb.cli.table import record_lines

            told = told_once(names, self._in_zone(values))
            cells = list(told.values())
            self.lines(record_lines(list(told), cells, width=self.width, color=self.color))
        elif self.format is OutputFormat.CSV:
            self._csv(names, [values])
        else:
            fields = dict(zip(names, values, strict=True))
            self.text(json_text(fields, pretty=self.format is OutputFormat.JSON))

    def _in_zone(self, values: Sequence[Any]) -> list[Any]:
        """Return the values with their times in the zone of people."""
        return [
            in_zone(value, self._zone()) if isinstance(value, datetime) else value
            for value in values
        ]

    def text(self, text: str) -> None:
        """Write text and a line end; made safe on a terminal, unchanged in a pipe."""
        stream = self._stream()
        stream.write((safe(text) if self.is_terminal else text) + "\n")

    def lines(self, lines: Iterable[str]) -> None:
        """Write lines unchanged: they have been made safe already and may contain colour."""
        stream = self._stream()
        for line in lines:
            stream.write(line + "\n")

    def flush(self) -> None:
        """Flush what was written, for a reader who waits for the next line."""
        self._stream().flush()

    def page(self, renderables: Iterable[Any]) -> None:
        """Write rich renderables or strings, through the pager when stdout is a terminal.

        Texts inside a renderable must have been made safe; strings are made safe here. In a pipe
        nothing is wrapped or cut.
        """
        from chatdb.cli.paging import page
        from chatdb.cli.rendering import console, rendered

        stream = self._stream()
        chunks = (rendered(item, color=self.color) for item in renderables)
        if not (self.is_terminal and page(chunks, self._pager())):
            target = console(stream, color=self.color)
            for item in renderables:
                target.print(safe(item) if isinstance(item, str) else item, crop=False)

    def binary(self, *, is_json: bool = False) -> BinaryIO:
        """Return stdout for the UTF-8 bytes of an export to `-`; on a terminal they are made safe.

        On a terminal, invisible characters become escapes in JSON, with the same value, and are
        left out of other text. Raises StorageError if stdout is closed.
        """
        stream = self._stream()
        stream.flush()
        if self.is_terminal:
            return cast(BinaryIO, _SafeBytes(stream, escaped_json if is_json else safe))
        return cast(BinaryIO, stream.buffer)

    @contextmanager
    def paged_binary(self, *, is_json: bool = False) -> Iterator[BinaryIO]:
        """Give what `binary` returns, on a terminal through the pager; its end ends the block."""
        from chatdb.cli.paging import opened

        if not self.is_terminal:
            yield self.binary(is_json=is_json)
            return
        with opened(self._pager()) as pipe:
            made_safe = escaped_json if is_json else safe
            stream = self._stream() if pipe is None else pipe
            yield cast(BinaryIO, _SafeBytes(stream, made_safe))

    def _stream(self) -> Any:
        if sys.stdout is None or sys.stdout.closed:
            raise StorageError("standard output is closed", hint="redirect it to a file or a pipe")
        use_utf8(sys.stdout)
        return sys.stdout

    def _csv(self, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        import csv

        cell = _raw_csv_cell if self._raw_csv else _csv_cell
        cleaned: Callable[[str], str] = safe if self.is_terminal else str
        stream = self._stream()
        writer = csv.writer(stream, lineterminator="\n")
        # With "\n" as line end the writer does not notice that a lone carriage return needs quotes.
        quoting_writer = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerow(names)
        for row in rows:
            cells = [cleaned(cell(value)) for value in row]
            returns = any("\r" in text for text in cells)
            (quoting_writer if returns else writer).writerow(cells)

    def _json_list(self, rows: Iterator[dict[str, Any]]) -> None:
        separator = "[\n"
        stream = self._stream()
        for row in rows:
            stream.write(separator + "  " + json_text(row, pretty=True).replace("\n", "\n  "))
            separator = ",\n"
        stream.write("[]\n" if separator == "[\n" else "\n]\n")


class _SafeBytes(RawIOBase):
    """Writes bytes as text that is safe on a terminal."""

    def __init__(self, stream: Any, made_safe: Callable[[str], str]) -> None:
        self._stream = stream
        self._made_safe = made_safe
        self._decode = getincrementaldecoder("utf-8")("replace").decode

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._stream.write(self._made_safe(self._decode(bytes(data))))
        return len(data)

    def flush(self) -> None:
        if not self.closed:
            self._stream.flush()


def _csv_cell(value: Any) -> str:
    text = _raw_csv_cell(value)
    return text if isinstance(value, (int, float)) else guarded(text)


def _raw_csv_cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float, PurePath)):
        return str(value)
    text = json_text(value)
    return text[1:-1] if isinstance(value, date) or text.startswith('"') else text


def _values(row: Any, names: Sequence[str]) -> list[Any]:
    values = [getattr(row, name) for name in names]
    return [known_time(value) if isinstance(value, datetime) else value for value in values]
