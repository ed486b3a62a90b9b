"""Canvases that tool calls of a ChatGPT conversation make are seen as they were after each call."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatdb.formats.chatgpt import canvases
from chatdb.formats.chatgpt.patterns import substituted
from chatdb.records import Conversation
from tests.formats.chatgpt_samples import conversation, message, node
from tests.formats.reading import read_value


def call(verb: str, **fields: Any) -> dict[str, Any]:
    code = {"content_type": "code", "language": "json", "text": json.dumps(fields)}
    return message("assistant", code, recipient=f"canmore.{verb}_textdoc")


def create(text: str, name: str = "Letter") -> dict[str, Any]:
    return call("create", name=name, type="document", content=text)


def update(*changes: tuple[str, str], multiple: bool = False) -> dict[str, Any]:
    updates = [{"pattern": a, "multiple": multiple, "replacement": b} for a, b in changes]
    return call("update", updates=updates)


def answer(textdoc: str) -> dict[str, Any]:
    author = {"role": "tool", "name": "canmore.update_textdoc", "metadata": {}}
    metadata = {"canvas": {"textdoc_id": textdoc, "version": 1}}
    return message("tool", "done", author=author, metadata=metadata)


def chain(*items: dict[str, Any]) -> Conversation:
    names = [f"n{number}" for number in range(len(items))]
    above = [None, *names]
    nodes = [node(*each) for each in zip(names, above, items, strict=False)]
    return read_value([conversation(*nodes)]).only


def seen(record: Conversation) -> list[str | None]:
    return [each.attached_text for each in record.messages]


def test_a_canvas_is_seen_where_it_was_made_and_the_stored_call_stays() -> None:
    record = chain(message(text="draft a letter"), create("Dear Ann,\nhello."))

    made = record.messages[1]
    assert made.attached_text == "Letter:\nDear Ann,\nhello."
    assert json.loads(made.content)["content"] == "Dear Ann,\nhello."
    assert seen(record)[0] is None


def test_an_update_shows_the_whole_text_after_it() -> None:
    record = chain(
        create("Dear Ann,\nhello."),
        update(("Ann", "Bob")),
        update((".*", "New (all).")),
        update((r"\(all\)", "(part)"), ("New", "Old")),
    )

    assert seen(record) == [
        "Letter:\nDear Ann,\nhello.",
        "Letter:\nDear Bob,\nhello.",
        "Letter:\nNew (all).",
        "Letter:\nOld (part).",
    ]


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"\bAnn\b", "not there", "[", ".*Ann", "A.+n"])
def test_an_update_that_cannot_be_applied_shows_what_it_put_in(pattern: str) -> None:
    record = chain(create("Dear Ann"), update((pattern, "Bob")), update(("Ann", "Cid")))

    assert seen(record) == ["Letter:\nDear Ann", "Bob", "Letter:\nDear Cid"]


def test_an_update_of_an_unknown_canvas_shows_what_it_put_in_and_a_rewrite_is_a_start() -> None:
    record = chain(update(("x", "y"), ("z", "w")), update((".*", "whole")), update(("whole", "a")))

    assert seen(record) == ["y\n\nw", "whole", "a"]


def test_the_canvas_that_the_answer_names_is_updated() -> None:
    record = chain(
        create("one", "First"),
        answer("d1"),
        create("two", "Second"),
        answer("d2"),
        update(("one", "1")),
        answer("d1"),
        update(("two", "2")),
        answer("d2"),
        update(("1", "I")),
        answer("d1"),
    )

    assert seen(record)[4::2] == ["First:\n1", "Second:\n2", "First:\nI"]


def test_each_branch_updates_the_text_that_it_has() -> None:
    nodes = [
        node("a", None, create("x")),
        node("b", "a", update(("x", "b"))),
        node("c", "a", update(("x", "c"))),
        node("d", "b", update(("b", "d"))),
    ]

    record = read_value([conversation(*nodes)]).only

    assert {str(each.source_id): each.attached_text for each in record.messages} == {
        "a": "Letter:\nx",
        "b": "Letter:\nb",
        "c": "Letter:\nc",
        "d": "Letter:\nd",
    }


def test_comments_are_seen_and_a_broken_call_is_left_alone() -> None:
    comments = [{"pattern": "a", "comment": "Say more."}, {"comment": 7}, {"comment": "Why?"}]
    broken = message("assistant", '{"name": "cut', recipient="canmore.create_textdoc")
    odd = [call("create", content=7), call("update", updates=[7, {"pattern": 1}]), call("other")]

    assert seen(chain(call("comment", comments=comments), broken, *odd)) == [
        "Say more.\n\nWhy?",
        None,
        None,
        None,
        None,
    ]


@pytest.mark.large
def test_updates_cannot_make_a_large_text_of_a_small_export() -> None:
    record = chain(create("a" * 64), *[update(("a", "aaaa"), multiple=True)] * 40)

    assert sum(len(text or "") for text in seen(record)) < 3 * canvases._LARGEST
    assert seen(record)[-1] == "aaaa"


def test_updates_that_match_nowhere_do_not_read_a_large_text_again_and_again() -> None:
    record = chain(create("a" * 1_000_000), *[update(("b", "c"))] * 2_000, update(("a", "b")))

    assert seen(record)[-1] == "b"


@given(
    st.text("ab.\n", max_size=30),
    st.lists(st.text("ab.\n", min_size=1, max_size=3), min_size=1, max_size=3),
    st.sampled_from([".*?", "[\\s\\S]*?", ".*"]),
    st.booleans(),
    st.booleans(),
)
def test_patterns_do_what_regular_expressions_do(
    text: str, pieces: list[str], gap: str, ends: bool, every: bool
) -> None:
    pieces = pieces[:2] if gap == ".*" else pieces
    pattern = gap.join([*map(re.escape, pieces), *([""] if ends and len(pieces) < 2 else [])])

    right, count = re.subn(pattern, "<x>", text, count=0 if every else 1, flags=re.DOTALL)

    found = substituted(text, pattern, "<x>", every=every, most=1_000)
    assert found == (right if count else None)


@pytest.mark.parametrize(
    ("replacement", "text"),
    [("a\\nb", "a\nb"), ("a\\\\b", "a\\b"), ("\\1", None), ("\\g<1>", None), ("\\d", "\\d")],
)
def test_escapes_in_a_replacement_are_resolved(replacement: str, text: str | None) -> None:
    assert substituted("x", "x", replacement, every=False, most=100) == text
