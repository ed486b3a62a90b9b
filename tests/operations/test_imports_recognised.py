"""Two conversations are one at two moments when what both say agrees."""

from typing import Any

import pytest

from chatdb.operations.importing.recognised import is_same_talk, with_ids_of
from chatdb.records import Conversation
from tests.operations.importing import at, conversation, identifier, message


def talk(name: str, *texts: str, **fields: Any) -> Conversation:
    """Return a conversation whose messages are told apart by their places in its list."""
    messages = [
        message(f"{name}{place}", content=text, source_id=str(place))
        for place, text in enumerate(texts)
    ]
    return conversation(name, messages, **fields)


SAME = dict.fromkeys(("same_place", "same_beginning"), True)
ALIKE = {"same_place": False, "same_beginning": True}
OLD_ID = {"same_place": True, "same_beginning": False}
ELSEWHERE = dict.fromkeys(("same_place", "same_beginning"), False)


@pytest.mark.parametrize(
    ("stored", "incoming", "how", "expected"),
    [
        ("a b", "a b c d", ALIKE, True),
        ("a b c d", "a b", ALIKE, True),
        ("a b c d", "a b x y", ALIKE, False),
        ("a b c d", "a b x y", SAME, False),
        ("a b c d", "a b c y", SAME, True),
        ("a b c d", "a b x d", SAME, False),
        ("a b c d", "a b c y", ALIKE, False),
        ("a b", "x y", OLD_ID, False),
        ("a", "a b c", OLD_ID, True),
        ("a", "a b c", ELSEWHERE, False),
        ("a b c", "a b c", ELSEWHERE, True),
        ("", "a b", SAME, True),
        ("", "a b", ALIKE, False),
        ("a b", "", SAME, False),
    ],
)
def test_what_both_say_decides(
    stored: str, incoming: str, how: dict[str, bool], expected: bool
) -> None:
    before = talk("before", *stored.split(), title="x")
    after = talk("after", *incoming.split(), title="x")

    assert is_same_talk(before, after, **how) is expected


def test_a_message_edited_here_agrees_with_what_it_was() -> None:
    before = talk("before", "a", "b")
    before.messages[0].edited_at = at(1)
    before.messages[0].content = "mine"

    assert is_same_talk(before, talk("after", "a", "b"), **ALIKE)


def test_the_incoming_talk_gets_the_ids_of_what_is_stored() -> None:
    stored = talk("before", "a", "b")
    incoming = talk("after", "a", "b", "c")
    incoming.messages[2].parent_id = incoming.messages[1].id

    found = with_ids_of(stored, incoming)

    ids = [identifier(name) for name in ("before0", "before1", "after2")]
    assert found.id == stored.id
    assert [each.id for each in found.messages] == ids
    assert found.messages[2].parent_id == identifier("before1")
    assert found.current_message_id == identifier("after2")


def test_of_two_strangers_that_were_merged_each_message_finds_its_own() -> None:
    stored = talk("before", "a", "b")
    stored.messages += [
        message("other0", content="x", source_id="0"),
        message("other1", content="y", source_id="1"),
    ]

    found = with_ids_of(stored, talk("after", "x", "y"))

    assert [each.id for each in found.messages] == [identifier("other0"), identifier("other1")]
