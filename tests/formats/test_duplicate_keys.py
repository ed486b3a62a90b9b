"""Keys that stand twice in one object are counted and named where they drop something."""

import json
from typing import Any

import pytest

from chatdb.formats.files.duplicate_keys import TWICE, dropped_values
from tests.formats.chatgpt_samples import conversation, message, node
from tests.formats.reading import Reading, read_bytes
from tests.formats.test_claude import conversation as claude_conversation
from tests.formats.test_claude import message as claude_message

HELLO = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi"}]
CHATGPT = conversation(node("a", None, message()))
CLAUDE = claude_conversation(claude_message())


def with_title_twice(value: Any, name: str, other: str) -> Reading:
    """Read a list of one value in which a key stands twice, first with another text."""
    text = json.dumps([value])
    place = text.index(f'"{name}": ')
    return read_bytes((text[:place] + f'"{name}": {json.dumps(other)}, ' + text[place:]).encode())


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (CHATGPT, "title"),
        (CHATGPT, "role"),
        (CLAUDE, "name"),
        (CLAUDE, "text"),
        ({"id": "a1", "title": "First", "messages": HELLO}, "title"),
        ({"id": "a1", "title": "First", "messages": HELLO}, "content"),
    ],
)
def test_what_a_second_value_of_a_key_drops_is_counted_and_named(value: Any, name: str) -> None:
    reading = with_title_twice(value, name, "the first words")

    assert len(reading.conversations) == 1
    (skipped,) = reading.skipped
    assert skipped.place.endswith(f": {name!r} twice in one object")
    assert skipped.reason == "the last one was taken, this one left out: 'the first words'"
    assert reading.tally.lossy[TWICE] == 1


def test_the_same_value_twice_drops_nothing() -> None:
    reading = with_title_twice(CHATGPT, "title", CHATGPT["title"])

    assert not reading.skipped
    assert TWICE not in reading.tally.lossy


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "b": null}',
        '{"a": "x\\":null\\":", "b": {"a": [{"a": 1}, {"a": 2}]}}',
        '{ "a" : 1 , "b" : 2 }',
        '{"a": "\\u0022: \\ud800", "b": NaN}',
        '{"a": "nullable", "null": null}',
        "[]",
    ],
)
def test_nothing_is_told_of_objects_whose_keys_stand_once(text: str) -> None:
    decoded = json.loads(text)

    assert dropped_values(text.encode(), decoded) == []


def test_a_key_twice_is_found_beside_others_that_look_alike() -> None:
    text = '{"a" : "\\u0022:", "b": 1, "b": {"c": [1]}}'

    (dropped,) = dropped_values(text.encode(), json.loads(text))

    assert (dropped.key, dropped.value) == ("b", 1)


def test_a_conversation_of_nothing_else_names_the_first_of_them_only() -> None:
    twice = ", ".join(f'"title": "{number}"' for number in range(100))
    text = json.dumps([CHATGPT]).replace('"title": "A talk"', f'{twice}, "title": "A talk"')

    reading = read_bytes(text.encode())

    assert reading.tally.lossy[TWICE] == 100
    assert len(reading.skipped) == 20
