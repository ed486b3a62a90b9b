"""Records into a stream, a file, or a folder with a file for each conversation."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from chatdb.errors import RefusedError, StorageError, UsageError
from chatdb.formats.base import Writer
from chatdb.formats.file_names import SHORT_ID, file_name
from chatdb.formats.outputs import open_output
from chatdb.formats.registry import FORMATS
from chatdb.records import Conversation

STDOUT = "-"
_MARKDOWN = (".markdown", ".md.gz", ".md.zst")
_OTHERS = frozenset(
    (
        *(".html", ".htm", ".xhtml", ".pdf", ".csv", ".tsv", ".xlsx", ".xls", ".ods", ".parquet"),
        *(".docx", ".doc", ".odt", ".rtf", ".epub", ".tex", ".rst", ".adoc", ".xml", ".yaml"),
        *(".yml", ".toml", ".ini", ".sql", ".dump", ".db", ".sqlite", ".sqlite3", ".duckdb"),
        *(".zip", ".tar", ".tgz", ".7z", ".bz2", ".xz", ".age", ".png", ".jpg", ".svg", ".py"),
    )
)
"""Endings that promise something else, whatever --to says; others, such as .txt, promise little."""


@dataclass(slots=True)
class Written:
    """What was written; `kept` counts files that existed already and were left as they are."""

    conversations: int = 0
    messages: int = 0
    files: int = 0
    kept: int = 0


def format_for(output: str) -> str | None:
    """Return the name of the format that a file's name ends in, None when it tells nothing."""
    name = output.lower()
    for known in FORMATS:
        if known.writes and name.endswith(known.extensions):
            return known.name
    return "markdown" if name.endswith(_MARKDOWN) else None


def format_of(output: str, to: str | None) -> str | None:
    """Return the format that is meant: `to`, or the one that the output's name tells.

    None where neither says anything: no name at all, a folder, or a name without an ending. Raises
    UsageError for a file whose name says another format than the one that would be written.
    """
    if output == STDOUT or is_folder(output):
        return to
    told = format_for(output)
    ending = _ending(output)
    if to is None and told is None and ending:
        raise UsageError(
            f"{output} does not tell the format to write: chatdb writes no {ending}",
            hint="name a file that ends in .jsonl, .json or .md"
            + ("" if ending in _OTHERS else ", or the format: --to jsonl"),
        )
    if to is None or told == to or (told is None and ending not in _OTHERS):
        return to or told
    raise UsageError(
        f"{output} is the name of another format than {to}",
        hint=f"name a file that ends in {_extension_of(to)}, or leave out --to",
    )


def check_native_name(path: Path) -> None:
    """Raise UsageError for the name of another format, where the native one is written."""
    format_of(str(path), FORMATS[0].name)


def _ending(output: str) -> str:
    """Return what a name ends in, in lower case: `.html` of `a.html.gz`; a date is no ending."""
    path = Path(output.lower())
    ending = Path(path.stem).suffix if path.suffix in (".gz", ".zst") else path.suffix
    return ending if any(map(str.isalpha, ending)) else ""


def _extension_of(name: str) -> str:
    return next((known.extensions[0] for known in FORMATS if known.name == name), f".{name}")


def is_folder(output: str) -> bool:
    """Tell whether the output is a folder: one that exists, or a name with a slash at its end."""
    separators = tuple(filter(None, (os.sep, os.altsep)))
    return output.endswith(separators) or Path(output).is_dir()


def check_file(path: Path, *, force: bool) -> None:
    """Refuse to write over a file that exists, unless that is wanted; raises RefusedError."""
    if not force and path.is_file():
        raise RefusedError(f"{path} exists", hint="name another file, or add --force")


def write_stream(
    stream: IO[bytes], writer: Writer, records: Iterable[Conversation], written: Written
) -> None:
    """Write all records as one document."""
    stream.write(writer.begin())
    separator = b""
    for record in records:
        stream.write(separator + writer.conversation(record))
        separator = writer.separator
        _count(written, record)
    stream.write(writer.end())


def write_folder(
    folder: Path,
    writer: Writer,
    records: Iterable[Conversation],
    written: Written,
    *,
    force: bool,
    on_kept: Callable[[str], object],
) -> None:
    """Write a file for each record, each whole or not at all; other files are left alone.

    A file that exists is left as it is and told to `on_kept`, unless `force`. Raises StorageError.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{folder} cannot be made: {error.strerror}") from error
    for path, record in _named(folder, writer, records):
        if not force and path.exists():
            written.kept += 1
            on_kept(str(path))
            continue
        with open_output(path) as stream:
            stream.write(writer.begin() + writer.conversation(record) + writer.end())
        written.files += 1
        _count(written, record)


def _named(
    folder: Path, writer: Writer, records: Iterable[Conversation]
) -> Iterator[tuple[Path, Conversation]]:
    """Give each record its file; the second with the same short id gets its whole id."""
    seen: set[int] = set()
    for record in records:
        short_id = record.id.int & (1 << 4 * SHORT_ID) - 1
        name = file_name(record, writer.extension, whole_id=short_id in seen)
        seen.add(short_id)
        yield folder / name, record


def _count(written: Written, record: Conversation) -> None:
    written.conversations += 1
    written.messages += len(record.messages)
