"""PDF made for tests, and what is put into it."""

import struct
import zlib
from pathlib import Path
from typing import Any

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

from chatdb.formats import registry
from chatdb.formats.base import WriteOptions
from chatdb.formats.pdf.writer import PdfWriter
from chatdb.records import Message
from tests.operations.export_rows import conversation, message
from tests.pages import Picture, pages_of


def writer(**options: Any) -> PdfWriter:
    made = registry.writer("pdf", WriteOptions(**options))
    assert isinstance(made, PdfWriter)
    return made


def pdf(*texts: str | Message, role: str = "assistant", **options: Any) -> bytes:
    messages = [
        each if isinstance(each, Message) else message(number, each, role=role)
        for number, each in enumerate(texts, 1)
    ]
    return writer(**options).conversation(conversation(1, messages, title="Title"))


def lines(data: bytes) -> list[Picture]:
    """Return the lines without those of the title, of what is known, of the head, and footers."""
    return [line for page in pages_of(data) for line in list(page.bands())[:-1]][3:]


def png(width: int, height: int, colour: bytes = b"\xff\x00\x00") -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress((b"\0" + colour * width) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def write_font(path: Path, letter: str) -> None:
    """Write a font in which a letter is a filled triangle."""
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    pen.lineTo((900, 0))
    pen.lineTo((450, 700))
    pen.closePath()
    made = FontBuilder(1000, isTTF=True)
    made.setupGlyphOrder([".notdef", "own"])
    made.setupCharacterMap({ord(letter): "own"})
    made.setupGlyf({".notdef": TTGlyphPen(None).glyph(), "own": pen.glyph()})
    made.setupHorizontalMetrics({".notdef": (500, 0), "own": (1000, 0)})
    made.setupHorizontalHeader(ascent=800, descent=-200)
    made.setupNameTable({"familyName": "Own", "styleName": "Regular", "psName": "Own"})
    made.setupOS2()
    made.setupPost()
    made.save(path)
