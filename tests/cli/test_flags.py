"""The flags of conversations: every command and option that sets one or selects by it."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from chatdb.db.database import Database
from chatdb.store.columns import FLAGS
from tests.operations.conversation_rows import START, add_conversation

Command = Callable[..., Any]

VERBS = {
    "archived": ("archive", "unarchive"),
    "starred": ("star", "unstar"),
    "pinned": ("pin", "unpin"),
}
"""The commands that set a flag and remove it; a new flag needs a row."""
EACH = pytest.mark.parametrize("flag", VERBS)


@pytest.fixture
def command(run: Command, database: Database) -> Command:
    """Run a command on the database."""
    return lambda *words: run(*words, "-d", database.url.exposed())


@pytest.fixture
def flagged(database: Database, flag: str) -> UUID:
    """The only conversation of two that has the flag and no other."""
    add_conversation(database, ["x"], number=1, title="other")
    fields: dict[str, Any] = {FLAGS[flag]: START, "user_id": "ann"}
    return add_conversation(database, ["x"], number=2, title="it", **fields)


def rows(answer: Any) -> Any:
    assert answer.exit_code == 0, answer.stderr
    return json.loads(answer.stdout)


def test_every_flag_has_its_commands() -> None:
    assert tuple(VERBS) == tuple(FLAGS)


@EACH
def test_a_flag_is_set_and_removed_by_its_commands(
    command: Command, database: Database, flag: str
) -> None:
    ids = [str(add_conversation(database, [], number=number)) for number in (1, 2, 3)]
    (on, off), column = VERBS[flag], FLAGS[flag]

    def listed(*words: str) -> set[str]:
        found = rows(command("conversations", "list", "--format", "json", *words))
        return {row["id"] for row in found}

    made = rows(command("conversations", on, ids[1], ids[0], "--format", "json"))
    again = rows(command("conversations", on, ids[0], "--format", "json"))

    assert [row["id"] for row in made] == [ids[1], ids[0]]
    assert again == made[1:]
    assert all(row[column] == row["updated_at"] for row in made)
    assert listed(f"--{flag}") == set(ids[:2])
    assert listed(f"--no-{flag}") == {ids[2]}
    back = rows(command("conversations", off, *ids, "--format", "json"))
    assert [row[column] for row in back] == [None, None, None]
    assert listed(f"--{flag}") == set()
    shown = rows(command("conversations", "show", ids[0], "--format", "json"))
    assert shown[column] is None
    assert command("conversations", on, str(UUID(int=9))).exit_code == 5


@EACH
def test_what_has_a_flag_is_listed_exported_and_deleted_alone(
    command: Command, flagged: UUID, flag: str
) -> None:
    listed = rows(command("conversations", "list", f"--{flag}", "--format", "json"))
    exported = rows(command("export", "--to", "json", f"--{flag}"))
    others = rows(command("export", "--to", "json", f"--no-{flag}"))
    delete = ("conversations", "delete", f"--{flag}", "--yes", "--no-keep", "--format", "json")
    deleted = rows(command(*delete))
    left = rows(command("export", "--to", "json"))

    assert [row["id"] for row in listed] == deleted["ids"] == [str(flagged)]
    assert listed[0][FLAGS[flag]] is not None
    assert [each["title"] for each in exported] == ["it"]
    assert [each["title"] for each in others] == [each["title"] for each in left] == ["other"]


@EACH
def test_a_transcript_and_the_users_summary_tell_a_flag(
    command: Command, flagged: UUID, flag: str
) -> None:
    text = command("export", "--to", "markdown", "--id", str(flagged)).stdout
    summary = rows(command("users", "show", "ann", "--format", "json"))

    assert f"{FLAGS[flag]}: 2025-01-01T12:00:00Z" in text
    assert {name: summary[name] for name in FLAGS} == {name: int(name == flag) for name in FLAGS}


def test_flags_that_contradict_each_other_select_nothing(
    command: Command, database: Database
) -> None:
    add_conversation(database, [], number=1, starred_at=START)

    both = ("conversations", "list", "--starred", "--archived", "--format", "json")
    assert rows(command(*both)) == []
    assert command("conversations", "list", "--all", "--no-archived").exit_code == 2
