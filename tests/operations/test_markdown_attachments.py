"""Markdown in a folder links kept attachments, which are put beside it."""

import re
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from markdown_it import MarkdownIt

from chatdb.db.url import DatabaseUrl
from chatdb.records import organization_id_of
from tests.chatgpt_files import FILES, OTHER_PNG, PDF, PNG, write_export
from tests.formats.pdf_samples import png
from tests.operations.test_import_attachments import KEPT

Run = Callable[..., Any]
Own = tuple[object, ...]

_LINK = re.compile(r"^- \[(.*)\]\((attachments/[^)]+)\)$", re.MULTILINE)


@pytest.fixture
def own(run: Run, database_url: DatabaseUrl, tmp_path: Path) -> Own:
    """The options of a database with three kept files."""
    options = ("-d", database_url.exposed(), "--attachments-dir", tmp_path / "kept")
    run("import", write_export(tmp_path / "export.zip"), "--attachments", *options)
    return options


def links(folder: Path) -> dict[str, bytes]:
    """Return the shown texts of the links with what they lead to."""
    return {
        text: (folder / unquote(target)).read_bytes()
        for page in sorted(folder.glob("*.md"))
        for text, target in _LINK.findall(page.read_text())
    }


def test_every_kept_file_is_linked_from_its_message(run: Run, own: Own, tmp_path: Path) -> None:
    out = tmp_path / "out"

    done = run("export", "--to", "markdown", "-o", f"{out}/", *own)
    again = run("export", "--to", "markdown", "-o", f"{out}/", *own)

    assert done.exit_code == 0, done.stderr
    assert links(out) == {
        f"`my cat.png` (`image/png, {len(PNG)} B`)": PNG,
        f"`../../paper.pdf` (`application/pdf, {len(PDF)} B`)": PDF,
        f"`sanitized.png` (`image/png, {len(OTHER_PNG)} B`)": OTHER_PNG,
    }
    assert "2 files" in again.stderr
    assert "hold the same" in again.stderr
    assert {each.stat().st_mode & 0o777 for each in (out / "attachments").iterdir()} == {0o600}


def test_one_file_has_its_pictures_inside(
    run: Run, database_url: DatabaseUrl, tmp_path: Path
) -> None:
    cat = png(30, 20)
    files = dict(zip(FILES, (cat, OTHER_PNG, PDF), strict=False))
    own = ("-d", database_url.exposed(), "--attachments-dir", tmp_path / "kept")
    run("import", write_export(tmp_path / "export.zip", files), "--attachments", *own)

    run("export", "--output", tmp_path / "one.md", *own)
    piped = run("export", "--to", "markdown", *own)

    read = MarkdownIt().render((tmp_path / "one.md").read_text())
    data = b64encode(cat).decode()
    assert f'<img src="data:image/png;base64,{data}" alt="my cat.png" />' in read
    assert read.count("<img ") == 1
    assert read.count("base64") == 1
    assert "<code>../../paper.pdf</code>" in read
    assert "base64" not in piped.stdout
    assert "`my cat.png`" in piped.stdout


def test_what_has_no_bytes_is_not_linked(run: Run, own: Own, tmp_path: Path) -> None:
    place = tmp_path / "kept" / str(organization_id_of("default"))
    for digest, data in KEPT.items():
        if data != PDF:
            (place / digest).unlink()

    run("export", "--to", "markdown", "-o", f"{tmp_path / 'out'}/", *own)

    assert list(links(tmp_path / "out").values()) == [PDF]


def test_all_organizations_have_a_folder_of_files_each(run: Run, own: Own, tmp_path: Path) -> None:
    run("organizations", "create", "acme", *own)
    run("import", tmp_path / "export.zip", "--attachments", "--org", "acme", *own)
    out = tmp_path / "out"

    run("export", "--to", "markdown", "--all-orgs", "-o", f"{out}/", *own)

    assert len(links(out / "acme")) == len(links(out / "default")) == 3


@pytest.mark.parametrize("words", [("--no-attachments",), ("--to", "json")])
def test_other_exports_have_no_files(
    run: Run, own: Own, tmp_path: Path, words: tuple[str, ...]
) -> None:
    out = tmp_path / "out"

    run("export", "--to", "markdown", "-o", f"{out}/", *words, *own)

    assert links(out) == {}
    assert not (out / "attachments").exists()
