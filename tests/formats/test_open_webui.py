"""Open WebUI's export: in every shape that it comes in, and written as its importer takes it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from chatdb.formats.branches import active_path
from chatdb.operations.exporting.exports import read_conversations
from chatdb.records import MARKS, Conversation
from chatdb.store.selecting import ConversationFilter
from tests.formats.reading import read_path, read_value
from tests.layouts.foreign_databases import make_sqlite, values
from tests.layouts.open_webui_database import ANN, AT, MELONS, OUTPUT, chat, message, tables

Run = Callable[..., Any]

QUESTION = message("q", "user", None, "Weigh it", models=["echo"])
ANSWER = message("a", "assistant", "q", "It weighs 7 kg", model="echo", output=OUTPUT)
OTHER = message("b", "assistant", "q", "Seven", model="other", timestamp=(AT + 5) * 1000)


def row(title: str = "Melons", **fields: Any) -> dict[str, Any]:
    """Return a chat as the export of all chats has it."""
    inner = json.loads(chat(title, "a", *(dict(each) for each in (QUESTION, ANSWER, OTHER))))
    made = {"id": MELONS, "user_id": ANN, "title": title, "chat": inner}
    return {**made, "created_at": AT, "updated_at": AT + 9, "archived": False, **fields}


def stored(url: DatabaseUrl) -> dict[UUID, Conversation]:
    with Database.open(url) as database:
        wanted = ConversationFilter()
        found = read_conversations(database, wanted, organization_key="default")
        return {each.id: each for each in found}


@pytest.mark.parametrize(
    ("value", "version"),
    [
        ([row()], "row of a chat"),
        (row(), "row of a chat"),
        (row()["chat"], "bare chat"),
        ({"chat": row()["chat"], "meta": {}}, "row of a chat"),
    ],
    ids=["all chats", "one chat", "bare chat", "form of an import"],
)
def test_every_shape_gives_the_tree(value: Any, version: str) -> None:
    reading = read_value(value)

    assert reading.format == "open-webui"
    assert dict(reading.tally.versions) == {version: 1}
    assert dict(reading.tally.unknown_fields) == {}
    (record,) = reading.conversations
    assert [(each.role, each.content, each.model) for each in record.messages] == [
        ("user", "Weigh it", None),
        ("assistant", "It weighs 7 kg", "echo"),
        ("assistant", "Seven", "other"),
    ]
    assert [each.source_id for each in active_path(record)] == ["q", "a"]
    assert record.messages[1].tool_calls[0]["name"] == "weigh"
    assert record.messages[2].created_at.timestamp() == AT + 5


def test_a_chat_from_before_there_were_branches_is_a_list() -> None:
    said = [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}]

    (record,) = read_value(row(chat={"title": "Old", "models": [], "messages": said})).conversations

    assert [each.content for each in active_path(record)] == ["one", "two"]


def test_odd_messages_are_named_and_a_truncated_file_gives_what_is_complete(
    tmp_path: Path,
) -> None:
    odd = row("Odd")
    odd["chat"]["history"]["messages"] |= {"x": 5, "y": {"role": {}, "content": {"a": 1}}}
    path = tmp_path / "cut.json"
    path.write_text(json.dumps([odd, row("No", chat=[]), row("Cut")])[:-300])

    reading = read_path(path)

    assert [each.title for each in reading.conversations] == ["Odd"]
    assert [each.reason for each in reading.skipped][:2] == [
        "not an object but a number",
        "its chat is missing or no object",
    ]
    assert len(reading.skipped) == 3


def test_out_and_in_again_is_the_same_and_twice_is_once(
    run: Run, sqlite_url: DatabaseUrl, tmp_path: Path
) -> None:
    source, out, second = tmp_path / "in.json", tmp_path / "out.json", tmp_path / "second.db"
    bare = {**row()["chat"], "params": {"temperature": 1}}
    source.write_text(json.dumps([row(pinned=True, folder_id="f", meta={"tags": ["x"]}), bare]))
    ours = ("-d", sqlite_url.exposed())
    run("import", source, *ours)

    done = run("export", "--to", "open-webui", "--output", out, *ours)
    run("import", out, "-d", f"sqlite:///{second}")
    again = run("import", out, *ours)

    assert done.exit_code == 0, done.stderr
    assert "left out" not in done.stderr
    assert "nothing new" in again.stderr
    here = stored(sqlite_url)
    there = stored(DatabaseUrl(dialect_name="sqlite", path=second))
    for each in (*here.values(), *there.values()):
        each.source_hash = None
    assert there == here
    for entry in json.loads(out.read_text()):
        assert entry.keys() >= {
            *("chat", "meta", "pinned", "archived", "folder_id", "variables"),
            *("current_message_id", "created_at", "updated_at"),
        }


def test_times_and_outputs_that_cannot_be_read_go_back_as_they_came(
    run: Run, sqlite_url: DatabaseUrl, tmp_path: Path
) -> None:
    source, out, second = tmp_path / "in.json", tmp_path / "out.json", tmp_path / "second.db"
    odd = {"id": "o", "role": "assistant", "content": "x", "timestamp": "noon", "output": {"a": 1}}
    source.write_text(
        json.dumps([row(chat={"history": {"messages": {"o": odd}, "currentId": "o"}})])
    )
    run("import", source, "-d", sqlite_url.exposed())

    run("export", "--to", "open-webui", "--output", out, "-d", sqlite_url.exposed())
    run("import", out, "-d", f"sqlite:///{second}")

    (written,) = json.loads(out.read_text())[0]["chat"]["history"]["messages"].values()
    assert (written["timestamp"], written["output"]) == ("noon", {"a": 1})
    (here,) = stored(sqlite_url).values()
    (there,) = stored(DatabaseUrl(dialect_name="sqlite", path=second)).values()
    assert here.messages == there.messages


@pytest.fixture
def chatgpt(run: Run, sqlite_url: DatabaseUrl) -> DatabaseUrl:
    """A database of ours with conversations from elsewhere: ChatGPT's, with branches and tools."""
    example = Path(__file__).parents[2] / "docs" / "examples" / "chatgpt-export.json"
    assert run("import", example, "-d", sqlite_url.exposed()).exit_code == 0
    return sqlite_url


