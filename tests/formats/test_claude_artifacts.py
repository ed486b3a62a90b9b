"""What the reader of Claude's artifacts makes of them and of the files beside them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from chatdb.formats.base import Tally
from chatdb.formats.claude import artifact_files as limits
from chatdb.formats.claude.attached import attached_text
from chatdb.formats.files.file_kinds import ENOUGH
from chatdb.formats.files.sources import open_source
from chatdb.formats.sorting import sort_files
from chatdb.records import MARKS
from tests.formats.claude_export import (
    ACCOUNT,
    ARTIFACT,
    CHANGED,
    MADE,
    artifact,
    artifact_files,
    version,
    written,
    zipped,
)
from tests.formats.reading import Reading, read_path, read_value
from tests.formats.test_claude import conversation, message

ROOTS = ["folder", "frames-000.zip"]
FOLDER = f"artifacts/{ARTIFACT}/"


def read(tmp_path: Path, files: dict[str, Any], root: str = "frames-000.zip") -> Reading:
    return read_path(written(tmp_path / root, files))


@pytest.mark.parametrize("root", ROOTS)
def test_an_artifact_is_a_canvas_with_a_message_a_version(root: str, tmp_path: Path) -> None:
    made = artifact(version("1-1"), version("2-1", title="A till", created_at=CHANGED))

    reading = read(
        tmp_path, artifact_files(made, **{"1-1__html": "<p>a</p>", "2-1__html": "b"}), root
    )

    assert reading.format == "claude-artifacts"
    assert (reading.skipped, reading.ignored, reading.tally.lossy) == ([], (), {})
    assert reading.tally.kinds == {"canvas": 1}
    record = reading.only
    assert (record.kind, record.source, record.source_id) == (
        "canvas",
        "claude-artifacts",
        ARTIFACT,
    )
    assert (record.id, record.title, record.user_id) == (UUID(ARTIFACT), "A till", ACCOUNT)
    assert record.created_at == datetime(2026, 8, 1, 10, tzinfo=UTC)
    assert record.updated_at == datetime(2026, 9, 1, 10, tzinfo=UTC)
    assert record.metadata == {
        "active_version": "2-1",
        "kind": "artifact",
        "visibility": "private",
    }
    first, second = record.messages
    assert (first.role, first.content, first.source_id) == ("assistant", "Till", "1-1")
    assert first.attachments == [{"name": "1-1.html", "extracted_content": "<p>a</p>"}]
    assert first.attached_text == "1-1.html:\n<p>a</p>"
    assert (second.content, second.attached_text) == ("A till", "2-1.html:\nb")
    assert record.current_message_id == second.id
    assert (first.parent_id, second.parent_id) == (None, None)


def test_the_active_version_is_the_current_one_though_it_is_older(tmp_path: Path) -> None:
    made = artifact(version("1-1"), version("2-1", created_at=CHANGED), active_version="1-1")

    record = read(tmp_path, artifact_files(made, **{"1-1__html": "a", "2-1__html": "b"})).only

    assert record.current_message_id == record.messages[0].id


def test_a_description_follows_the_title(tmp_path: Path) -> None:
    made = artifact(version("1", description="counts coins", shared=True))

    (only,) = read(tmp_path, artifact_files(made, **{"1__html": "a"})).only.messages

    assert only.content == "Till\n\ncounts coins"
    assert only.metadata == {"shared": True}


@pytest.mark.parametrize("root", ROOTS)
def test_a_version_may_be_a_folder_or_a_page(root: str, tmp_path: Path) -> None:
    made = artifact(version("1"), version("2", created_at=CHANGED), kind="page")
    files = {
        FOLDER + "artifact.json": made,
        FOLDER + "versions/1/app.js": "let a",
        FOLDER + "versions/1/index.md": "# One",
        FOLDER + "versions/1/data.json": '{"unread": ["text"]}',
        FOLDER + "page.md": "# Two",
    }

    reading = read(tmp_path, files, root)

    first, second = reading.only.messages
    assert first.attached_text == (
        '1/index.md:\n# One\n\n1/app.js:\nlet a\n\n1/data.json:\n{"unread": ["text"]}'
    )
    assert second.attached_text == "page.md:\n# Two"
    assert (reading.skipped, reading.ignored) == ([], ())


def test_a_version_that_is_a_chat_export_is_the_artifacts_text(tmp_path: Path) -> None:
    chat = json.dumps([conversation(message())])

    reading = read(tmp_path, artifact_files(artifact(version("1")), **{"1__json": chat}))

    assert reading.only.messages[0].attachments[0]["extracted_content"] == chat


def test_what_people_said_about_it_is_with_the_active_version(tmp_path: Path) -> None:
    threads = {"threads": [{"resolved": True, "comments": [
        {"author_index": 1, "text": "too blue", "created_at": MADE},
        {"author_index": 0, "text": "not at all", "author_email": "ann@example.org"},
    ]}]}  # fmt: skip
    quoted = [{"quoted_text": "a coin", "comments": [{"body": "which?", "author": {"uuid": "u"}}]}]
    made = artifact(version("1"), version("2", created_at=CHANGED))
    files = artifact_files(made, **{"1__html": "a", "2__html": "b"})
    files |= {FOLDER + "artifact_comments.json": threads, FOLDER + "comments.json": quoted}

    reading = read(tmp_path, files)

    first, second = reading.only.messages
    assert "comments" not in first.metadata
    assert second.attached_text == (
        "2.html:\nb\n\ncomments:\ntoo blue\nnot at all\n\ncomments:\na coin\nwhich?"
    )
    assert len(second.metadata["comments"]) == 2
    assert "example.org" not in json.dumps(second.metadata)
    assert (reading.skipped, reading.ignored) == ([], ())


def test_the_text_can_be_made_again_from_the_record(tmp_path: Path) -> None:
    files = artifact_files(artifact(version("1")), **{"1__html": "a"})
    files[FOLDER + "comments.json"] = [{"comments": [{"body": "x"}]}]

    (only,) = read(tmp_path, files).only.messages

    assert attached_text(only) == only.attached_text


def test_a_version_without_its_file_is_named_and_the_others_kept(tmp_path: Path) -> None:
    made = artifact(version("1"), version("2"), version(None))

    reading = read(tmp_path, artifact_files(made, **{"1__html": "a"}))

    assert [each.source_id for each in reading.only.messages] == ["1"]
    assert {(each.source_id, each.reason) for each in reading.skipped} == {
        ("2", "its text is not in what was given"),
        (None, "it has no id"),
    }


def test_an_artifact_alone_is_refused_and_does_not_replace_what_is_known() -> None:
    reading = read_value(artifact(version("1")))

    assert reading.conversations == []
    assert [each.reason for each in reading.skipped] == [
        "the texts of its versions are not beside it: give the zip or folder"
    ]


def test_a_version_that_is_not_listed_is_kept(tmp_path: Path) -> None:
    reading = read(
        tmp_path, artifact_files(artifact(version("1")), **{"1__html": "a", "0__html": "z"})
    )

    found = {each.source_id: each for each in reading.only.messages}
    assert found.keys() == {"0", "1"}
    assert found["0"].metadata == {MARKS: {"time": "interpolated"}}


def test_two_artifacts_keep_their_files_apart(tmp_path: Path) -> None:
    files = artifact_files(artifact(version("1")), **{"1__html": "a"})
    files |= artifact_files(artifact(version("1"), id="other"), **{"1__html": "b"})

    reading = read(tmp_path, files)

    texts = {each.source_id: each.messages[0].attached_text for each in reading.conversations}
    assert texts == {ARTIFACT: "1.html:\na", "other": "1.html:\nb"}
    assert len({each.messages[0].id for each in reading.conversations}) == 2


def test_files_that_belong_to_no_artifact_stay_left_out(tmp_path: Path) -> None:
    files = artifact_files(artifact(version("1")), **{"1__html": "a"})
    files |= {
        "artifacts/gone/versions/1.html": "<p>b</p>",
        "artifacts/gone/artifact_comments.json": {"threads": [{"comments": [{"text": "x"}]}]},
        "notes.md": "c",
        f"reflections/{ACCOUNT}.json": {"text": "good"},
        "users.json": [{"uuid": "a", "full_name": "Ann", "email_address": "a@b.example"}],
        "login_history.json": {"login_events": [{"ip": "203.0.113.9"}]},
    }

    reading = read(tmp_path, files, "folder")

    found = {
        each.place.removeprefix(f"{tmp_path}/folder/"): (each.reason, each.holds_words)
        for each in reading.ignored
    }
    assert found == {
        "artifacts/gone/versions/1.html": ("text that is no JSON", False),
        "artifacts/gone/artifact_comments.json": (
            "a part of a Claude export (comments on an artifact); give its folder",
            True,
        ),
        "notes.md": ("text that is no JSON", False),
        f"reflections/{ACCOUNT}.json": (
            "a part of a Claude export (feedback); no conversation is in it",
            False,
        ),
        "users.json": ("a part of a Claude export (users); no conversation is in it", False),
        "login_history.json": (
            "a part of a Claude export (logins); no conversation is in it",
            False,
        ),
    }


def test_the_zips_of_an_export_are_read_together_under_the_names_of_a_browser(
    tmp_path: Path,
) -> None:
    frames = artifact_files(artifact(version("1")), **{"1__html": "a"})
    folder = written(
        tmp_path / "export",
        {
            "conversations-000 (1).zip": zipped({"conversations.json": [conversation(message())]}),
            "frames-000 (1).zip": zipped(frames),
        },
    )

    reading = read_path(folder)

    assert {each.kind for each in reading.conversations} == {"chat", "canvas"}
    assert reading.ignored == ()


def test_every_byte_that_is_announced_is_counted(tmp_path: Path) -> None:
    files = artifact_files(artifact(version("1")), **{"1__html": "a" * 5_000, "2__json": "[1]"})
    files[FOLDER + "comments.json"] = [{"comments": [{"body": "x"}]}]
    counts: list[int] = []
    with open_source(written(tmp_path / "a.zip", files), counts.append) as source:
        found = sort_files(source)
        for part in found.parts:
            list(part.reader.read(part.source, Tally()))

        assert sum(counts) == source.size


def test_text_that_no_database_holds_is_replaced_and_counted(tmp_path: Path) -> None:
    data = b"<p>" + b"." * ENOUGH + b"a\x00b \xff"

    reading = read(tmp_path, artifact_files(artifact(version("1")), **{"1__html": data}))

    assert reading.ignored == ()
    assert [each.reason for each in reading.skipped] == []
    assert str(reading.only.messages[0].attached_text).endswith(".a\ufffdb \ufffd")
    assert reading.tally.replaced_characters == 1


def test_a_version_that_is_too_large_is_named_and_the_others_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LARGEST", 1_000)
    made = artifact(version("1"), version("2", created_at=CHANGED))

    reading = read(tmp_path, artifact_files(made, **{"1__html": "a" * 2_000, "2__html": "b"}))

    assert [each.source_id for each in reading.only.messages] == ["2"]
    assert [each.place.rpartition(": ")[2] for each in reading.skipped] == ["version 1"]
    assert "it is larger than" in reading.skipped[0].reason


def test_versions_that_unpack_like_a_bomb_together_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "GROWTH_COUNTS_FROM", 200_000)
    names = [str(number) for number in range(5)]
    made = artifact(*map(version, names))

    reading = read(
        tmp_path, artifact_files(made, **{f"{name}__html": "a" * 40_000 for name in names})
    )

    assert len(reading.only.messages) == 2
    assert {each.reason for each in reading.skipped} == {"it unpacks like a decompression bomb"}


def test_a_damaged_comment_file_is_named_and_the_artifact_kept(tmp_path: Path) -> None:
    files = artifact_files(artifact(version("1")), **{"1__html": "a"})
    files[FOLDER + "artifact_comments.json"] = '{"threads": ['

    reading = read(tmp_path, files)

    assert reading.only.messages[0].attached_text == "1.html:\na"
    assert "its comments" in reading.skipped[0].place


def test_a_page_that_is_the_active_version_once_more_is_there_once(tmp_path: Path) -> None:
    files = artifact_files(artifact(version("1")), **{"1__md": "# One"})
    files[FOLDER + "page.md"] = "# One"

    assert read(tmp_path, files).only.messages[0].attached_text == "1.md:\n# One"


def test_of_thousands_of_versions_without_a_file_the_first_are_named(tmp_path: Path) -> None:
    made = artifact(version("1"), *(version(f"x{number}") for number in range(5_000)))

    reading = read(tmp_path, artifact_files(made, **{"1__html": "a"}))

    assert len(reading.only.messages) == 1
    assert len(reading.skipped) == 21
    assert reading.skipped[-1].place.endswith("4,980 more versions")
