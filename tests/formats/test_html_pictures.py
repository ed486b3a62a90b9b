"""Kept pictures on pages: inside a single one, beside those of a folder; all else is named."""

import re
from base64 import b64encode
from html import unescape

import pytest

from chatdb.formats.attachment_links import with_linked_files
from chatdb.formats.base import WriteOptions
from chatdb.formats.html import pictures
from chatdb.formats.html.conversations import conversation_html
from chatdb.formats.html.pictures import ShownPictures, image_sources
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
        return None if data is None or len(data) > most else data

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
    article, _ = conversation_html(linked, options, ShownPictures(options))

    address = unescape(re.findall(r'<li><a href="([^"]*)"', article)[0])
    assert address.startswith("../attachments/aaaaaaaaaaaa_my")
    assert images(article) == ([address] if is_shown else [])
    assert image_sources(article) == ("'self'" if is_shown else "")


def test_a_picture_has_a_text_and_its_size() -> None:
    page = one_page(options_for(png(60, 40)), talk("image/png", name="cat & dog.png"))

    assert 'alt="cat &amp; dog.png" width="60" height="40"><br>' in page


def test_what_is_gone_or_too_large_is_named_and_in_a_folder_linked() -> None:
    assert images(one_page(options_for(None), talk("image/png"))) == []
    assert images(one_page(options_for(png(8, 8) + bytes(1_000_000)), talk("image/png"))) == []

    options = options_for(None, "attachments")
    linked = with_linked_files(talk("image/png"), "../attachments")
    assert len(images(conversation_html(linked, options, ShownPictures(options))[0])) == 1


def test_a_file_that_a_browser_would_run_is_no_picture_whatever_it_says() -> None:
    options = options_for(png(8, 8), "attachments")
    linked = with_linked_files(talk("image/png", name="cat.svg"), "../attachments")

    assert images(conversation_html(linked, options, ShownPictures(options))[0]) == []


def test_a_page_takes_only_so_many_bytes_of_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    data = png(8, 8)
    monkeypatch.setattr(pictures, "MOST_INSIDE", 3 * len(data))

    page = one_page(options_for(data), talk("image/png", 2), talk("image/png", 2))

    assert len(images(page)) == 3
    assert page.count("not shown: the page has too many pictures") == 1
    assert page.count("img-src data:;") == 1


def test_a_text_that_looks_like_an_image_opens_nothing() -> None:
    record = conversation(1, [message(1, '<img src="x"> <img src="data:image/png;base64,AAAA">')])

    assert "img-src" not in one_page(WriteOptions(), record)
