"""The rows of a native file, ready for the databases' own loaders: what imports are measured by."""

import argparse
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from chatdb import canonical
from chatdb.db.dialects.bulk import CONVERSATION_COLUMNS, MESSAGE_COLUMNS
from chatdb.db.types import time_text
from chatdb.formats import native
from chatdb.formats.base import Tally
from chatdb.formats.sources import open_source
from chatdb.records import Conversation, organization_id_of

ORGANIZATION = str(organization_id_of("default"))
CACHE = Path(tempfile.gettempdir()) / "chatdb-benchmarks"

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """One timed process: wall seconds and peak resident megabytes."""

    seconds: float
    megabytes: float


def native_file(messages: int, seed: int = 1) -> Path:
    """Return a generated file of so many messages, made once and kept in the temporary folder."""
    from benchmarks.generate_native import write

    CACHE.mkdir(exist_ok=True)
    path = CACHE / f"native-{messages}-{seed}.jsonl"
    if not path.exists():
        partial = path.with_suffix(".partial")
        write(partial, messages=messages, seed=seed)
        partial.rename(path)
    return path


def records(path: Path) -> Iterator[Conversation]:
    """Yield the conversations of a native file."""
    with open_source(path) as source:
        for record in native.reader.read(source, Tally()):
            assert isinstance(record, Conversation)
            yield record


def conversation_row(record: Conversation) -> Row:
    """Return the row of a conversation as SQLite keeps it."""
    values = [getattr(record, name) for name in CONVERSATION_COLUMNS[1:-1]]
    return (ORGANIZATION, *map(_plain, values), canonical.encode_text(record.metadata))


def message_rows(record: Conversation) -> Iterator[Row]:
    """Yield the rows of a conversation's messages as SQLite keeps them."""
    json_columns = ("reasoning", "tool_calls", "tool_outputs", "attachments", "metadata")
    for position, message in enumerate(record.messages):
        row: list[Any] = [ORGANIZATION, str(record.id)]
        for name in MESSAGE_COLUMNS[2:]:
            value = position if name == "position" else getattr(message, name)
            if name in json_columns:
                value = None if value is None else canonical.encode_text(value)
            row.append(_plain(value))
        yield tuple(row)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return time_text(value)
    return value if value is None or isinstance(value, int | str) else str(value)


def copy_files(path: Path) -> tuple[Path, Path]:
    """Return the rows of conversations and messages in COPY's text format, made once."""
    conversations = path.with_suffix(".conversations")
    messages = path.with_suffix(".messages")
    if not messages.exists():
        partial = messages.with_suffix(".partial")
        with conversations.open("w") as one, partial.open("w") as other:
            for record in records(path):
                one.write(_copy_line(conversation_row(record)))
                other.writelines(map(_copy_line, message_rows(record)))
        partial.rename(messages)
    return conversations, messages


def pickled_rows(path: Path) -> Path:
    """Return a file with the rows of conversations and messages, ready for executemany."""
    target = path.with_suffix(".pickle")
    if not target.exists():
        conversations: list[Row] = []
        messages: list[Row] = []
        for record in records(path):
            conversations.append(conversation_row(record))
            messages.extend(message_rows(record))
        target.write_bytes(pickle.dumps((conversations, messages)))
    return target


def _copy_line(row: Row) -> str:
    return "\t".join("\\N" if value is None else _escaped(str(value)) for value in row) + "\n"


def _escaped(text: str) -> str:
    text = text.replace("\\", "\\\\").replace("\t", "\\t")
    return text.replace("\n", "\\n").replace("\r", "\\r")


def timed(words: Sequence[str | Path], **environment: str) -> Run:
    """Run a program to its end, which must be a good one."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [str(word) for word in words],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    if process.returncode:
        raise RuntimeError(f"{words[0]} failed: {output.decode()}")
    return Run(time.perf_counter() - started, usage.ru_maxrss / 1024)


def chatdb_import(url: str, path: Path, *options: str) -> Run:
    """Time the whole command."""
    words: tuple[str | Path, ...] = (
        sys.executable,
        "-m",
        "chatdb",
        "import",
        path,
        "--quiet",
        *options,
    )
    return timed(words, DATABASE_URL=url)


def compare(
    title: str, target: float, rounds: int, ours: Callable[[], Run], theirs: Callable[[], Run]
) -> None:
    """Run both in turns and print the medians and their ratio."""
    pairs = [(theirs(), ours()) for _ in range(rounds)]
    their_seconds = statistics.median(pair[0].seconds for pair in pairs)
    our_seconds = statistics.median(pair[1].seconds for pair in pairs)
    megabytes = statistics.median(pair[1].megabytes for pair in pairs)
    ratio = their_seconds / our_seconds
    verdict = "reached" if ratio >= target else "MISSED"
    print(
        f"{title}: baseline {their_seconds:.2f} s, chatdb {our_seconds:.2f} s"
        f" ({megabytes:.0f} MB), ratio {ratio:.2f} (at least {target}: {verdict})",
        flush=True,
    )


def arguments(description: str | None) -> argparse.Namespace:
    """Read the command line that both benchmarks share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--large", type=int, default=0, help="also a load of so many messages")
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()
