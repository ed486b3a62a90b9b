"""What the reader of Claude's projects makes of documents and prompts."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from chatdb.formats.base import Skipped
from chatdb.formats.times import EPOCH
from chatdb.records import MARKS, Conversation
from tests.formats.claude_export import ACCOUNT, DOCUMENT, MADE, PROJECT, document, project, written
from tests.formats.reading import Reading, read_path, read_value
from tests.formats.test_claude import conversation, message


def by_title(reading: Reading) -> dict[str | None, Conversation]:
    return {each.title: each for each in reading.conversations}


def test_a_document_is_a_conversation_of_one_message() -> None:
    reading = read_value(project(document()))

    assert reading.format == "claude-projects"
    assert (reading.tally.lossy, reading.tally.unknown_fields) == ({}, {})
    assert reading.tally.kinds == {"document": 1}
    record = reading.only
    assert (record.kind, record.source, record.source_id) == (
        "document",
        "claude-projects",
        DOCUMENT,
    )
    assert (record.id, record.title, record.user_id) == (UUID(DOCUMENT), "brine.md", ACCOUNT)
    assert record.created_at == record.updated_at == datetime(2026, 8, 1, 10, tzinfo=UTC)
    (only,) = record.messages
    assert (only.role, only.content, only.parent_id) == ("user", "five percent brine", None)
    assert only.created_at == record.created_at
    assert record.current_message_id == only.id


def test_its_metadata_have_what_the_project_says_of_itself() -> None:
    record = read_value(project(document(size=12))).only

    assert record.metadata == {
        "size": 12,
        "project": {
            "uuid": PROJECT,
            "name": "Kitchen",
            "description": "about pickles",
            "is_private": True,
            "is_starter_project": False,
            "created_at": MADE,
            "updated_at": MADE,
            "creator": {"uuid": ACCOUNT, "full_name": "Ann Example"},
        },
    }


def test_the_prompt_of_a_project_is_a_document_of_the_systems() -> None:
    reading = read_value(project(document(), prompt_template="You are a cook."))

    found = by_title(reading)
    assert found.keys() == {"brine.md", "Kitchen: prompt"}
    prompt = found["Kitchen: prompt"]
    assert (prompt.kind, prompt.source_id) == ("document", f"{PROJECT}/prompt")
    assert [(each.role, each.content) for each in prompt.messages] == [
        ("system", "You are a cook.")
    ]
    assert "prompt_template" not in found["brine.md"].metadata["project"]


def test_a_starter_project_is_read_like_any_other() -> None:
    reading = read_value(project(document(), is_starter_project=True))

    assert reading.only.metadata["project"]["is_starter_project"] is True


def test_a_description_alone_is_kept_and_a_project_of_nothing_gives_nothing() -> None:
    only = read_value(project()).only

    assert (only.title, only.messages[0].content) == ("Kitchen: description", "about pickles")
    assert read_value(project(description="")).conversations == []


def test_another_content_is_another_message_of_the_same_conversation() -> None:
    first, second = (
        read_value(project(document(text))).only for text in ("five percent", "six percent")
    )
    again = read_value(project(document("five percent"), name="Cellar")).only

    assert first.id == second.id == again.id
    assert first.messages[0].id == again.messages[0].id != second.messages[0].id


def test_a_change_of_the_project_is_the_latest_time_of_its_documents() -> None:
    record = read_value(project(document(), updated_at="2026-09-05T00:00:00Z")).only

    assert record.updated_at == datetime(2026, 9, 5, tzinfo=UTC)
    assert record.messages[0].created_at == datetime(2026, 8, 1, 10, tzinfo=UTC)


def test_documents_without_a_uuid_are_told_apart_by_project_and_name() -> None:
    one, other = (
        read_value(project({"filename": "a.md", "content": "x"}, uuid=uuid)).only
        for uuid in (PROJECT, DOCUMENT)
    )

    assert one.id != other.id
    assert one.source_id == f"{PROJECT}/a.md"


def test_without_any_time_the_time_is_marked_as_unknown() -> None:
    raw = {"uuid": PROJECT, "name": "K", "docs": [{"filename": "a.md", "content": "x"}]}

    record = read_value(raw).only

    assert record.created_at == record.updated_at == EPOCH
    assert record.metadata[MARKS] == {"time": "interpolated"}
    assert record.messages[0].metadata[MARKS] == {"time": "interpolated"}


def test_an_address_of_the_creator_is_kept_nowhere() -> None:
    creator = {
        "uuid": ACCOUNT,
        "full_name": "ann@example.org",
        "email_address": "ann@example.org",
        "phone_number": "+44 20",
        "teams": [{"name": "x", "contact_email": "team@example.org"}],
    }

    reading = read_value(project(document(), prompt_template="p", creator=creator))

    text = json.dumps([each.metadata for each in reading.conversations])
    assert "example.org" not in text
    assert "+44" not in text
    assert reading.conversations[0].metadata["project"]["creator"] == {
        "uuid": ACCOUNT,
        "teams": [{"name": "x"}],
    }
    assert reading.tally.lossy == {"an address of a person: left out": 8}


@pytest.mark.parametrize(
    ("docs", "reason"),
    [
        (["x"], "a document of a project is not an object but a text"),
        ([{"filename": "a", "content": {"b": 1}}], "its content is no text but an object"),
        ("x", "a document of a project is not an object but a text"),
    ],
)
def test_what_is_no_document_is_named_and_the_prompt_read(docs: Any, reason: str) -> None:
    reading = read_value(project(docs=docs, prompt_template="p"))

    assert reading.only.title == "Kitchen: prompt"
    assert [each.reason for each in reading.skipped] == [reason]
    assert isinstance(reading.skipped[0], Skipped)


def test_a_prompt_that_is_no_text_is_named() -> None:
    reading = read_value(project(document(), prompt_template=["x"]))

    assert [each.reason for each in reading.skipped] == ["its prompt is no text but a list"]
    assert reading.only.title == "brine.md"


@pytest.mark.parametrize("root", ["folder", "export.zip"])
def test_projects_are_read_beside_conversations_and_alone(root: str, tmp_path: Path) -> None:
    files = {f"projects/{PROJECT}.json": project(document())}
    whole = written(tmp_path / root, {"conversations.json": [conversation(message())]} | files)
    alone = written(tmp_path / f"alone-{root}", files)

    reading = read_path(whole)

    assert reading.format == "claude, claude-projects"
    assert {each.kind for each in reading.conversations} == {"chat", "document"}
    assert (reading.skipped, reading.ignored) == ([], ())
    assert read_path(alone).only.id == UUID(DOCUMENT)


def test_a_list_of_projects_is_read() -> None:
    other = project(document(uuid=PROJECT), uuid=DOCUMENT)

    assert len(read_value([project(document()), other]).conversations) == 2


def test_an_address_is_found_at_any_depth_and_what_is_too_deep_is_skipped() -> None:
    inner: Any = {"email": "ann@example.org", "kept": 1}
    for _ in range(600):
        inner = {"in": [inner]} if len(str(inner)) < 99 else {"in": inner}

    reading = read_value(project(document(), extra=inner))

    assert "example.org" not in str(reading.only.metadata)
    assert reading.tally.lossy == {"an address of a person: left out": 1}


def test_a_document_without_a_time_has_its_projects_and_says_that_it_is_a_guess() -> None:
    record = read_value(project({"uuid": DOCUMENT, "filename": "a.md", "content": "x"})).only

    assert record.created_at == datetime(2026, 8, 1, 10, tzinfo=UTC)
    assert record.metadata[MARKS] == {"time": "interpolated"}
