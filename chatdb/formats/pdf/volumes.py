"""Conversations in documents, each small enough for the compiler's memory."""

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import msgspec

from chatdb.formats.attachment_links import with_kept_files
from chatdb.formats.base import Document, WriteOptions
from chatdb.formats.conversation_heads import (
    branch_note,
    facts_of,
    marks_of,
    minute_of,
    names_of,
    numbers_of,
    title_of,
)
from chatdb.formats.files.selection import chosen_messages
from chatdb.formats.kept_pictures import kept_picture
from chatdb.formats.pdf.compiler import MOST_CHARACTERS, Compiler
from chatdb.formats.pdf.letters import Letters
from chatdb.formats.pdf.lines import breakable, runs_right_to_left
from chatdb.formats.pdf.messages import Item, items_of
from chatdb.formats.pdf.pictures import PictureFolder
from chatdb.formats.pdf.typesetting import MAIN, OUTPUT
from chatdb.formats.times import is_known
from chatdb.primitives.atomic_write import storage_error
from chatdb.primitives.private_folder import private_folder
from chatdb.records import Conversation

MOST_MESSAGES = 5_000
MOST_PIXELS = 60_000_000
"""What a volume has at most: memory is 80 MB per 1,000 usual messages."""

_DATA = "data.json"
_TEMPLATE = Path(__file__).with_name("page.typ")
_SEVERAL = "Conversations"
_LONGEST_WORD = 30
_LONGEST_FOOTER = 80
_encode = msgspec.json.Encoder().encode


class _Volume:
    """One document under way: a folder with its data and its pictures."""

    def __init__(self, folder: Path, letters: Letters) -> None:
        folder.mkdir()
        self.folder = folder
        self._letters = letters
        self._items: list[bytes] = []
        self.characters = 0
        self._titles: list[str] = []
        self._date: dict[str, int] | None = None
        self.shown = self.conversations = self.messages = 0

    def add_head(self, record: Conversation, shown: int, *, is_continued: bool) -> None:
        """Add the title of a conversation and what is known about it."""
        title = title_of(record) + (" (continued)" if is_continued else "")
        self._titles = [*self._titles[:1], title]
        time = record.updated_at
        names = ("year", "month", "day", "hour", "minute", "second")
        self._date = {each: getattr(time, each) for each in names} if is_known(time) else None
        if not is_continued:
            self.conversations += 1
            self.messages += shown
        title = breakable(title, _LONGEST_WORD)
        self._put(["title", runs_right_to_left(title), title, _about(record, shown)])

    def add(self, item: Item) -> None:
        """Add a message, or a piece of it."""
        self.shown += item.begins
        self.characters += item.size
        self._put(item.data)

    def is_full(self, pixels: int) -> bool:
        """Tell whether no more should be added."""
        return (
            self.shown >= MOST_MESSAGES
            or self.characters >= MOST_CHARACTERS
            or pixels >= MOST_PIXELS
        )

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing was added."""
        return not self._items

    def write(self) -> None:
        """Write what the compiler reads."""
        is_one = len(self._titles) == 1
        title = self._titles[0] if is_one else _SEVERAL
        about = {
            "title": title,
            "footer": title if len(title) <= _LONGEST_FOOTER else title[:_LONGEST_FOOTER] + "…",
            "date": self._date if is_one else None,
            "contents": len(self._titles) > 1,
        }
        self._letters.add(title)
        data = b'{"items":[' + b",".join(self._items) + b"]," + _encode(about)[1:]
        (self.folder / _DATA).write_bytes(data)
        (self.folder / MAIN).write_bytes(_TEMPLATE.read_bytes())

    def _put(self, data: list[Any]) -> None:
        encoded = _encode(data)
        self._letters.add(encoded.decode())
        self._items.append(encoded)


class Documents:
    """Makes documents one after another, in private folders that are removed after each."""

    def __init__(self, options: WriteOptions, letters: Letters, compiler: Compiler) -> None:
        self._options = options
        self._letters = letters
        self._compiler = compiler

    def made(
        self, named: Iterable[tuple[str, Conversation]], empty: str | None
    ) -> Iterator[Document]:
        """Yield the documents of `VolumeWriter.documents`."""
        is_any = False
        for name, group in groupby(named, key=itemgetter(0)):
            is_any = True
            yield from _numbered(name, self._volumes(record for _, record in group))
        if not is_any and empty is not None:
            yield from _numbered(empty, self._volumes(()))

    def _volumes(self, records: Iterable[Conversation]) -> Iterator[tuple[_Volume, bytes]]:
        with private_folder("pdf") as root:
            number = 1
            pictures = PictureFolder(self._compiler.is_readable)
            volume = self._begun(root, number, pictures)
            for record in records:
                headed: _Volume | None = None
                shown = sum(1 for _ in chosen_messages(record, self._options))
                for item in self._items(record, pictures):
                    if headed is not volume:
                        volume.add_head(record, shown, is_continued=headed is not None)
                        headed = volume
                    volume.add(item)
                    if volume.is_full(pictures.pixels):
                        yield volume, self._compiled(volume)
                        number += 1
                        volume = self._begun(root, number, pictures)
                if headed is None:
                    volume.add_head(record, 0, is_continued=False)
            if number == 1 or not volume.is_empty:
                yield volume, self._compiled(volume)

    def _begun(self, root: Path, number: int, pictures: PictureFolder) -> _Volume:
        volume = _Volume(root / str(number), self._letters)
        pictures.begin(volume.folder)
        return volume

    def _items(self, record: Conversation, pictures: PictureFolder) -> Iterator[Item]:
        """Yield what a conversation shows, numbered if it shows other branches."""
        options = self._options
        chosen = list(chosen_messages(with_kept_files(record, options), options))
        numbers = numbers_of(chosen)
        kept = partial(kept_picture, record, options=options)
        for each in chosen:
            note = "" if each.is_active else branch_note(each.message, numbers)
            number = numbers[each.message.id] if numbers else None
            yield from items_of(each, pictures, kept, number=number, note=note)

    def _compiled(self, volume: _Volume) -> bytes:
        try:
            volume.write()
        except OSError as error:
            raise storage_error(volume.folder, error) from error
        self._compiler.compile(volume.folder, size=volume.characters)
        data = (volume.folder / OUTPUT).read_bytes()
        for path in volume.folder.iterdir():
            path.unlink()
        return data


def _numbered(name: str, volumes: Iterator[tuple[_Volume, bytes]]) -> Iterator[Document]:
    """Yield documents with their numbers; an only one has none."""
    waiting: tuple[_Volume, bytes] | None = None
    number = 0
    for found in volumes:
        if waiting is not None:
            number += 1
            yield _document(name, number, *waiting)
        waiting = found
    if waiting is not None:
        yield _document(name, number + 1 if number else None, *waiting)


def _document(name: str, number: int | None, volume: _Volume, data: bytes) -> Document:
    return Document(name, number, data, volume.conversations, volume.messages)


def _about(record: Conversation, shown: int) -> str:
    """Return the line below the title."""
    facts = facts_of(record, shown)
    parts = [each if isinstance(each, str) else f"{minute_of(each)} UTC" for each in facts]
    parts += [*names_of(record), *marks_of(record)]
    return breakable("  ·  ".join(parts), _LONGEST_WORD)
