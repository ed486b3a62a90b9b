"""Invented exports in today's shapes give what the notes beside them say."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from chatdb.formats.branches import active_path
from chatdb.records import is_hidden
from tests.formats.reading import Reading, read_path

ROOT = Path(__file__).resolve().parents[2]
CASES = Path(os.environ.get("CHATDB_CASES", ROOT.parent / "shared" / "cases"))
EXPORTS = CASES / "exports-2026"

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(not CASES.is_dir(), reason=f"no cases in {CASES}"),
]


def read(name: str) -> Reading:
    reading = read_path(EXPORTS / name)
    assert (reading.skipped, reading.tally.unknown_fields, reading.tally.lossy) == ([], {}, {})
    assert not any(each.holds_words for each in reading.ignored)
    return reading


def test_the_export_of_july_2026_has_the_names_of_its_files() -> None:
    reading = read("chatgpt-2026-07.zip")

    messages = [each for record in reading.conversations for each in record.messages]
    assert (len(reading.conversations), len(messages)) == (2, 12)
    named = [file for each in messages for file in each.attachments or ()]
    assert [(file["id"], file["name"]) for file in named] == [("file_00000000aaaa", "till.png")] * 4


@pytest.mark.parametrize(
    ("name", "talks"), [("chatgpt-outer.zip", 2), ("openai-privacy-portal.zip", 1)]
)
def test_a_zip_in_a_zip_has_its_conversations(name: str, talks: int) -> None:
    assert len(read(name).conversations) == talks


def test_nodes_without_children_are_a_tree_with_a_fork() -> None:
    record = read("chatgpt-2026-07-nodes.json").only

    parents = [each.parent_id for each in record.messages]
    forks = {each for each in parents if each is not None and parents.count(each) > 1}
    assert (len(record.messages), forks) == (6, {record.messages[0].id})
    assert [each.source_id for each in active_path(record)] == ["u1", "t1", "r1", "a1", "u2"]
    assert record.metadata["memory_scope"] == "global_enabled"


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small inputs of faults that were reported."""
    folder = tmp_path_factory.mktemp("reported")
    script = CASES / "bug-reports" / "make_inputs.py"
    subprocess.run([sys.executable, str(script), str(folder)], check=True)
    return folder


def said(reading: Reading) -> list[tuple[str, str | None]]:
    return [
        (each.content, each.attached_text)
        for record in reading.conversations
        for each in record.messages
        if not is_hidden(each)
    ]


def test_a_report_a_canvas_and_speech_are_seen(reported: Path) -> None:
    report = said(read_path(reported / "a4-deep-research.json"))
    canvas = said(read_path(reported / "a8-canvas.json"))
    speech = said(read_path(reported / "a6-voice.json"))

    assert report[1] == ("", "# Report on lanternfish\n\nThe lanternfish migrates.")
    assert canvas[1][1] == "Letter:\nDear wombatqueen, greetings."
    assert speech == [("tell me of narwhals", None), ("Narwhals have a tusk.", None)]


def test_a_group_chat_and_a_canvas_of_their_own_are_read(reported: Path) -> None:
    reading = read_path(reported / "a8-canvas.zip")

    assert [(each.source, each.kind) for each in reading.conversations] == [
        ("chatgpt", "chat"),
        ("chatgpt-group", "chat"),
        ("chatgpt-canvas", "canvas"),
    ]
    assert said(reading)[-2:] == [("hello emuclub", None), ("Dear yakprincess", None)]
    assert not any(each.holds_words for each in reading.ignored)


def test_names_of_dat_files_and_text_in_unknown_parts_are_found(reported: Path) -> None:
    (picture, _) = read_path(reported / "a2-dat.zip").only.messages
    deep = read_path(reported / "a11-bad.json").conversations[0].messages[0]

    assert [(file["id"], file["name"]) for file in picture.attachments] == [
        ("file-0AbC", "holiday.jpg"),
        ("file-0AbC", "holiday.jpg"),
    ]
    assert (deep.content, deep.attached_text) == ("ok part", "deepword")


def test_fields_of_a_conversation_without_a_column_are_kept() -> None:
    metadata = read("chatgpt-2026-07-nodes.json").only.metadata

    assert metadata == {
        "default_model_slug": "gpt-x",
        "is_do_not_remember": False,
        "is_study_mode": False,
        "memory_scope": "global_enabled",
        "mapping": {"c1root": {"id": "c1root"}},
    }
