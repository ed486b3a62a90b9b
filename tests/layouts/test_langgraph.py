"""LangGraph's checkpoints: forks, removals, changes only, sub-graphs; no class is ever loaded."""

import tracemalloc
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chatdb.formats.branches import active_path, every_branch
from chatdb.layouts.langgraph.branches import branches_of
from chatdb.layouts.langgraph.lists import Lists
from chatdb.layouts.langgraph.states import GraphCheckpoint, lists_of
from chatdb.layouts.langgraph.values import Pool
from chatdb.records import MARKS, Conversation
from tests.layouts import langgraph_database as theirs
from tests.layouts.conftest import Imported, ImportFrom
from tests.layouts.foreign_databases import make_postgresql, make_sqlite


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def done(request: pytest.FixtureRequest, tmp_path: Path, import_from: ImportFrom) -> Imported:
    """What an import of all threads made, from either database."""
    engine = request.param
    made = (*theirs.tables(engine), *theirs.rows(engine))
    if engine == "sqlite":
        return import_from(make_sqlite(tmp_path / "checkpoints.db", *made))
    return import_from(make_postgresql(request.getfixturevalue("empty_postgresql_url"), *made))


def thread(done: Imported, name: str) -> Conversation:
    (found,) = [each for each in done.records() if each.source_id == name]
    return found


def test_every_leaf_is_a_branch_and_the_newest_is_the_active_one(done: Imported) -> None:
    record = thread(done, "plain")

    assert [each.source_id for each in active_path(record)] == ["s", "q", "c", "r", "a", "q2", "a2"]
    ends = {branch[-1].content for branch in every_branch(record)}
    assert {"Still seven.", "On a branch"} <= ends
    assert record.user_id == "ann"
    assert record.created_at.isoformat() == "2026-11-01T10:00:00+00:00"


def test_thoughts_calls_results_and_models_have_their_places(done: Imported) -> None:
    call, result = active_path(thread(done, "plain"))[2:4]

    assert (call.role, call.content, call.model) == ("assistant", "So.", "echo-1")
    assert call.reasoning == [{"content": "It must be weighed."}]
    assert call.tool_calls[0]["name"] == "weigh"
    assert (result.role, result.author, result.content) == ("tool", "weigh", "7 kg")
    assert result.tool_outputs[0]["tool_call_id"] == "c1"


def test_removed_and_replaced_messages_are_kept_off_the_path_and_told(done: Imported) -> None:
    record = thread(done, "plain")

    marks = {each.content: each.metadata[MARKS] for each in record.messages
             if MARKS in each.metadata}  # fmt: skip
    assert marks == {"And now?": {"replaced": True}, "A wrong answer": {"removed": True}}
    lossy = done.report["files"][0]["lossy"]
    assert lossy["messages removed there: kept off the active branch"] == 2
    assert lossy["threads without messages: left out"] == 1


def test_a_list_is_rebuilt_from_its_changes_without_what_is_not_committed(done: Imported) -> None:
    record = thread(done, "delta")

    assert [each.content for each in active_path(record)] == ["one (edited)", "three"]
    assert {each.content for each in record.messages} == {"one", "one (edited)", "two", "three"}
    assert record.user_id == "ben"


def test_a_sub_graphs_part_is_a_conversation_of_its_own_and_marked(done: Imported) -> None:
    record = thread(done, "plain#child:1")

    assert record.metadata[MARKS] == {"subgraph": "child:1"}
    assert [each.content for each in record.messages] == ["inside"]


def test_the_same_text_on_two_branches_stands_on_both(
    tmp_path: Path, import_from: ImportFrom
) -> None:
    made = theirs.Checkpoints("sqlite", "t")
    first, same = theirs.QUESTION, theirs.message("ai", "same", "Yes.")
    made.add("1", None, first)
    made.add("2", "1", first, theirs.message("human", "x", "this?"), same)
    made.add("3", "1", first, theirs.message("human", "y", "that?"), same)

    record = import_from(
        make_sqlite(tmp_path / "c.db", *theirs.tables("sqlite"), *made.made)
    ).records()[0]

    told = {tuple(each.content for each in branch) for branch in every_branch(record)}
    assert told == {("Weigh it", "this?", "Yes."), ("Weigh it", "that?", "Yes.")}


