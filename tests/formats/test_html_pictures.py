"""Kept pictures on pages: inside a single one, beside those of a folder; all else is named."""

import re
from base64 import b64encode
from html import unescape

import pytest

from chatdb.formats import kept_pictures
from chatdb.formats.attachment_links import with_linked_files
from chatdb.formats.base import WriteOptions
from chatdb.formats.html.conversations import conversation_html
from chatdb.formats.html.pictures import image_sources
from chatdb.formats.kept_pictures import KeptPictures
from chatdb.formats.registry import writer
from chatdb.records import Conversation, MessageFile
from tests.formats.pdf_samples import png
from tests.operations.export_rows import conversation, message

NAME = """my "cat" <b onload='x'>.png"""
SVG = b"<svg xmlns='http://www.w3.org/2000/svg' onload='harm()'/>"
SAMPLES = [
    (png(60, 40), "image/png", True),
    (b"GIF89a\x03\x00\x05\x00", "image/gif", True),
    (b"\xff\xd8\xff\xc0\x00\x11\x08\x00\x05\x00\x03" + bytes(9), "image/jpeg", True),
    (b"RIFF\x00\x00\x00\x00WEBPVP8L\x00\x00\x00\x00/\x02\x00\x01\x00", "image/webp", True),
    (b"\x89PNG\r\n\x1a\n broken", "image/png", False),
    (png(9_000, 9_000), "image/png", False),
    (SVG, "image/svg+xml", False),
    (SVG, "image/png", False),
    (b"%PDF-1.4", "application/pdf", False),
    (png(60, 40), None, False),
]
IDS = ("png", "gif", "jpeg", "webp", "broken", "bomb", "svg", "lie", "pdf", "unknown")


def options_for(data: bytes | None, attachments: str | None = None) -> WriteOptions:
    def read(_: Conversation, __: MessageFile, most: int) -> bytes | None:
        return None if data is None else data[:most]

    return WriteOptions(read_file=read, attachments=attachments)


def talk(kind: str | None, count: int = 1, name: str = NAME) -> Conversation:
    """Return a conversation of messages that have a file each."""
    messages = [
        message(number, "x", attachments=[{"name": name}]) for number in range(1, count + 1)
    ]
    record = conversation(1, messages)
    record.files = [
        MessageFile(message_id=each.id, position=0, digest="a" * 64, name=name, media_type=kind)
        for each in messages
    ]
    return record


def one_page(options: WriteOptions, *records: Conversation) -> str:
    made = writer("html", options)
    return b"".join((made.begin(), *map(made.conversation, records), made.end())).decode()


def images(page: str) -> list[str]:
    """Return the addresses of the images of a page."""
    return [unescape(each) for each in re.findall(r'<img src="([^"]*)"', page)]


@pytest.mark.parametrize(("data", "kind", "is_shown"), SAMPLES, ids=IDS)
def test_one_page_has_small_kept_pictures_inside(
    data: bytes, kind: str | None, is_shown: bool
) -> None:
    page = one_page(options_for(data), talk(kind))

    encoded = b64encode(data).decode()
    assert images(page) == ([f"data:{kind};base64,{encoded}"] if is_shown else [])
    assert ("img-src data:;" in page) is is_shown
    assert unescape(page).count(f"<bdi>{NAME}</bdi>") == 1
    assert "onload='" not in page


@pytest.mark.parametrize(("data", "kind", "is_shown"), SAMPLES, ids=IDS)
def test_a_page_of_a_folder_shows_the_pictures_that_it_links(
    data: bytes, kind: str | None, is_shown: bool
) -> None:
    options = options_for(data, "attachments")
    linked = with_linked_files(talk(kind), "../attachments")
    article, _ = conversation_html(linked, options, KeptPictures(options))

    address = unescape(re.findall(r'<li><a href="([^"]*)"', article)[0])
    assert address.startswith("../attachments/aaaaaaaaaaaa_my")
    assert images(article) == ([address] if is_shown else [])
    assert image_sources(article) == ("'self'" if is_shown else "")


def test_a_picture_has_a_text_and_its_size() -> None:
    page = one_page(options_for(png(60, 40)), talk("image/png", name="cat & dog.png"))

    assert 'alt="cat &amp; dog.png" width="60" height="40"><br>' in page


@pytest.mark.parametrize(
    ("data", "is_shown"),
    [
        (None, False),
        (png(8, 8) + bytes(1_000_000), True),
        (png(9_000, 9_000) + bytes(1_000_000), False),
        (SVG + bytes(1_000_000), False),
    ],
    ids=("gone", "large", "bomb", "lie"),
)
def test_a_large_picture_is_looked_at_before_a_page_of_a_folder_shows_it(
    data: bytes | None, is_shown: bool
) -> None:
    assert images(one_page(options_for(data), talk("image/png"))) == []

    options = options_for(data, "attachments")
    linked = with_linked_files(talk("image/png"), "../attachments")
    article, _ = conversation_html(linked, options, KeptPictures(options))
    assert len(images(article)) == is_shown
    assert article.count('<li><a href="../attachments/') == 1


def test_a_file_that_a_browser_would_run_is_no_picture_whatever_it_says() -> None:
    options = options_for(png(8, 8), "attachments")
    linked = with_linked_files(talk("image/png", name="cat.svg"), "../attachments")

    assert images(conversation_html(linked, options, KeptPictures(options))[0]) == []


def test_one_file_takes_only_so_many_bytes_of_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    data = png(8, 8)
    monkeypatch.setattr(kept_pictures, "MOST_INSIDE", 3 * len(data))

    page = one_page(options_for(data), talk("image/png", 2), talk("image/png", 2))

    assert len(images(page)) == 3
    assert page.count("not shown: the file has too many pictures") == 1
    assert page.count("img-src data:;") == 1

    made = writer("markdown", options_for(data))
    # The same picture again takes no more room in a conversation.
    talks = [talk("image/png", 2) for _ in range(5)]
    text = b"".join((made.begin(), *map(made.conversation, talks))).decode()
    assert (text.count("][kept-"), text.count("data:image/png;base64,")) == (6, 3)
    assert text.count("not shown: the file has too many pictures") == 4
    assert b"not shown" not in made.begin() + made.conversation(talks[0])


def test_a_text_that_looks_like_an_image_opens_nothing() -> None:
    record = conversation(1, [message(1, '<img src="x"> <img src="data:image/png;base64,AAAA">')])

    assert "img-src" not in one_page(WriteOptions(), record)
