"""PDF of conversations: what is on the pages, seen as pictures; no text is ever a program."""

import re
import struct
from pathlib import Path
from uuid import UUID

import pytest

from chatdb.formats.base import Document, MissingLetters, Writer
from chatdb.formats.files.writing import Written
from chatdb.formats.pdf import volumes
from chatdb.formats.pdf.letters import Letters
from tests.formats.pdf_samples import lines, pdf, write_font, writer
from tests.operations.export_rows import conversation, message
from tests.pages import metadata_of, outline_of, pages_of, text_of
from tests.programs import leave_out

NO_GLYPH = "\U0010fffd"
EMOJI_FONT = Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")
SAMPLES = "éßğơДЖΩλאשبمकषไขあカ漢字语한글ഞგԱბ€→✓☎♞∑😀🚀🧪𝒳𓀀\U0010ff00\U0010ff01"


def missing_letters(made: Writer) -> tuple[MissingLetters, ...]:
    written = Written()
    made.report(written)
    return written.missing_letters


def test_what_is_called_missing_is_exactly_what_is_a_box() -> None:
    made = writer()
    text = "\n\n".join([NO_GLYPH, *SAMPLES])
    data = made.conversation(conversation(1, [message(1, text, role="assistant")], title="Title"))

    box, *found = lines(data)
    letters = SAMPLES
    assert len(found) == len(letters)
    boxes = {letter for letter, each in zip(letters, found, strict=True) if each == box}
    named = {letter for each in missing_letters(made) for letter in each.examples}
    # More letters of a script may be missing than are named.
    assert named - {NO_GLYPH} <= boxes
    told = sum(each.letters for each in missing_letters(made))
    assert told == len(boxes) + 1
    assert {"\U0010ff00", "\U0010ff01"} <= boxes
    # Those that are there differ from one another, which boxes would not.
    drawn = [each.rows for letter, each in zip(letters, found, strict=True) if letter not in boxes]
    assert len(set(drawn)) == len(drawn) > 20


def test_missing_letters_are_named_by_script_with_their_package() -> None:
    letters = Letters()
    letters.add(
        "abc é 汉汉字 ひ한 ไทย ไ ሀለ 😀 👩‍👩‍👧 \ue000 \U0010fffd ❤️ \u202f\u200b\u00ad \u0435\u0301"
    )

    # As on a machine without any font: the compiler's own are there.
    found = {each.script: each for each in letters.missing([("Libertinus Serif", None, 0, 400)])}

    packages = {script: each.package for script, each in found.items()}
    assert packages == {
        "Chinese, Japanese, Korean": "fonts-noto-cjk",
        "Japanese": "fonts-noto-cjk",
        "Korean": "fonts-noto-cjk",
        "Thai": "fonts-noto-core",
        "Ethiopic": "fonts-noto-core",
        "emoji": "fonts-noto-color-emoji",
        "private use": None,
    }
    assert found["Chinese, Japanese, Korean"] == MissingLetters(
        "Chinese, Japanese, Korean", "汉字", letters=2, times=3, package="fonts-noto-cjk"
    )
    assert found["Thai"].examples == "ไทย"
    assert letters.missing([]) != ()


@pytest.mark.large
def test_the_compilers_own_letters_are_those_that_are_listed() -> None:
    import io

    import typst
    from fontTools.ttLib import TTFont

    from chatdb.formats.pdf import letters

    (library,) = Path(typst.__file__).parent.glob("*.so")
    data = library.read_bytes()
    has: set[int] = set()
    for found in re.finditer(rb"OTTO|\x00\x01\x00\x00(?=\x00[\x08-\x28])", data):
        tables = range(found.start() + 12, found.start() + 12 + 16 * data[found.start() + 5], 16)
        places = [struct.unpack(">4sLLL", data[at : at + 16]) for at in tables]
        if {b"cmap", b"name"} <= {place[0] for place in places}:
            end = max(offset + length for _, _, offset, length in places)
            font = TTFont(io.BytesIO(data[found.start() : found.start() + end]), lazy=True)
            has.update(font.getBestCmap())

    assert letters._embedded() == has


@pytest.mark.parametrize("folders", [(), ("fonts",)])
def test_a_folder_with_fonts_fills_the_boxes(tmp_path: Path, folders: tuple[str, ...]) -> None:
    fonts = [str(tmp_path / each) for each in folders]
    for each in fonts:
        Path(each).mkdir()
        write_font(Path(each) / "own.ttf", "\U0010ff00")
    made = writer(font_folders=tuple(fonts))

    record = conversation(1, [message(1, "\U0010ff00\n\n\U0010ff01", role="assistant")])
    own, box = lines(made.conversation(record))

    (missing,) = missing_letters(made)
    assert missing.examples == ("\U0010ff01" if folders else "\U0010ff00\U0010ff01")
    assert (own == box) is not bool(folders)


