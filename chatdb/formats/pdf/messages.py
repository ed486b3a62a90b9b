"""A message as data for the template, in one item or, if it is long, in several."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from chatdb.formats.attachment_links import LinkedEntry
from chatdb.formats.conversation_heads import details_of, marks_of_message, minute_of
from chatdb.formats.files.selection import Chosen
from chatdb.formats.message_body import (
    LONGEST_COLOURED,
    Aside,
    Part,
    Prose,
    ShownFile,
    ShownFiles,
    Verbatim,
    parts_of,
)
from chatdb.formats.message_parts import ROLE_NAMES
from chatdb.formats.pdf.blocks import (
    LONGEST_CODE_WORD,
    LONGEST_WORD,
    blocks_of,
    code_blocks,
    pieces,
)
from chatdb.formats.pdf.lines import breakable, shown
from chatdb.formats.pdf.pictures import PictureFolder
from chatdb.formats.times import is_known

_AT_ONCE = 60_000
"""Characters in one item."""
Data = list[Any]
ReadKept = Callable[[LinkedEntry | None], bytes | None]
"""Returns the bytes of a kept file that is small enough to be shown."""


class Item(NamedTuple):
    """What the template shows, whether a message begins with it, and how many characters it has."""

    data: Data
    begins: bool
    size: int


def items_of(
    chosen: Chosen, pictures: PictureFolder, kept: ReadKept, *, number: int | None, note: str
) -> Iterator[Item]:
    """Yield the items of a message."""
    head: Data = _head(chosen, number, note)
    parts: list[Data] = []
    size, begins = 0, True
    for part in parts_of(chosen.message):
        for data, length in _pieces(part, pictures, kept):
            if parts and size + length > _AT_ONCE:
                yield Item(["message", head, parts], begins, size)
                head, parts, size, begins = [head[0], None, "", ""], [], 0, False
            parts.append(data)
            size += length
    yield Item(["message", head, parts], begins, size)


def _head(chosen: Chosen, number: int | None, note: str) -> Data:
    message = chosen.message
    name = ROLE_NAMES[message.role]
    details = details_of(message.user_id, message.author, message.model)
    about = [details] if details else []
    about += [minute_of(message.created_at)] if is_known(message.created_at) else []
    about += marks_of_message(message, hidden=chosen.is_hidden)
    numbered = name if number is None else f"{number}. {name}"
    return [message.role, numbered, breakable("  ·  ".join(about), LONGEST_WORD), note]


def _pieces(part: Part, pictures: PictureFolder, kept: ReadKept) -> Iterator[tuple[Data, int]]:
    """Yield the data of a part with its length, in pieces if it is long."""
    match part:
        case Prose(text):
            blocks: list[Any] = []
            size = 0
            for block in blocks_of(text, pictures):
                length = length_of(block)
                if blocks and size + length > _AT_ONCE:
                    yield ["words", blocks], size
                    blocks, size = [], 0
                blocks.append(block)
                size += length
            if blocks:
                yield ["words", blocks], size
        case Verbatim(text, language):
            for code in code_blocks(shown(text), language):
                yield code, length_of(code)
        case Aside(title, texts):
            yield from _aside(breakable(title, LONGEST_WORD), texts)
        case ShownFiles(files):
            data = ["files", [_file(each, pictures, kept) for each in files]]
            yield data, length_of(data)


def _aside(title: str, texts: tuple[Verbatim, ...]) -> Iterator[tuple[Data, int]]:
    """Yield what is set apart; one that is short stays together."""
    found: list[tuple[str, str]] = []
    for each in texts:
        text = shown(each.text)
        language = each.language if len(text) <= LONGEST_COLOURED else ""
        found += [(language, breakable(piece, LONGEST_CODE_WORD)) for piece in pieces(text)]
    start = 0
    while start < len(found):
        end, size = start, 0
        while end < len(found) and (end == start or size + len(found[end][1]) <= _AT_ONCE):
            size += len(found[end][1])
            end += 1
        name = title if start == 0 else f"{title} (continued)"
        yield ["aside", name, found[start:end]], size
        start = end


def _file(file: ShownFile, pictures: PictureFolder, kept: ReadKept) -> Data:
    data = kept(file.linked)
    picture = None if data is None else pictures.add(data)
    return [breakable(file.name, LONGEST_WORD), file.about, file.address or None, picture]


def length_of(data: Any) -> int:
    """Return how many characters there are in data."""
    if isinstance(data, str):
        return len(data)
    # An element of a page takes memory as about so many letters do.
    return 20 + sum(map(length_of, data)) if isinstance(data, list | tuple) else 1
