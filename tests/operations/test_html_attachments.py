"""Pages link kept attachments, which are put beside them once for the whole folder."""

import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from chatdb.db.url import DatabaseUrl
from tests.chatgpt_files import OTHER_PNG, PDF, PNG, write_export

Run = Callable[..., Any]
Own = tuple[object, ...]

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


def test_without_attachments_and_on_one_page_there_are_names_only(
    run: Run, own: Own, tmp_path: Path
) -> None:
    out = tmp_path / "out"

    run("export", "--to", "html", "-o", f"{out}/", "--no-attachments", *own)
    run("export", "-o", tmp_path / "one.html", *own)

    assert links(out) == {}
    assert not (out / "attachments").exists()
    assert "<bdi>my cat.png</bdi>" in (tmp_path / "one.html").read_text()