def test_a_conversation_is_a_document_with_its_title() -> None:
    record = conversation(1, [message(1, "hello"), message(2, "hi", role="tool")], title="Zürich")
    data = writer().conversation(record)

    told = metadata_of(data)
    assert (told["Title"], told.get("Author")) == ("Zürich", None)
    assert told["CreationDate"].startswith("D:20260131")
    assert outline_of(data) == ["Zürich"]
    assert writer().conversation(record) == data
    assert [part in text_of(data) for part in ("1 / 1", "2 messages", "Output", "hi")] == [True] * 4


def test_several_conversations_have_contents() -> None:
    records = [conversation(n, [message(1, f"text {n}")], title=f"Talk {n}") for n in (1, 2, 3)]
    (document,) = writer().documents([("", each) for each in records])

    assert (document.number, document.conversations, document.messages) == (None, 3, 3)
    assert metadata_of(document.data)["Title"] == "Conversations"
    assert outline_of(document.data) == ["Talk 1", "Talk 2", "Talk 3"]
    assert len(pages_of(document.data, scale=0.2)) == 4
    (empty,) = writer().documents([], empty="")
    assert "No conversation matched" in text_of(empty.data)
    assert list(writer().documents([])) == []


def test_what_is_large_is_divided_and_each_volume_has_its_title(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(volumes, "MOST_MESSAGES", 4)
    records = [
        conversation(n, [message(m, f"text {n}.{m}") for m in range(1, count + 1)], title=f"T{n}")
        for n, count in ((1, 3), (2, 6), (3, 3))
    ]
    made = list(writer().documents([("", each) for each in records]))

    assert [each.number for each in made] == [1, 2, 3]
    assert [each.conversations for each in made] == [2, 0, 1]
    assert [outline_of(each.data) for each in made] == [
        ["T1", "T2"], ["T2 (continued)"], ["T2 (continued)", "T3"]
    ]  # fmt: skip
    text = "".join(text_of(each.data) for each in made)
    wanted = [f"text {n}.{m}" for n, count in ((1, 3), (2, 6), (3, 3)) for m in range(1, count + 1)]
    assert re.findall(r"text \d\.\d", text) == wanted
    with pytest.raises(ValueError, match="too many values"):
        writer().conversation(records[1])


def test_one_gigantic_message_is_divided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volumes, "MOST_CHARACTERS", 50_000)
    text = "".join(f"line {number}\n" for number in range(11_000))
    made: list[Document] = list(writer().documents([("", conversation(1, [message(1, text)]))]))

    assert len(made) > 1
    found = re.findall(r"line (\d+)", "".join(text_of(each.data) for each in made))
    assert found == [str(number) for number in range(11_000)]


def test_nothing_leaves_the_page() -> None:
    long = "w" * 400
    wide = "|".join(["", *["word" * 5] * 9, ""])
    table = f"{wide}\n{'|'.join(['', *['-'] * 9, ''])}\n{wide}"
    data = pdf(
        f"{long}\n\n`{long}`\n\n```\n{long}\n```\n\nhttps://e.example/{long}\n\n# {long}",
        table,
        message(3, long, role="tool", author=long, attachments=[long]),
        "> " * 40 + "deep\n\n" + "\n".join("  " * n + f"- {long[:70]}" for n in range(30)),
    )

    for page in pages_of(data, scale=1):
        first, last = page.edges()
        assert first >= 55
        assert last <= 540
    assert "deep" in text_of(data)


def test_right_to_left_stands_right_and_code_has_colours() -> None:
    page = pages_of(pdf("مرحبا بالعالم\n\n1. واحد\n\n> اقتباس"))[0]
    code = pdf("```python\ndef f(x): return 'a' # b\n```")
    plain = pdf("```\ndef f(x): return 'a' # b\n```")

    rows = [page.inked(at) for at in range(len(page.rows))]
    # Title, about and head are left; the three lines of Arabic end at the right margin.
    right = [row for row in rows[250:1500] if row]
    assert min(max(row) for row in right) > 800
    assert max(map(max, right)) > 1050
    assert len(pages_of(code, scale=1)[0].colours()) >= 3
    assert pages_of(plain, scale=1)[0].colours() == set()


def test_a_family_of_emoji_is_one_picture_in_colour() -> None:
    if not EMOJI_FONT.exists():
        leave_out("the font of emoji is not installed", "apt-get install fonts-noto-color-emoji")
    family, person, flag = lines(pdf("👨\u200d👩\u200d👧\u200d👦\n\n👨\n\n🇩🇪"))

    assert abs(family.width - person.width) <= 4
    assert len(flag.colours()) >= 2
    assert flag.width < 2 * person.width
    heart, plain = lines(pdf("\u2764\ufe0f\n\n\u2764"))
    assert (len(heart.colours()) > 1, plain.colours()) == (True, set())


def test_other_branches_are_numbered_as_in_markdown() -> None:
    parents = {1: None, 2: 1, 3: 2, 4: 1}
    messages = [
        message(n, f"text {n}", parent_id=None if parent is None else UUID(int=parent))
        for n, parent in parents.items()
    ]
    record = conversation(1, messages, current_message_id=UUID(int=3))

    assert "text 4" not in text_of(writer().conversation(record))
    shown = text_of(writer(all_branches=True).conversation(record))
    assert "4. User" in shown
    assert "Another branch, after message 1." in shown
