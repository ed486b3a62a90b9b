"""`chatdb convert`: files in, files out, no database."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from chatdb.formats import native
from tests.cli.conftest import process_environment
from tests.operations.export_rows import NOON, conversation, every_shape, message

Runner = Callable[..., Any]

FORMATS = {"md": "markdown"}
SHAPES = len(every_shape())
"""How many conversations the exported file has."""


@pytest.fixture
def exported() -> Path:
    """A native file with conversations of every shape."""
    path = Path("in.jsonl")
    header = native.header_line(created=datetime(2026, 1, 31, tzinfo=UTC))
    path.write_bytes(header + b"".join(map(native.conversation_line, every_shape())))
    return path


def test_native_goes_through_unchanged(run: Runner, exported: Path) -> None:
    result = run("convert", str(exported), "out.jsonl.gz")
    again = run("convert", "out.jsonl.gz", "-", "--to", "jsonl")

    assert (result.exit_code, again.exit_code) == (0, 0)
    assert f"wrote {SHAPES} conversations" in result.stderr
    assert again.stdout_bytes.split(b"\n", 1)[1] == exported.read_bytes().split(b"\n", 1)[1]


def test_the_name_of_the_output_tells_the_format(run: Runner, exported: Path) -> None:
    assert run("convert", str(exported), "out.json").exit_code == 0
    assert run("convert", str(exported), "out.md").exit_code == 0

    assert len(json.loads(Path("out.json").read_bytes())) == SHAPES
    assert Path("out.md").read_text().startswith("---\n")


@pytest.mark.parametrize("ending", ["csv", "json", "md", "html", "pdf", "parquet", "jsonl"])
def test_the_messages_told_are_those_that_were_written(run: Runner, ending: str) -> None:
    parents = {1: None, 2: 1, 3: 1, 4: 3}
    messages = [
        message(
            number,
            "x",
            parent_id=parent and UUID(int=parent),
            metadata={"chatdb": {"hidden": True}} if number == 1 else {},
        )
        for number, parent in parents.items()
    ]
    record = conversation(1, messages, current_message_id=UUID(int=4))
    Path("in.jsonl").write_bytes(
        native.header_line(created=NOON) + native.conversation_line(record)
    )

    told = [
        run("convert", "in.jsonl", name, "--to", FORMATS.get(ending, ending), *words).stderr
        for name, words in ((f"a.{ending}", ()), ("d/", ()), (f"b.{ending}", ("--all-branches",)))
    ]

    counts = (4, 4, 4) if ending == "jsonl" else (2, 2, 3)
    for text, count in zip(told, counts, strict=True):
        assert f"wrote 1 conversation with {count} messages to" in text


def test_several_inputs_become_one(run: Runner, exported: Path) -> None:
    second = Path("second.jsonl")
    second.write_bytes(native.conversation_line(conversation(9, [message(1, "x")])))

    result = run("convert", str(exported), str(second), "-", "--from", "jsonl", "--to", "json")

    assert len(json.loads(result.stdout)) == SHAPES + 1


def test_a_folder_gets_a_file_for_each_conversation(run: Runner, exported: Path) -> None:
    result = run("convert", str(exported), "notes/", "--to", "markdown")

    assert result.exit_code == 0
    assert len(list(Path("notes").glob("*.md"))) == SHAPES


def test_standard_input_is_read(run: Runner, exported: Path) -> None:
    result = run("convert", "-", "-", "--to", "json", input=exported.read_bytes())

    assert result.exit_code == 0
    assert len(json.loads(result.stdout)) == SHAPES


def test_what_cannot_be_read_is_named_and_the_rest_written(run: Runner, exported: Path) -> None:
    lines = exported.read_bytes().splitlines(keepends=True)
    lines[2:2] = [b"{broken\n", b'{"id": "no uuid"}\n']
    exported.write_bytes(b"".join(lines))

    result = run("convert", str(exported), "out.json")

    assert result.exit_code == 7
    assert "line 3" in result.stderr
    assert "line 4" in result.stderr
    assert "2 items skipped" in result.stderr
    assert len(json.loads(Path("out.json").read_bytes())) == SHAPES


def test_an_input_is_never_written_over(run: Runner, exported: Path) -> None:
    before = exported.read_bytes()

    assert run("convert", str(exported), str(exported)).exit_code == 6
    forced = run("convert", str(exported), f"./{exported}", "--force")

    assert forced.exit_code == 6
    assert "both input and output" in forced.stderr
    assert exported.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "exit_code", "text"),
    [
        (("in.jsonl",), 2, "an input and an output"),
        (("in.jsonl", "out.txt"), 2, "--to"),
        (("in.jsonl", "-"), 2, "--to"),
        (("missing.jsonl", "out.json"), 5, "missing.jsonl"),
        (("in.jsonl", "out.json", "--from", "docx"), 2, "docx"),
        (("in.jsonl", "out.json", "--to", "chatgpt"), 2, "chatgpt"),
        (("empty", "out.json"), 1, "empty"),
    ],
)
@pytest.mark.usefixtures("exported")
def test_mistakes_are_told_before_anything_is_written(
    run: Runner, words: tuple[str, ...], exit_code: int, text: str
) -> None:
    Path("empty").touch()

    result = run("convert", *words)

    assert result.exit_code == exit_code
    assert text in result.stderr
    assert not list(Path().glob("out*"))


def test_no_database_module_is_loaded(exported: Path) -> None:
    program = (
        "import sys; from chatdb.cli.app import app;"
        "app(sys.argv[1:], standalone_mode=False);"
        "heavy = {'sqlalchemy', 'alembic', 'psycopg', 'sqlite3'} & set(sys.modules);"
        "print(sorted(heavy))"
    )
    for name in ("out.md", "out.jsonl"):
        words = [sys.executable, "-c", program, "convert", str(exported), name]
        done = subprocess.run(
            words, capture_output=True, env=process_environment(), check=True, text=True
        )
        assert done.stdout == "[]\n"


@pytest.mark.corpus
@pytest.mark.parametrize("to", ["jsonl", "json", "markdown", "html"])
def test_real_exports_are_converted(run: Runner, corpus: Path, to: str) -> None:
    files = sorted((corpus / "chatgpt").glob("*.json"))
    assert files

    for path in files:
        result = run("convert", str(path), "-", "--to", to)
        assert result.exit_code in (0, 7)
        assert result.stdout
