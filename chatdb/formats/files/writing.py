"""Records into a stream or a file as one document, and the format from an output's name."""

import os
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from chatdb.errors import RefusedError, UsageError
from chatdb.formats.base import Document, MissingLetters, VolumeWriter, Writer
from chatdb.formats.registry import FORMATS
from chatdb.records import Conversation, MessageFile

STDOUT = "-"
_OTHERS = frozenset(
    (
        *(".xhtml", ".tsv", ".xlsx", ".xls", ".ods", ".parquet"),
        *(".docx", ".doc", ".odt", ".rtf", ".epub", ".tex", ".rst", ".adoc", ".xml", ".yaml"),
        *(".yml", ".toml", ".ini", ".sql", ".dump", ".db", ".sqlite", ".sqlite3", ".duckdb"),
        *(".zip", ".tar", ".tgz", ".7z", ".bz2", ".xz", ".age", ".png", ".jpg", ".svg", ".py"),
    )
)
"""Extensions that promise something else, whatever --to says; others, such as .txt, do not.

Of `.parquet` these are compressed names: such a file is compressed inside."""


@dataclass(slots=True)
class Written:
    """What was written, and the files of a folder that existed already.

    `unchanged` ones contain what would have been written, `kept` ones something else; `unlisted`
    ones are conversations of other runs, which the folder's index does not name. Of a training set
    `examples` were written. `left_out` says how many of what the format has no place for.
    `missing_letters` are those that no font has, `unreadable` the names of kept files that cannot
    be read, by digest.
    """

    conversations: int = 0
    messages: int = 0
    files: int = 0
    unchanged: int = 0
    kept: int = 0
    unlisted: int = 0
    examples: int | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)
    missing_letters: tuple[MissingLetters, ...] = ()
    unreadable: dict[str, str] = field(default_factory=dict)

    def count(self, messages: int) -> None:
        """Count a conversation that was written with so many messages."""
        self.conversations += 1
        self.messages += messages

    def count_document(self, document: Document) -> None:
        """Count the conversations that begin in a document that was written."""
        self.conversations += document.conversations
        self.messages += document.messages

    def leave_out(self, file: MessageFile) -> None:
        """Remember a kept file that could not be read."""
        self.unreadable[file.digest] = file.name or file.digest


def format_for(output: str) -> str | None:
    """Return the format of a file name's extension, None if there is none."""
    name = output.lower()
    found = (known for known in FORMATS if known.writes and name.endswith(known.extensions))
    return next((known.name for known in found), None)


def format_of(output: str, to: str | None) -> str | None:
    """Return the requested format: `to`, or the one of the output's name.

    None if neither says anything: no name at all, a folder, or a name without an extension. Raises
    UsageError for a file whose name says a different format than the one to write.
    """
    if output == STDOUT:
        return to
    if is_folder(output):
        if any(known.name == to and known.one_file for known in FORMATS):
            raise UsageError(
                f"{to} is written as one file, not as a folder",
                hint=f"use a file name that ends in {_extension_of(to or '')}",
            )
        return to
    told = format_for(output)
    ending = _ending(output)
    if to is None and told is None and ending:
        raise UsageError(
            f"{output} does not say which format to write: chatdb does not write "
            f"{ending}{output.lower().rpartition(ending)[2]}",
            hint=f"use a file name that ends in {_told_endings()}"
            + ("" if ending in _OTHERS else ", or the format: --to jsonl"),
        )
    if to is None or told == to or (told is None and ending not in _OTHERS):
        return to or told
    if any(known.name == to and output.lower().endswith(known.extensions) for known in FORMATS):
        return to
    raise UsageError(
        f"the name {output} says a different format than {to}",
        hint=f"use a file name that ends in {_extension_of(to)}, or leave out --to",
    )


def check_native_name(path: Path) -> None:
    """Raise UsageError for the name of another format, if the native one is written."""
    format_of(str(path), FORMATS[0].name)


def _ending(output: str) -> str:
    """Return a name's extension in lower case: `.html` of `a.html.gz`; a date is none."""
    path = Path(output.lower())
    ending = Path(path.stem).suffix if path.suffix in (".gz", ".zst") else path.suffix
    return ending if any(map(str.isalpha, ending)) else ""


def _told_endings() -> str:
    """Return the endings of names that tell a format, such as `.jsonl, .json or .md`."""
    endings = dict.fromkeys(known.extensions[0] for known in FORMATS if known.writes)
    *first, last = endings
    return f"{', '.join(first)} or {last}"


def _extension_of(name: str) -> str:
    return next((known.extensions[0] for known in FORMATS if known.name == name), f".{name}")


def is_folder(output: str) -> bool:
    """Tell whether the output is a folder: an existing one, or a name with a slash at its end."""
    separators = tuple(filter(None, (os.sep, os.altsep)))
    return output.endswith(separators) or Path(output).is_dir()


def check_file(path: Path, *, force: bool) -> None:
    """Refuse to overwrite an existing file, unless requested; raises RefusedError."""
    if not force and path.is_file():
        raise RefusedError(f"{path} already exists", hint="give another file, or add --force")


def write_stream(
    stream: IO[bytes], writer: Writer, records: Iterable[Conversation], written: Written
) -> None:
    """Write all records as one document; raises UsageError for too many for one."""
    if isinstance(writer, VolumeWriter):
        with closing(writer.documents(((("", each) for each in records)), empty="")) as documents:
            for document in documents:
                if document.number is not None:
                    raise UsageError(
                        f"this is too much for one {writer.extension[1:].upper()}",
                        hint="give a file, which becomes several, or a folder: --output NAME/",
                    )
                stream.write(document.data)
                written.count_document(document)
        return
    stream.write(writer.begin())
    separator = b""
    for record in records:
        stream.write(separator)
        for piece in writer.pieces(record):
            stream.write(piece)
        separator = writer.separator
        written.count(writer.messages)
    stream.write(writer.end())
