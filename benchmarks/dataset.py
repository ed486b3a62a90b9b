"""What is loaded and exported: a generated native file, and its rows ready for other loaders.

The files are made once and kept in build/benchmarks, named by what made them.
"""

import hashlib
import pickle
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks import generate_chatgpt, generate_native
from benchmarks.measure import ROOT
from chatdb import seeds
from chatdb.db.types import time_text
from chatdb.formats import native
from chatdb.formats.base import Tally
from chatdb.formats.files.sources import open_source
from chatdb.primitives import canonical
from chatdb.records import Conversation, organization_id_of
from chatdb.seeds.conversations import conversations as seeded
from chatdb.seeds.people import ORGANIZATIONS
from chatdb.seeds.plan import SeedOptions, SeedPlan
from chatdb.store.columns import names_of

KEPT_IN = ROOT / "build" / "benchmarks"
_ORGANIZATION = str(organization_id_of("default"))

Row = tuple[Any, ...]


def native_file(messages: int, *, seed: int = 1) -> Path:
    """Return a native file of so many messages."""
    name = f"native-{messages}-{seed}-{_version(generate_native.__file__)}.jsonl"
    return _kept(name, lambda path: generate_native.write(path, messages=messages, seed=seed))


def chatgpt_file(megabytes: int) -> Path:
    """Return a ChatGPT `conversations.json` of so many megabytes."""
    name = f"chatgpt-{megabytes}-{_version(generate_chatgpt.__file__)}.json"
    return _kept(name, lambda path: generate_chatgpt.write(path, megabytes=megabytes))


def seeded_file(conversations: int, *, messages: int | None = None) -> Path:
    """Return a native file of what `chatdb seed` makes of so many conversations."""
    plan = SeedPlan(SeedOptions(conversations=conversations, messages=messages))

    def write(path: Path) -> None:
        with path.open("wb") as stream:
            stream.write(native.header_line(created=plan.ends, source="chatdb seed"))
            for key in ORGANIZATIONS:
                for record in seeded(plan, key, whole_plan=False):
                    stream.write(native.conversation_line(record))

    size = conversations if messages is None else f"{conversations}-{messages}"
    return _kept(f"seeded-{size}-{_folder_version(Path(seeds.__file__))}.jsonl", write)


def copy_files(path: Path) -> tuple[Path, Path]:
    """Return the conversations' and the messages' rows of a native file in COPY's text format."""
    conversations = _kept(
        f"{path.stem}.conversations",
        lambda target: _write_lines(target, map(_conversation_row, _records(path))),
    )
    messages = _kept(
        f"{path.stem}.messages",
        lambda target: _write_lines(
            target, (row for record in _records(path) for row in _message_rows(record))
        ),
    )
    return conversations, messages


def pickled_rows(path: Path) -> Path:
    """Return a file with the lists of both kinds of rows, ready for `executemany`."""

    def write(target: Path) -> None:
        records = list(_records(path))
        messages = [row for record in records for row in _message_rows(record)]
        target.write_bytes(pickle.dumps(([*map(_conversation_row, records)], messages)))

    return _kept(f"{path.stem}.pickle", write)


def _kept(name: str, write: Callable[[Path], object]) -> Path:
    KEPT_IN.mkdir(parents=True, exist_ok=True)
    path = KEPT_IN / name
    if not path.exists():
        partial = KEPT_IN / f"{name}.partial"
        write(partial)
        partial.rename(path)
    return path


def _version(generator: str) -> str:
    return hashlib.sha256(Path(generator).read_bytes()).hexdigest()[:8]


def _folder_version(package: Path) -> str:
    files = sorted(path for path in package.parent.rglob("*") if path.suffix in (".py", ".json"))
    return hashlib.sha256(b"".join(map(Path.read_bytes, files))).hexdigest()[:8]


def _records(path: Path) -> Iterator[Conversation]:
    with open_source(path) as source:
        for record in native.reader.read(source, Tally()):
            assert isinstance(record, Conversation)
            yield record


def _conversation_row(record: Conversation) -> Row:
    """Return the row of a conversation as SQLite keeps it."""
    values = [getattr(record, name) for name in names_of("conversations")[1:-1]]
    return (_ORGANIZATION, *map(_plain, values), canonical.encode_text(record.metadata))


def _message_rows(record: Conversation) -> Iterator[Row]:
    """Yield the rows of a conversation's messages as SQLite keeps them."""
    json_columns = ("reasoning", "tool_calls", "tool_outputs", "attachments", "metadata")
    for position, message in enumerate(record.messages):
        row: list[Any] = [_ORGANIZATION, str(record.id)]
        for name in names_of("messages")[2:]:
            value = position if name == "position" else getattr(message, name)
            if name in json_columns:
                value = None if value is None else canonical.encode_text(value)
            row.append(_plain(value))
        yield tuple(row)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return time_text(value)
    return value if value is None or isinstance(value, int | str) else str(value)


def _write_lines(path: Path, rows: Iterator[Row]) -> None:
    with path.open("w", encoding="utf-8") as stream:
        stream.writelines(map(_copy_line, rows))


def _copy_line(row: Row) -> str:
    return "\t".join("\\N" if value is None else _escaped(str(value)) for value in row) + "\n"


def _escaped(text: str) -> str:
    text = text.replace("\\", "\\\\").replace("\t", "\\t")
    return text.replace("\n", "\\n").replace("\r", "\\r")
