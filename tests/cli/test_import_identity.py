"""Two conversations never become one, and one never two: ids where the source names none."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from chatdb.formats.identity import MessageIds, conversation_id
from chatdb.formats.times import EPOCH
from chatdb.records import Conversation, Message, Role
from tests.operations.importing import load, stored

Invoke = Callable[..., Any]


def said(*texts: str) -> list[dict[str, str]]:
    """Return messages of a user and an assistant in turn."""
    roles = ("user", "assistant")
    return [{"role": roles[place % 2], "content": text} for place, text in enumerate(texts)]


def write(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return path


@pytest.fixture
def into(run: Invoke, database_url: DatabaseUrl, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Import, and return the exit code, the counts and what was skipped."""
    monkeypatch.setenv("DATABASE_URL", database_url.exposed())

    def into(*words: Any) -> tuple[int, dict[str, int], str]:
        done = run("import", *words, "--format", "json")
        counts = json.loads(done.stdout)
        names = ("new", "updated", "unchanged", "deleted_here", "skipped")
        return done.exit_code, {each: counts[each] for each in names if counts[each]}, done.stderr

    return into


def talks(url: DatabaseUrl) -> list[tuple[str | None, list[str]]]:
    """Return the owner and the texts of every conversation."""
    with Database.open(url) as database:
        found = [(each.user_id, [m.content for m in each.messages]) for each in stored(database)]
    return sorted(found, key=str)


def old_kind(name: str, *texts: str) -> Conversation:
    """Return a conversation as earlier versions stored that of a file of this name."""
    key = conversation_id("chat-files", None, name)
    ids = MessageIds(key)
    messages: list[Message] = []
    for place, each in enumerate(said(*texts)):
        role: Role = "user" if place % 2 == 0 else "assistant"
        identifier = ids.without_source_id(role, each["content"])
        parent = messages[-1].id if messages else None
        made = Message(
            id=identifier, parent_id=parent, role=role, content=each["content"], created_at=EPOCH
        )
        made.source_id = str(place)
        messages.append(made)
    return Conversation(
        id=key,
        created_at=EPOCH,
        updated_at=EPOCH,
        source="chat-files",
        source_id=name,
        source_hash="old",
        messages=messages,
    )


def test_two_folders_with_a_file_of_one_name_are_two_conversations(
    into: Invoke, database_url: DatabaseUrl, tmp_path: Path
) -> None:
    write(tmp_path / "ann" / "chat.json", said("weigh the melon", "7 kg"))
    write(tmp_path / "bob" / "chat.json", said("where is the key", "under the mat"))

    first = into(tmp_path / "ann", "--user", "ann")
    second = into(tmp_path / "bob", "--user", "bob")

    assert (first[:2], second[:2]) == ((0, {"new": 1}), (0, {"new": 1}))
    assert talks(database_url) == [
        ("ann", ["weigh the melon", "7 kg"]),
        ("bob", ["where is the key", "under the mat"]),
    ]


def test_a_folder_that_was_moved_and_has_grown_is_not_imported_twice(
    into: Invoke, database_url: DatabaseUrl, tmp_path: Path
) -> None:
    write(tmp_path / "chats" / "a" / "one.json", said("hello"))
    write(tmp_path / "chats" / "b" / "two.json", said("weigh the melon", "7 kg"))
    into(tmp_path / "chats")
    (tmp_path / "chats").rename(tmp_path / "archive")
    write(tmp_path / "archive" / "a" / "one.json", said("hello", "hi", "bye"))

    moved = into(tmp_path / "archive")

    assert moved[:2] == (0, {"updated": 1, "unchanged": 1})
    assert talks(database_url) == [
        (None, ["hello", "hi", "bye"]),
        (None, ["weigh the melon", "7 kg"]),
    ]


def test_talks_that_begin_alike_in_one_import_are_told_apart_by_their_paths(
    into: Invoke, database_url: DatabaseUrl, tmp_path: Path
) -> None:
    for name, rest in (("a", "weigh"), ("b", "measure"), ("c", "weigh")):
        write(tmp_path / "chats" / name / "chat.json", said("hello", "hi", rest, "done", "thanks"))

    first = into(tmp_path / "chats")
    (tmp_path / "chats").rename(tmp_path / "moved")
    again = into(tmp_path / "moved")

    assert first[:2] == (0, {"new": 3})
    assert again[:2] == (0, {"unchanged": 3})
    assert [texts[2] for _, texts in talks(database_url)] == ["measure", "weigh", "weigh"]


