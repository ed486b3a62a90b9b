"""Open WebUI: both copies of each message, all branches, authors, shared copies, odd rows."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from chatdb.db.url import DatabaseUrl
from chatdb.formats.branches import active_path
from chatdb.records import MARKS
from tests.layouts import open_webui_database as theirs
from tests.layouts.conftest import ImportFrom
from tests.layouts.foreign_databases import make_sqlite, values
from tests.layouts.open_webui_database import ANN, AT, BEN, FOLDED, MELONS, Generation


def database(folder: Path, generation: Generation = "current", *more: str) -> DatabaseUrl:
    made = (*theirs.tables(generation, "sqlite"), *theirs.rows(generation, "sqlite"), *more)
    return make_sqlite(folder / "webui.db", *made)


@pytest.mark.parametrize("generation", ["json", "rows", "current"])
def test_each_generation_gives_the_same_messages(
    generation: Generation, tmp_path: Path, import_from: ImportFrom
) -> None:
    done = import_from(database(tmp_path, generation))

    assert done.exit_code == 0, done.stderr
    (file,) = done.report["files"]
    assert file["format"] == "open-webui"
    assert done.rows["chat"] == {"read": 5, "imported": 4, "merged": 1, "skipped": 0}
    record = done.record("Melons")
    assert sorted(str(each.source_id) for each in record.messages) == [
        *("m-a1", "m-a2", "m-ben", "m-err", "m-row", "m-u1"),
    ]
    assert [each.role for each in done.record("Folded").messages] == ["user", "assistant"]
    assert file["lossy"]["shared copies of chats: not read again"] == 1 + (generation != "json")
    assert file["lossy"][
        "messages in channels of a team (the table message) are no chats: not read"
    ]


def test_a_row_wins_field_by_field_and_what_only_one_copy_has_is_kept_and_told(
    tmp_path: Path, import_from: ImportFrom
) -> None:
    done = import_from(database(tmp_path))

    record = done.record("Melons")
    by_id = {each.source_id: each for each in record.messages}
    assert by_id["m-a2"].content == "Words of the row"
    assert by_id["m-a2"].metadata["other_copy"] == {"content": "Words of the JSON"}
    assert by_id["m-a1"].metadata["usage"] == {"input_tokens": 3, "total_tokens": 7}
    assert by_id["m-a1"].metadata["sources"][0]["source"] == {"name": "scales.pdf"}
    assert by_id["m-row"].parent_id == by_id["m-a1"].id
    lossy = done.report["files"][0]["lossy"]
    assert lossy["messages only in the chat's JSON, not among its rows: kept"] == 2
    assert lossy["messages only among the rows of a chat, not in its JSON: kept"] == 1
    assert lossy["messages whose two copies differ: the row's values taken,"
                 " the others kept in metadata"] == 1  # fmt: skip


def test_thoughts_calls_results_files_and_errors_have_their_places(
    tmp_path: Path, import_from: ImportFrom
) -> None:
    done = import_from(database(tmp_path))

    by_id = {each.source_id: each for each in done.record("Melons").messages}
    answer, failed = by_id["m-a1"], by_id["m-err"]
    assert answer.reasoning == [{"content": "It must be weighed.", "id": "r1", "duration": 2}]
    assert answer.tool_calls == [
        {"id": "f1", "call_id": "c1", "name": "weigh", "arguments": '{"kg":7}'}
    ]
    assert answer.tool_outputs[0]["output"] == [{"type": "input_text", "text": "7 kg"}]
    assert answer.model == "echo"
    assert by_id["m-ben"].attachments[0]["type"] == "image"
    assert failed.metadata["error"] == {"content": "model not found"}
    assert (failed.metadata["done"], failed.metadata[MARKS]) == (False, {"error": True})
    assert by_id["m-ben"].created_at.timestamp() == AT + 60
    assert by_id["m-ben"].metadata[MARKS] == {"created_at": (AT + 60) * 1000}


def test_what_older_versions_folded_into_an_answer_is_unfolded_but_not_what_a_person_typed(
    tmp_path: Path, import_from: ImportFrom
) -> None:
    question, answer = import_from(database(tmp_path)).record("Folded").messages

    assert question.content == '<details type="reasoning">mine</details>'
    assert answer.content == "Seven."
    assert answer.reasoning == [{"content": "Is 7 < 8?\nYes.", "duration": "3"}]
    assert answer.tool_calls == [{"id": "c9", "name": "weigh", "arguments": {"kg": 7}}]
    assert answer.tool_outputs == [{"call_id": "c9", "name": "weigh", "output": "7 kg"}]
    assert answer.metadata["content"] == f"{theirs.THOUGHT}{theirs.CALLED}Seven."


def test_owners_authors_folders_tags_and_flags_come_over(
    tmp_path: Path, import_from: ImportFrom
) -> None:
    done = import_from(database(tmp_path))

    melons, folded, note = (done.record(title) for title in ("Melons", "Folded", "A note"))
    assert (melons.user_id, folded.user_id) == (ANN, BEN)
    assert [each.source_id for each in melons.messages if each.user_id == BEN] == ["m-ben"]
    assert {each.user_id for each in melons.messages} == {None, BEN}
    assert melons.metadata["folder"] == "Work / Fruit"
    assert melons.metadata["tags"] == ["Fruit", "green_ones"]
    assert (melons.pinned_at, melons.archived_at) == (melons.updated_at, None)
    assert (folded.pinned_at, folded.archived_at) == (None, folded.updated_at)
    assert note.metadata[MARKS] == {"internal": True}
    assert note.metadata["timer_at"] == 1_790_000_000_000_000_000


def test_the_active_branch_ends_with_the_last_descendant_of_the_current_message(
    tmp_path: Path, import_from: ImportFrom
) -> None:
    done = import_from(database(tmp_path))

    path = active_path(done.record("Melons"))
    assert [each.source_id for each in path] == ["m-u1", "m-a1", "m-row"]


def test_a_current_message_that_is_none_or_lost_gives_the_newest_leaf(
    tmp_path: Path, import_from: ImportFrom
) -> None:
    lost = theirs.message("lost", "assistant", None, "", timestamp=None)
    talk = (theirs.message("q", "user", None, "?"), theirs.message("answer", "assistant", "q", "!"))
    made = [
        ("a", ANN, "Gone", theirs.chat("Gone", "nowhere", *talk)),
        ("b", ANN, "Lost", theirs.chat("Lost", "lost", *talk, lost)),
    ]
    insert = f"INSERT INTO chat (id, user_id, title, chat) VALUES {values(made)}"

    done = import_from(make_sqlite(tmp_path / "w.db", *theirs.tables("json", "sqlite"), insert))

    for title in ("Gone", "Lost"):
        record = done.record(title)
        (leaf,) = [each for each in record.messages if each.id == record.current_message_id]
        assert leaf.source_id == "answer"
    note = "a current message that does not exist: the newest leaf taken"
    assert done.report["files"][0]["lossy"][note] == 2


def test_odd_rows_are_named_and_end_nothing(tmp_path: Path, import_from: ImportFrom) -> None:
    odd = [
        ("cut", ANN, "Cut", '{"title": "Cut", "history": {"mess'),
        ("no-chat", ANN, "None", None),
        ("list", ANN, "List", "[1]"),
        ("strange", ANN, "Strange", ('{"history": {"messages": {"a": 5, "b": {"role": [1]},'
         ' "c": {"parentId": "d", "content": 7},'
         ' "d": {"parentId": "c", "output": [1, {}, {"type": []}]}}}}')),
        ("copy", "shared-nobody", "Of nothing", "{}"),
    ]  # fmt: skip
    more = (
        f"INSERT INTO chat (id, user_id, title, chat) VALUES {values(odd)}",
        f"UPDATE chat SET chat = '{{\"broken', meta = '\"odd\"' WHERE id = '{FOLDED}'",
        theirs.message_row("gone", "m-1", "user", None, "of no chat"),
    )

    done = import_from(database(tmp_path, "current", *more))

    assert done.exit_code == 7
    named = {each["source_id"]: each["reason"] for each in done.skipped}
    assert named.keys() == {"cut", "list", "a", "copy", "gone-m-1"}
    assert "cannot be read" in named["cut"]
    assert named["gone-m-1"] == "its chat gone does not exist"
    assert [each.content for each in done.record("Folded").messages][1] == "Seven."
    assert len(done.record("Strange").messages) == 3
    assert done.record("None").messages == []


def test_a_later_import_brings_what_is_new_and_the_source_is_untouched(
    tmp_path: Path, import_from: ImportFrom
) -> None:
    url = database(tmp_path)
    before = url.sqlite_path.read_bytes()

    import_from(url)
    again = import_from(url)

    assert again.report["counts"]["unchanged"] == 4
    assert url.sqlite_path.read_bytes() == before
    with closing(sqlite3.connect(url.sqlite_path)) as connection:
        connection.execute(
            theirs.message_row(MELONS, "m-new", "assistant", "m-row", "New", user_id=ANN)
        )
        connection.commit()
    later = import_from(url)
    counts = later.report["counts"]
    assert (counts["updated"], counts["unchanged"], counts["messages_new"]) == (1, 3, 1)


def test_a_copy_inside_the_system_is_no_second_copy_of_a_conversation_of_ours(
    tmp_path: Path, import_from: ImportFrom
) -> None:
    ours = "22222222-2222-4222-8222-222222222222"
    meta = json.dumps({"chatdb": {"id": ours}, "tags": []})
    one = theirs.message("one", "user", None, "hello")
    made = [
        ("a", ANN, "Ours", theirs.chat("Ours", "one", one), meta),
        ("b", ANN, "Copied", theirs.chat("Copied", "one", one, originalChatId="a"), meta),
    ]
    insert = f"INSERT INTO chat (id, user_id, title, chat, meta) VALUES {values(made)}"

    done = import_from(make_sqlite(tmp_path / "w.db", *theirs.tables("json", "sqlite"), insert))

    assert str(done.record("Ours").id) == ours
    assert str(done.record("Copied").id) != ours