def test_what_comes_from_elsewhere_keeps_ids_trees_tools_times_and_metadata(
    run: Run, chatgpt: DatabaseUrl, tmp_path: Path
) -> None:
    out, second = tmp_path / "out.json", tmp_path / "second.db"

    done = run("export", "--to", "open-webui", "--output", out, "-d", chatgpt.exposed())
    run("import", out, "-d", f"sqlite:///{second}")

    assert "left out" not in done.stderr
    here = stored(chatgpt)
    there = stored(DatabaseUrl(dialect_name="sqlite", path=second))
    assert there.keys() == here.keys()
    for identifier, record in here.items():
        back = there[identifier]
        assert (back.title, back.user_id) == (record.title, record.user_id)
        assert back.current_message_id == record.current_message_id
        assert (back.metadata, back.starred_at) == (record.metadata, record.starred_at)
        assert {_told(each) for each in back.messages} == {_told(each) for each in record.messages}
        for one, other in zip(record.messages, _like(record, back), strict=True):
            assert one.metadata.items() <= other.metadata.items()
            assert one.author == other.author
            assert len(one.tool_calls or ()) == len(other.tool_calls or ())
            assert len(one.attachments or ()) == len(other.attachments or ())


def _told(each: Any) -> tuple[Any, ...]:
    return each.id, each.parent_id, each.role, each.content, each.model, each.created_at


def _like(record: Conversation, back: Conversation) -> list[Any]:
    by_id = {each.id: each for each in back.messages}
    return [by_id[each.id] for each in record.messages]


def test_what_its_importer_made_of_our_file_comes_back_as_the_same_conversations(
    run: Run, chatgpt: DatabaseUrl, tmp_path: Path
) -> None:
    out, second = tmp_path / "out.json", tmp_path / "second.db"
    run("export", "--to", "open-webui", "--output", out, "-d", chatgpt.exposed())
    made = []
    for number, entry in enumerate(json.loads(out.read_text())):
        assert entry["meta"][MARKS]["id"]
        assert isinstance(entry["created_at"], int)
        for node in entry["chat"]["history"]["messages"].values():
            assert isinstance(node["timestamp"], int)
            node["user_id"] = node.get("user_id") or "importing"
        made.append(
            (
                *(str(UUID(int=number)), "importing", entry["chat"]["title"]),
                *(json.dumps(entry["chat"]), json.dumps(entry["meta"])),
                *(entry["created_at"], entry["updated_at"], entry["current_message_id"]),
            )
        )
    insert = (
        "INSERT INTO chat (id, user_id, title, chat, meta, created_at, updated_at,"
        f" current_message_id) VALUES {values(made)}"
    )
    theirs = make_sqlite(tmp_path / "webui.db", *tables("current", "sqlite"), insert)

    done = run("import", theirs.sqlite_path, "-d", f"sqlite:///{second}")

    assert done.exit_code == 0, done.stderr
    here = stored(chatgpt)
    there = stored(DatabaseUrl(dialect_name="sqlite", path=second))
    assert {key: {each.id for each in record.messages} for key, record in there.items()} == {
        key: {each.id for each in record.messages} for key, record in here.items()
    }
