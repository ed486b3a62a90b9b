"""LangGraph's checkpoints: forks, removals, changes only, sub-graphs; no class is ever loaded."""

from pathlib import Path

import pytest

from chatdb.formats.branches import active_path, every_branch
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