def test_one_of_talks_that_begin_alike_is_found_again_when_it_comes_alone(
    into: Invoke, database_url: DatabaseUrl, tmp_path: Path
) -> None:
    for name, rest in (("a", "weigh"), ("b", "measure")):
        write(tmp_path / f"{name}.json", said("hello", "hi", rest, f"done by {name}"))
    into(tmp_path)

    alone = into(tmp_path / "b.json")
    other = into(write(tmp_path / "other" / "x.json", said("hello", "hi", "sing", "la")))

    assert alone[:2] == (0, {"unchanged": 1})
    assert other[:2] == (0, {"new": 1})
    assert len(talks(database_url)) == 3


def test_the_same_talk_of_another_user_is_named_and_not_merged(
    into: Invoke, database_url: DatabaseUrl, tmp_path: Path
) -> None:
    path = write(tmp_path / "chat.json", said("hello", "hi"))
    into(path, "--user", "ann")

    code, counts, errors = into(path, "--user", "bob")

    assert (code, counts) == (7, {"skipped": 1})
    assert "belongs to another user here (ann)" in errors
    assert talks(database_url) == [("ann", ["hello", "hi"])]


def test_an_id_that_two_users_files_name_is_not_merged_across_them(
    into: Invoke, database_url: DatabaseUrl, tmp_path: Path
) -> None:
    one = write(tmp_path / "1.json", {"id": "1", "title": "x", "messages": said("hello", "hi")})
    two = write(tmp_path / "2.json", {"id": "1", "title": "x", "messages": said("weigh", "7 kg")})
    into(one, "--user", "ann")

    code, counts, errors = into(two, "--user", "bob")

    assert (code, counts) == (7, {"skipped": 1})
    assert "belongs to another conversation here, of user ann" in errors
    assert talks(database_url) == [("ann", ["hello", "hi"])]


def test_what_earlier_versions_stored_by_the_files_name_is_recognised(
    into: Invoke, database_url: DatabaseUrl, database: Database, tmp_path: Path
) -> None:
    load(database, [old_kind("chat", "hello", "hi")])
    path = write(tmp_path / "chat.json", said("hello", "hi", "weigh the melon"))

    longer = into(path)
    again = into(path)

    assert longer[:2] == (0, {"updated": 1})
    assert again[:2] == (0, {"unchanged": 1})
    assert talks(database_url) == [(None, ["hello", "hi", "weigh the melon"])]


def test_a_stranger_of_the_same_file_name_does_not_go_into_what_earlier_versions_stored(
    into: Invoke, database_url: DatabaseUrl, database: Database, tmp_path: Path
) -> None:
    load(database, [old_kind("chat", "hello", "hi")])

    stranger = into(write(tmp_path / "chat.json", said("weigh the melon", "7 kg")))

    assert stranger[:2] == (0, {"new": 1})
    assert talks(database_url) == [(None, ["hello", "hi"]), (None, ["weigh the melon", "7 kg"])]


def test_blocks_that_earlier_versions_left_in_the_metadata_are_recognised_and_read(
    into: Invoke, database_url: DatabaseUrl, database: Database, tmp_path: Path
) -> None:
    block = {"type": "text", "text": "7 kg"}
    before = old_kind("task", "weigh the melon", "")
    before.messages[1].metadata = {"content": [block]}
    load(database, [before])
    messages = [*said("weigh the melon"), {"role": "assistant", "content": [block]}]

    done = into(write(tmp_path / "task.json", messages))

    assert done[:2] == (0, {"updated": 1})
    assert talks(database_url) == [(None, ["weigh the melon", "7 kg"])]


def test_what_was_deleted_here_stays_deleted_under_its_old_id(
    into: Invoke, database_url: DatabaseUrl, run: Invoke, database: Database, tmp_path: Path
) -> None:
    record = old_kind("chat", "hello", "hi")
    load(database, [record])
    run("conversations", "delete", record.id, "--yes")

    done = into(write(tmp_path / "chat.json", said("hello", "hi")))

    assert done[:2] == (0, {"deleted_here": 1})
    assert talks(database_url) == []


def test_a_dry_run_counts_as_the_import_does(into: Invoke, tmp_path: Path) -> None:
    for name, rest in (("a", "weigh"), ("b", "measure")):
        write(tmp_path / name / "chat.json", said("hello", "hi", rest))

    planned = into(tmp_path / "a", tmp_path / "b", "--dry-run")
    done = into(tmp_path / "a", tmp_path / "b")
    again = into(tmp_path / "a", tmp_path / "b", "--dry-run")

    assert planned[1] == done[1] == {"new": 2}
    assert again[1] == {"unchanged": 2}
