"""`chatdb export --to pdf` and `chatdb convert` to PDF as people run them."""

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from chatdb.db.url import DatabaseUrl
from chatdb.formats import native
from chatdb.formats.pdf import volumes
from tests.chatgpt_files import write_export
from tests.cli.conftest import command_line, process_environment
from tests.operations.export_rows import conversation, message
from tests.pages import metadata_of, outline_of, pages_of, text_of

Runner = Callable[..., Any]


@pytest.mark.usefixtures("filled_url")
def test_a_name_is_one_document_and_a_folder_has_several(run: Runner) -> None:
    one = run("export", "--id", str(UUID(int=1 << 64)), "--output", "one.pdf")
    many = run("export", "--output", "many.pdf")
    folder = run("export", "--all-orgs", "--to", "pdf", "--output", "talks/")
    again = run("export", "--all-orgs", "--to", "pdf", "--output", "talks/")
    refused = run("export", "--output", "one.pdf")

    assert (one.exit_code, many.exit_code, folder.exit_code, again.exit_code) == (0, 0, 0, 0)
    assert metadata_of(Path("one.pdf").read_bytes())["Title"] == "Chat 1"
    assert stat.S_IMODE(Path("one.pdf").stat().st_mode) == 0o600
    assert len(outline_of(Path("many.pdf").read_bytes())) == 3
    assert "wrote 3 conversations with 3 messages to talks/ in 3 files" in folder.stderr
    assert "3 files in talks/ already hold the same" in again.stderr
    names = sorted(path.name.split("_")[1] for path in Path("talks/default").iterdir())
    assert names == ["chat-1", "chat-2", "chat-3"]
    assert refused.exit_code == 6


def native_file(path: str, *texts: str) -> str:
    records = [
        conversation(n, [message(1, text)], title=f"Talk {n}") for n, text in enumerate(texts, 1)
    ]
    Path(path).write_bytes(b"".join(map(native.conversation_line, records)))
    return path


def test_boxes_are_told_and_the_exit_code_is_7(run: Runner) -> None:
    native_file("in.jsonl", "x", "a \U0010ff00 \U0010ff01 \U0010ff00")

    done = run("convert", "in.jsonl", "out.pdf")

    assert done.exit_code == 7
    assert "2 letters of private use (\U0010ff00\U0010ff01) stand as boxes, 3 times" in done.stderr
    assert "wrote 2 conversations" in done.stderr
    assert len(pages_of(Path("out.pdf").read_bytes(), scale=0.1)) == 3


def test_what_is_large_is_several_files_or_none(
    run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(volumes, "MOST_MESSAGES", 1)
    native_file("in.jsonl", "one", "two", "three")

    done = run("convert", "in.jsonl", "out.pdf")
    assert done.exit_code == 0
    assert sorted(path.name for path in Path().glob("*.pdf*")) == [
        "out-1.pdf", "out-2.pdf", "out-3.pdf"
    ]  # fmt: skip
    assert "to out.pdf in 3 files" in done.stderr
    assert "two" in text_of(Path("out-2.pdf").read_bytes())
    Path("out-1.pdf").unlink()
    Path("out-3.pdf").unlink()
    assert run("convert", "in.jsonl", "out.pdf").exit_code == 6
    assert [path.name for path in Path().glob("*.pdf*")] == ["out-2.pdf"]
    piped = run("convert", "in.jsonl", "-", "--to", "pdf")
    assert piped.exit_code == 2
    assert "too much for one PDF" in piped.stderr


def test_fonts_are_for_pdf_only(run: Runner) -> None:
    native_file("in.jsonl", "x")

    other = run("convert", "in.jsonl", "out.md", "--font-dir", ".")
    missing = run("convert", "in.jsonl", "out.pdf", "--font-dir", "nowhere")

    assert (other.exit_code, missing.exit_code) == (2, 5)
    assert "--font-dir is only for PDF, not for markdown" in other.stderr
    assert "there is no folder nowhere" in missing.stderr
    assert run("export", "--to", "html", "--font-dir", ".").exit_code == 2


def test_without_the_extra_the_command_says_what_to_install(
    run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    native_file("in.jsonl", "x")
    monkeypatch.setitem(sys.modules, "typst", None)

    done = run("convert", "in.jsonl", "out.pdf")

    assert done.exit_code == 1
    assert "PDF needs the package typst" in done.stderr
    assert "pip install 'chatdb-cli[pdf]'" in done.stderr


def test_kept_pictures_are_on_the_page_also_of_a_single_file(
    run: Runner, database_url: DatabaseUrl, tmp_path: Path
) -> None:
    own = ("-d", database_url.exposed(), "--attachments-dir", tmp_path / "kept")
    run("import", write_export(tmp_path / "export.zip"), "--attachments", *own)

    folder = run("export", "--to", "pdf", "-o", f"{tmp_path}/out/", *own)
    run("export", "-o", tmp_path / "one.pdf", *own)
    run("export", "-o", tmp_path / "none.pdf", "--no-attachments", *own)

    assert folder.exit_code == 0
    assert len(list((tmp_path / "out/attachments").iterdir())) == 3
    data = b"".join(path.read_bytes() for path in (tmp_path / "out").glob("*.pdf"))
    assert b"(attachments/" in data
    one, none = (tmp_path / f"{name}.pdf" for name in ("one", "none"))
    assert b"(attachments/" not in one.read_bytes()
    assert "my cat.png" in text_of(one.read_bytes())
    assert "my cat.png" in text_of(none.read_bytes())


@pytest.mark.large
@pytest.mark.parametrize("output", ["out.pdf", "folder/"])
def test_an_interrupted_export_leaves_nothing(tmp_path: Path, output: str) -> None:
    source = tmp_path / "in.jsonl"
    records = [
        conversation(n, [message(m, "some words " * 200) for m in range(1, 2_000)])
        for n in range(1, 4)
    ]
    source.write_bytes(b"".join(map(native.conversation_line, records)))
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    environment = process_environment() | {"TMPDIR": str(temporary)}
    command = command_line("convert", str(source), str(tmp_path / output), "--to", "pdf")
    process = subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, start_new_session=True
    )
    while not list(temporary.glob("chatdb-pdf-*/*/main.typ")):
        time.sleep(0.01)
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)

    assert process.returncode == 130
    assert list(temporary.iterdir()) == []
    assert [path for path in tmp_path.rglob("*.pdf*") if path.is_file()] == []
