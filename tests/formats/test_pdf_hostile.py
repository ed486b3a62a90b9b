"""PDF of texts and pictures by strangers: no text is a program, no picture stops an export."""

import re
import sys
import tempfile
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from chatdb.errors import (
    NotFoundError,
    ProgramMissingError,
    StorageError,
    TypesettingFailedError,
)
from chatdb.formats.pdf.compiler import Compiler
from chatdb.formats.pictures import size_of
from chatdb.records import Conversation, MessageFile
from tests.formats.pdf_samples import png, writer
from tests.operations.export_rows import ODD_TEXTS, conversation, message
from tests.pages import pages_of, text_of
from tests.small_disk import small_disk

HOSTILE = (
    '#read("/etc/passwd")',
    '#import "@preview/x:1.0.0": *',
    "#panic(1) #{ while true {} } #set page(width: 1pt)",
    '$ x/0 $ $#read("data.json")$ ]] } ) \\ \\u{41} <label> @label #',
    "//comment /* open `` ```typ #x",
    '"); #eval("1+1") + ("',
    "~ -- --- ... 'single' \"double\" = heading - item + item / term: x",
)


def test_no_text_is_a_program() -> None:
    everywhere = [
        message(
            number,
            f"{text}\n\n    {text}\n\n- {text}\n\n| a |\n|-|\n| {text} |",
            role="assistant",
            author=text,
            model=text,
            reasoning=text,
            tool_calls=[{"name": text, "input": {"code": text, "language": text}}],
            tool_outputs=[{"text": text, "more": text}],
            attached_text=text,
            attachments=[{"name": text, "type": text, "url": text}],
        )
        for number, text in enumerate((*HOSTILE, *ODD_TEXTS), 1)
    ]
    record = conversation(1, everywhere, title=HOSTILE[1], user_id=HOSTILE[0], source=HOSTILE[3])
    data = writer(attachments="attachments").conversation(record)

    text = re.sub(r"\s+", "", text_of(data))
    for each in (HOSTILE[0], HOSTILE[1], HOSTILE[2]):
        assert text.count(re.sub(r"\s+", "", each)) > 8
    assert "root:" not in text
    # The page is not one point wide.
    assert pages_of(data, scale=1)[0].width == 596


def test_a_full_disk_is_told_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"{'word ' * 40}\n\n" * 100
    with small_disk(tmp_path / "disk", 1) as disk:
        monkeypatch.setattr(tempfile, "tempdir", str(disk))
        # There is room for the data of the document, but not for the document.
        (disk / "ballast").write_bytes(bytes((256 - 12) * 4096))

        with pytest.raises(StorageError, match="no space left on device"):
            writer().conversation(conversation(1, [message(1, text)]))

        assert [path.name for path in disk.iterdir()] == ["ballast"]


def test_the_compiler_reads_nothing_outside_its_folder(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    folder = tmp_path / "root"
    folder.mkdir()
    with Compiler() as compiler:
        for program, told in (
            (f'#read("{tmp_path}/secret")', "not found|denied"),
            ('#read("../secret")', "denied|outside|root"),
            ('#import "@preview/cetz:0.3.0": *', "package|download|network|found"),
            ("#panic()", "panicked"),
            ("#let f() = f()\n#f()", "depth"),
        ):
            (folder / "main.typ").write_text(program)
            with pytest.raises(TypesettingFailedError, match=told):
                compiler.compile(folder, size=1)
        assert compiler._process is not None
        compiler._process.kill()
        compiler._process.wait()
        (folder / "main.typ").write_text("fine")
        with pytest.raises(TypesettingFailedError, match="ended with"):
            compiler.compile(folder, size=1)
        compiler.compile(folder, size=1)
    assert (folder / "out.pdf").read_bytes().startswith(b"%PDF")


def test_pages_are_made_in_a_private_folder_that_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    modes: list[int] = []

    def named() -> Any:
        for number in (1, 2):
            yield str(number), conversation(number, [message(1, "x" * number)])
            modes.extend(path.stat().st_mode & 0o777 for path in tmp_path.glob("chatdb-pdf-*"))

    assert len(list(writer().documents(named()))) == 2
    assert modes == [0o700, 0o700]
    assert list(tmp_path.glob("chatdb-*")) == []
    documents = writer().documents(named())
    next(documents)
    documents.close()
    assert list(tmp_path.glob("chatdb-*")) == []


@pytest.mark.parametrize(
    ("data", "kind", "is_shown"),
    [
        (png(60, 40), "image/png", True),
        (png(60, 40)[:-30], "image/png", False),
        (b"\x89PNG\r\n\x1a\n broken", "image/png", False),
        (png(9_000, 9_000), "image/png", False),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", False),
        (b"%PDF-1.4", "application/pdf", False),
    ],
    ids=("whole", "cut", "broken", "bomb", "svg", "other"),
)
def test_kept_pictures_are_shown_and_all_else_is_named(
    data: bytes, kind: str, is_shown: bool
) -> None:
    file = MessageFile(
        message_id=UUID(int=1), position=0, digest="a" * 64, name="my cat", media_type=kind
    )
    record = conversation(1, [message(1, "x", attachments=[{"name": "my cat"}])])
    record.files = [file]
    asked: list[tuple[MessageFile, int]] = []

    def read(_: Conversation, wanted: MessageFile, most: int) -> bytes:
        asked.append((wanted, most))
        return data

    made = writer(read_file=read, attachments="attachments").conversation(record)

    assert asked == ([(file, 1_000_001)] if kind == "image/png" else [])
    assert ((7, 0, 0) in pages_of(made, scale=0.5)[0].colours()) is is_shown
    assert "my cat" in text_of(made)
    assert b"attachments/" in made


@pytest.mark.parametrize(
    ("data", "ending", "size"),
    [
        (b"GIF89a\x03\x00\x05\x00", "gif", (3, 5)),
        (b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x11\x08\x00\x05\x00\x03", "jpg", (3, 5)),
        (b"\xff\xd8\xff\xe0\x00", "jpg", None),
        (b"RIFF0000WEBPVP8X\x0a\0\0\0\0\0\0\0\x02\0\0\x04\0\0", "webp", (3, 5)),
        (b"RIFF0000WEBPVP8L\x0a\0\0\0\x2f\x02\x00\x01\x00", "webp", (3, 5)),
        (b"RIFF0000WEBPVP8 \x0a\0\0\0\0\0\0\x9d\x01\x2a\x03\x00\x05\x00", "webp", (3, 5)),
        (b"\x89PNG", "png", None),
    ],
    ids=("gif", "jpeg", "cut jpeg", "webp", "lossless webp", "lossy webp", "cut png"),
)
def test_the_size_of_a_picture_is_known_before_it_is_read(
    data: bytes, ending: str, size: tuple[int, int] | None
) -> None:
    assert size_of(data, ending) == size


def test_without_the_extra_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotFoundError, match="no folder /nowhere"):
        writer(font_folders=("/nowhere",))
    monkeypatch.setitem(sys.modules, "typst", None)
    with pytest.raises(ProgramMissingError, match="needs the package typst") as told:
        writer()
    assert told.value.hint is not None
    assert "chatdb-cli[pdf]" in told.value.hint
    assert "html" in told.value.hint
