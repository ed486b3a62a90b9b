"""What the tutorial and the README print is what their commands print."""

import zipfile
from pathlib import Path

import pytest

from tests.repo.consoles import ROOT, is_printed, run_all, steps_of, written_anew

TUTORIAL = (ROOT / "docs/tutorial.md").read_text()
README = (ROOT / "README.md").read_text()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the documents, as in a checkout."""
    here = tmp_path / "checkout"
    here.mkdir()
    (here / "docs").symlink_to(ROOT / "docs")
    return here


def test_the_tutorial_prints_what_it_says(folder: Path) -> None:
    printed = run_all(TUTORIAL, folder)

    assert len(printed) > 12
    for (command, wanted), now in printed:
        assert is_printed(wanted, now), (command, now)


def test_the_readme_prints_what_it_says(folder: Path) -> None:
    with zipfile.ZipFile(folder / "chatgpt-export.zip", "w") as file:
        file.write(ROOT / "docs/examples/chatgpt-export.json", "conversations.json")
    door = README.partition("## I want to read my chats\n")[2].partition("\n## ")[0]

    printed = run_all(door, folder)

    assert len(printed) == 4
    for (command, wanted), now in printed:
        assert is_printed(wanted, now), (command, now)


def test_another_output_is_noticed_and_written_down(folder: Path) -> None:
    page = "Before\n\n```console\n$ echo one\none\n$ echo two\nthree\n```\n\nAfter\n"

    assert [step for step, now in run_all(page, folder) if not is_printed(step[1], now)] == [
        ("echo two", ["three"])
    ]
    assert written_anew(page, folder) == page.replace("three", "two")


def test_what_varies_from_run_to_run_is_not_compared() -> None:
    wanted = ["backups/chatdb_20261130T143606Z.db.zst", "12.9 kB, in 0.1 s", "...", "end"]

    assert is_printed(
        wanted, ["backups/chatdb_20270101T000000Z.db.zst", "3 MB, in 12 s", "x", "y", "end"]
    )
    assert not is_printed(wanted, ["backups/other.db.zst", "3 MB, in 12 s", "x", "end"])
    assert steps_of("no block") == []