def test_pickled_encrypted_and_truncated_values_are_named_and_never_loaded(
    tmp_path: Path, import_from: ImportFrom
) -> None:
    url = make_sqlite(
        tmp_path / "c.db", *theirs.tables("sqlite"), *theirs.rows("sqlite"), *theirs.odd("sqlite")
    )

    done = import_from(url)

    assert done.exit_code == 7
    reasons = " ".join(each["reason"] for each in done.skipped)
    assert "it is pickled: reading it would run code" in reasons
    assert "it is encrypted (msgpack+aes)" in reasons
    assert "its msgpack cannot be read" in reasons
    assert done.rows["checkpoints"]["skipped"] == 4


def test_odd_values_end_nothing_and_bytes_are_kept(tmp_path: Path, import_from: ImportFrom) -> None:
    made = theirs.Checkpoints("sqlite", "odd")
    array = msgspec.msgpack.Ext(6, msgspec.msgpack.encode(["uint8", [3], "C", b"PNG"]))
    unknown = msgspec.msgpack.Ext(99, b"\xc1")
    objects = lists = "core"
    for _ in range(200):
        objects = msgspec.msgpack.Ext(5, msgspec.msgpack.encode(["m", "C", objects, "f"]))  # type: ignore[assignment]
    for _ in range(900):
        lists = [lists]  # type: ignore[assignment]
    told = {
        "name": 7,
        "bytes": b"PNG",
        "array": array,
        "unknown": unknown,
        "objects": objects,
        "lists": lists,
    }
    made.add("1", None, theirs.message("human", "m", "kept", **told), state=lists)

    done = import_from(make_sqlite(tmp_path / "c.db", *theirs.tables("sqlite"), *made.made))

    assert done.exit_code == 0, done.stderr
    (message,) = thread(done, "odd").messages
    metadata = message.metadata
    assert (metadata["name"], metadata["bytes"]) == (7, "UE5H")
    assert metadata["array"] == ["uint8", [3], "C", "UE5H"]
    assert metadata["objects"] == "core"
    assert str(metadata["lists"]).startswith("[" * 900 + "'core'")
    assert done.report["files"][0]["lossy"]["values of unknown codes: left out"] == 1


def test_a_field_nested_beyond_all_reason_is_left_out_and_its_message_kept() -> None:
    deep: Any = "core"
    for _ in range(5000):
        deep = {"in": deep}
    pool = Pool()

    assert pool.messages([{"type": "human", "content": "kept", "id": "m", "artifact": deep}])

    assert pool.versions == [{"type": "human", "content": "kept", "id": "m"}]
    assert pool.lossy == {"fields of messages that are nested too deeply: left out": 1}


def test_checkpoints_in_a_circle_end_where_the_newest_is_and_a_missing_beginning_is_told(
    tmp_path: Path, import_from: ImportFrom
) -> None:
    circle = theirs.Checkpoints("sqlite", "circle")
    circle.add("1", "2", theirs.QUESTION)
    circle.add("2", "1", theirs.QUESTION, theirs.ANSWER)
    cut = theirs.Checkpoints(
        "sqlite", "cut", metadata={"counters_since_delta_snapshot": {"messages": [1, 2]}}
    )
    cut.add("5", "4")
    cut.add("6", "5")
    cut.write("5", 0, theirs.EDITED)
    made = (*theirs.tables("sqlite"), *circle.made, *cut.made)

    done = import_from(make_sqlite(tmp_path / "c.db", *made))

    assert [each.source_id for each in active_path(thread(done, "circle"))] == ["q", "a"]
    assert [each.source_id for each in active_path(thread(done, "cut"))] == ["q2"]
    lossy = done.report["files"][0]["lossy"]
    assert "messages removed there: kept off the active branch" not in lossy
    assert lossy["lists of changes whose beginning is missing: made from what is left"] == 1


def test_memory_grows_with_what_checkpoints_add_not_with_what_they_repeat() -> None:
    pool = Pool()
    lists = Lists(pool)
    count = 2000
    names = [str(number) for number in range(count)]
    said = [{"type": "human", "content": name, "id": name} for name in names]
    written = {name: [pool.messages([said[number]]) or ()] for number, name in enumerate(names)}
    above = [None, *names]
    checkpoints = {name: GraphCheckpoint(name, above[at], None) for at, name in enumerate(names)}

    tracemalloc.start()
    heads = lists_of("messages", checkpoints, lists, lambda: written)
    branches = branches_of(checkpoints, heads, lists)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(branches.entries) == count - 1
    assert most < 4_000_000
