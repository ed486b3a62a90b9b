"""`chatdb export --to html` and `chatdb convert` to HTML as people run them."""

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from chatdb.formats import native
from tests.operations.export_rows import conversation, message

Runner = Callable[..., Any]


@pytest.mark.usefixtures("filled_url")
def test_a_folder_gets_pages_by_years_with_an_index(run: Runner) -> None:
    result = run("export", "--to", "html", "--output", "pages/")

    assert result.exit_code == 0
    assert result.stdout == ""
    assert "wrote 3 conversations with 3 messages to pages/ in 5 files" in result.stderr
    pages = sorted(path.name for path in Path("pages/2026").iterdir())
    assert [name.split("_")[1] for name in pages[:3]] == ["chat-1", "chat-2", "chat-3"]
    assert pages[3:] == ["index.html"]
    assert stat.S_IMODE(Path("pages/index.html").stat().st_mode) == 0o600
    assert "Chat 1" in Path("pages/index.html").read_text()


@pytest.mark.usefixtures("filled_url")
def test_a_name_is_one_page(run: Runner) -> None:
    one = run("export", "--id", str(UUID(int=1 << 64)), "--output", "one.html")
    many = run("export", "--output", "many.html")

    assert (one.exit_code, many.exit_code) == (0, 0)
    assert "<title>Chat 1</title>" in Path("one.html").read_text()
    assert Path("many.html").read_text().count("<h1") == 3
    assert run("export", "--output", "one.html").exit_code == 6


@pytest.mark.usefixtures("filled_url")
def test_all_organizations_lie_below_one_index(run: Runner) -> None:
    result = run("export", "--all-orgs", "--to", "html", "--output", "pages/")

    assert result.exit_code == 0
    assert len(list(Path("pages/default/2026").glob("*_chat-*"))) == 3
    assert sorted(path.name for path in Path("pages").iterdir()) == ["default", "index.html"]


@pytest.mark.usefixtures("filled_url")
def test_a_second_run_tells_what_it_left(run: Runner) -> None:
    run("export", "--to", "html", "--output", "pages/")
    page = next(Path("pages/2026").glob("*_chat-1_*"))
    page.write_text("mine")

    result = run("export", "--to", "html", "--output", "pages/")
    assert result.exit_code == 7
    assert f"{page} exists with different content" in result.stderr
    part = run("export", "--to", "html", "--output", "pages/", "--until", "2026-01-31T12:01:00Z")
    assert part.exit_code == 7
    assert "2 pages of other runs in pages/: not in its index" in part.stderr
    assert run("export", "--to", "html", "--output", "pages/", "--force").exit_code == 0
    assert page.read_text() != "mine"


def test_nothing_matched_is_a_page_that_says_so(run: Runner, lite: Any) -> None:
    del lite
    result = run("export", "--to", "html", "--user", "nobody")

    assert result.exit_code == 0
    assert "No conversation matched." in result.stdout


def test_files_are_converted_without_a_database(run: Runner) -> None:
    records = [conversation(n, [message(1, "hi")], title=f"Talk {n}") for n in (1, 2)]
    Path("in.jsonl").write_bytes(b"".join(map(native.conversation_line, records)))

    page = run("convert", "in.jsonl", "out.html")
    folder = run("convert", "in.jsonl", "pages/", "--to", "html")

    assert (page.exit_code, folder.exit_code) == (0, 0)
    assert "Talk 2" in Path("out.html").read_text()
    assert len(list(Path("pages/2026").iterdir())) == 3


@pytest.mark.usefixtures("filled_url")
def test_a_folder_that_cannot_be_made_is_told(run: Runner) -> None:
    Path("pages").mkdir()
    Path("pages/2026").write_text("a file")

    result = run("export", "--to", "html", "--output", "pages/")

    assert result.exit_code == 1
    assert "pages/2026 cannot be created" in result.stderr
