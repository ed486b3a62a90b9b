"""Reading in tests: from plain values or bytes to records and what was skipped."""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chatdb.formats.base import IgnoredFile, Skipped, Tally
from chatdb.formats.files.sources import open_source
from chatdb.formats.registry import reader
from chatdb.formats.sorting import sort_files
from chatdb.records import Conversation


@dataclass(frozen=True)
class Reading:
    """What a file gave: records, skipped items, the tally and the name of the format."""

    conversations: list[Conversation]
    skipped: list[Skipped]
    tally: Tally
    format: str
    ignored: tuple[IgnoredFile, ...] = ()

    @property
    def only(self) -> Conversation:
        assert len(self.conversations) == 1, self
        return self.conversations[0]


def read_path(
    path: Path, *, format_name: str | None = None, source_name: str | None = None
) -> Reading:
    with open_source(path) as source:
        return _read(source, format_name, source_name)


def read_bytes(
    data: bytes, *, format_name: str | None = None, source_name: str | None = None
) -> Reading:
    with open_source("-", stdin=io.BytesIO(data)) as source:
        return _read(source, format_name, source_name)


def read_value(value: Any, **options: Any) -> Reading:
    return read_bytes(json.dumps(value).encode(), **options)


def _read(source: Any, format_name: str | None, source_name: str | None) -> Reading:
    found = sort_files(source, reader(format_name) if format_name else None)
    tally = Tally()
    items = [
        item
        for part in found.parts
        for item in part.reader.read(part.source, tally, source_name=source_name)
    ]
    conversations = [item for item in items if isinstance(item, Conversation)]
    skipped = [item for item in items if isinstance(item, Skipped)]
    assert tally.conversations == len(conversations)
    assert tally.skipped == len(skipped)
    assert tally.messages == sum(len(item.messages) for item in conversations)
    return Reading(conversations, skipped, tally, found.reader_names, found.ignored)
