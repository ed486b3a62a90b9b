"""Pages link kept attachments, which are put beside them once for the whole folder."""

import hashlib
import json
import re
from base64 import b64decode
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from chatdb.db.url import DatabaseUrl
from chatdb.errors import ExitCode
from chatdb.records import organization_id_of
from tests.chatgpt_files import FILES, OTHER_PNG, PDF, PNG, write_export
from tests.formats.pdf_samples import png

Run = Callable[..., Any]
Own = tuple[object, ...]

_IMAGE = re.compile(r'<img src="data:image/png;base64,([^"]+)" alt="([^"]*)"')
_LINK = re.compile(r'<li><a href="([^"]+)"><bdi>(.*?)</bdi></a>')


@pytest.fixture
def own(run: Run, database_url: DatabaseUrl, tmp_path: Path) -> Own:
    """The options of a database with three kept files."""
    options = ("-d", database_url.exposed(), "--attachments-dir", tmp_path / "kept")
    run("import", write_export(tmp_path / "export.zip"), "--attachments", *options)
    return options


def links(folder: Path) -> dict[str, bytes]:
    """Return the names that are links with what they lead to."""
    return {
        unescape(name): (page.parent / unquote(target)).read_bytes()
        for page in sorted(folder.rglob("*.html"))
        for target, name in _LINK.findall(page.read_text())
    }


def pictures(page: str) -> dict[str, bytes]:
    """Return the pictures inside a page by the texts that stand for them."""
    return {alt: b64decode(data) for data, alt in _IMAGE.findall(page)}


@pytest.mark.parametrize("words", [(), ("--all-orgs",)])
def test_every_kept_file_is_linked_from_its_message(
    run: Run, own: Own, tmp_path: Path, words: tuple[str, ...]
) -> None:
    out = tmp_path / "out"

    done = run("export", "--to", "html", "-o", f"{out}/", *words, *own)
    again = run("export", "--to", "html", "-o", f"{out}/", *words, *own)

    assert (done.exit_code, again.exit_code) == (0, 0)
    assert links(out) == {"my cat.png": PNG, "../../paper.pdf": PDF, "sanitized.png": OTHER_PNG}
    assert len(list((out / "attachments").iterdir())) == 3
    assert "hold the same" in again.stderr


def test_one_page_has_its_pictures_inside(
    run: Run, database_url: DatabaseUrl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    cat, dog = png(30, 20), png(20, 30)
    files = dict(zip(FILES, (cat, dog, PDF), strict=False))
    own = ("-d", database_url.exposed(), "--attachments-dir", tmp_path / "kept")
    run("import", write_export(tmp_path / "export.zip", files), "--attachments", *own)

    run("export", "--output", tmp_path / "one.html", *own)
    piped = run("export", "--to", "html", *own)
    opened = run("open", "last", "--no-browser", *own)
    run("export", "--no-attachments", "--output", tmp_path / "none.html", *own)

    page = (tmp_path / "one.html").read_text()
    assert pictures(page) == {"my cat.png": cat, "sanitized.png": dog}
    assert "<bdi>../../paper.pdf</bdi>" in page
    assert piped.stdout == page
    assert pictures(Path(opened.stdout.strip()).read_text()) == {"sanitized.png": dog}
    assert pictures((tmp_path / "none.html").read_text()) == {}


def test_files_that_cannot_be_read_are_left_out_and_named_once(
    run: Run, own: Own, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "kept" / str(organization_id_of("default"))
    picture, paper = (place / hashlib.sha256(data).hexdigest() for data in (PNG, PDF))
    for path in (picture, paper):
        path.unlink()
    picture.symlink_to(picture)
    paper.mkdir()
    talks = json.loads(run("conversations", "list", "--format", "json", *own).stdout)
    (talk,) = (each["id"] for each in talks if each["title"] == "Talk 1")

    for words, names in {
        ("export", "--to", "html", "--output", "a/"): "2 attachments (my cat.png, ../../paper.pdf)",
        ("export", "--to", "markdown", "--output", "b/"): "2 attachments",
        ("export", "--to", "pdf", "--output", "c/"): "2 attachments",
        ("export", "--output", "one.html"): "1 attachment (my cat.png)",
        ("export", "--output", "one.md"): "1 attachment (my cat.png)",
        ("export", "--output", "one.pdf"): "1 attachment (my cat.png)",
        ("export", "--to", "html"): "1 attachment (my cat.png)",
        ("open", talk, "--no-browser"): "1 attachment (my cat.png)",
    }.items():
        done = run(*words, *own)
        assert done.exit_code == ExitCode.PARTIAL, (words, done.stderr)
        assert done.stderr.count(f"left out, for they cannot be read: {names}") == 1, words
    for folder in "abc":
        (there,) = (tmp_path / folder / "attachments").iterdir()
        assert there.read_bytes() == OTHER_PNG


def test_without_attachments_and_of_broken_pictures_there_are_names_only(
    run: Run, own: Own, tmp_path: Path
) -> None:
    out = tmp_path / "out"

    run("export", "--to", "html", "-o", f"{out}/", "--no-attachments", *own)
    run("export", "-o", tmp_path / "one.html", *own)

    assert links(out) == {}
    assert not (out / "attachments").exists()
    assert "<bdi>my cat.png</bdi>" in (tmp_path / "one.html").read_text()
