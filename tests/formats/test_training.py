"""Training sets: each is valid by its own rules, and what it leaves out is counted."""

import json
from collections import Counter
from collections.abc import Iterable
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from chatdb.formats.base import WriteOptions
from chatdb.formats.files.writing import Written, write_stream
from chatdb.formats.message_parts import called_code
from chatdb.formats.registry import writer
from chatdb.formats.training import left_out
from chatdb.formats.training.ratings import rating_of
from chatdb.records import Conversation, Message
from chatdb.seeds.conversations import conversations as seeded
from chatdb.seeds.people import ORGANIZATIONS
from chatdb.seeds.plan import SeedOptions, SeedPlan
from tests.formats.training_rules import CHECKS, check_oasst, check_openai, check_sharegpt
from tests.operations.export_rows import conversation, every_shape, message

BRANCHES = WriteOptions(all_branches=True)


def made(
    name: str, records: Iterable[Conversation], **options: Any
) -> tuple[list[Any], dict[str, int]]:
    """Return the valid examples of a training set, and what was left out."""
    stream, written, by = BytesIO(), Written(), writer(name, WriteOptions(**options))
    write_stream(stream, by, records, written)
    by.report(written)
    text = stream.getvalue().decode()
    examples = json.loads(text) if name == "sharegpt" else [*map(json.loads, text.splitlines())]
    assert written.examples == len(examples)
    for example in examples:
        CHECKS[name](example)
    return examples, dict(written.left_out)


def chat(*messages: Message, active: int = -1, number: int = 1) -> Conversation:
    """Return a conversation whose messages follow one another, unless they say whom."""
    for above, each in pairwise(messages):
        each.parent_id = each.parent_id or above.id
    record = conversation(number, messages)
    record.current_message_id = messages[active].id
    return record


def said(number: int, content: str, **fields: Any) -> Message:
    return message(number, content, role="assistant", **fields)


def regenerated(**rated: dict[str, Any]) -> Conversation:
    """Return a question with an old answer, and a new one on the active branch."""
    asked = message(1, "Why?")
    old = said(2, "Old.", metadata=rated.get("old", {}))
    new = said(3, "New.", parent_id=asked.id, metadata=rated.get("new", {}))
    return chat(asked, old, new, message(4, "Thanks"))


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("everything", [False, True])
def test_seeds_and_odd_shapes_make_valid_sets(name: str, everything: bool) -> None:
    plan = SeedPlan(SeedOptions(conversations=60))
    records = [record for key in ORGANIZATIONS for record in seeded(plan, key, whole_plan=False)]

    examples, counts = made(
        name, [*records, *every_shape()], all_branches=everything, include_hidden=everything
    )
    assert len(examples) > 5
    assert left_out.REASONING in counts
    if name in ("openai-finetune", "sharegpt"):
        assert any("tools" in example for example in examples)


def test_calls_stand_with_their_results_whatever_the_source() -> None:
    asked = message(1, "Sum?", attached_text="1, 2")
    chatgpt = said(2, '{"code": "1+2"}', tool_calls=[{"name": "web.run", "language": "json"}])
    output = message(3, "3", role="tool", author="web.run")
    claude = said(
        4,
        "It is 3.",
        tool_calls=[{"id": "toolu_1", "name": "calc", "input": {"a": 1}}],
        tool_outputs=[{"tool_use_id": "toolu_1", "content": [{"type": "text", "text": "three"}]}],
    )
    lost = said(5, "", tool_calls=[{"id": "x", "function": {"name": "f", "arguments": "{}"}}])
    record = chat(message(9, "Be kind.", role="system"), asked, chatgpt, output, claude, lost)

    (example,), counts = made("openai-finetune", [record])
    roles = [each["role"] for each in example["messages"]]
    assert roles == ["system", "user", "assistant", "tool", "assistant", "tool", "assistant"]
    assert example["messages"][1]["content"] == "Sum?\n\n1, 2"
    first, second = (each["tool_calls"][0] for each in example["messages"] if "tool_calls" in each)
    assert first["function"] == {"name": "web_run", "arguments": '{"code":"1+2"}'}
    assert second["function"] == {"name": "calc", "arguments": '{"a":1}'}
    assert example["messages"][5]["content"] == "three"
    assert counts == {left_out.UNANSWERED: 1}

    (element,), _ = made("sharegpt", [record])
    assert element["system"] == "Be kind."
    assert [turn["from"] for turn in element["conversations"]] == [
        *("human", "function_call", "observation", "function_call", "observation", "gpt"),
    ]
    ((tree,), counts) = made("oasst", [record])
    assert [each["text"] for each in tree["prompt"]["replies"]] == ["It is 3."]
    assert counts == {left_out.NO_PLACE: 4, left_out.SYSTEM: 1}


def test_calls_and_results_are_read_as_in_transcripts() -> None:
    call = {"id": "c", "name": "f", "note": "no input"}
    outputs = [{"tool_use_id": "c", "text": "R"}]
    words = said(2, "Let me see.", tool_calls=[call], tool_outputs=outputs)

    (example,), _ = made("openai-finetune", [chat(message(1, "Q?"), words)])
    _, asked, result, answer = example["messages"]
    assert asked["tool_calls"][0]["function"]["arguments"] == "{}"
    assert (result["content"], answer["content"]) == ("R", "Let me see.")
    for name in ("input", "arguments", "parameters", "args"):
        for code in ({"code": "1"}, '{"code": "1"}'):
            assert called_code({"name": "f", name: code}) == ("1", "python", {})
            assert called_code({"function": {"name": "f", name: code}}) == ("1", "python", {})


def test_preferences_come_from_ratings_then_from_the_active_branch() -> None:
    def sides(**rated: dict[str, Any]) -> list[str]:
        examples, _ = made("dpo", [regenerated(**rated)])
        return [example[side][0]["content"] for example in examples for side in ("chosen",)]

    assert sides() == ["New."]
    assert sides(old={"chat_feedback": {"type": "upvote"}}) == ["Old."]
    assert sides(new={"feedback": {"rating": "thumbsDown"}}) == ["Old."]
    assert sides(old={"rating": -1}, new={"annotation": {"rating": -1}}) == []
    (example,), _ = made("dpo", [regenerated()])
    assert example["prompt"] == [{"role": "user", "content": "Why?"}]
    assert example["rejected"] == [{"role": "assistant", "content": "Old."}]

    (tree,), _ = made("oasst", [regenerated(old={"metadata": {"rating": "good"}})])
    replies = tree["prompt"]["replies"]
    assert [(each["text"], each["rank"], each["emojis"]) for each in replies] == [
        ("Old.", 0, {"+1": 1}),
        ("New.", 1, {}),
    ]


def test_each_question_has_the_messages_above_it_whatever_their_order() -> None:
    good = {"rating": "good"}
    questions = {1: None, 4: 2, 7: 3, 10: 6}
    messages = []
    for number, above in questions.items():
        parent = above and message(above).id
        messages.append(message(number, f"{number}?", parent_id=parent))
        tools = {"tool_calls": [{"name": "f", "input": {}}], "tool_outputs": ["r"]}
        for answer, fields in ((number + 1, {"metadata": good}), (number + 2, tools)):
            own: dict[str, Any] = {"parent_id": message(number).id, **fields}
            messages.append(said(answer, f"{answer}", **own))

    def prompts(record: Conversation) -> list[list[str]]:
        examples, _ = made("dpo", [record])
        return [[each["content"] or "f" for each in one["prompt"]] for one in examples]

    expected = [["1?"], ["1?", "2", "4?"], ["1?", "f", "r", "3", "7?"]]
    expected.append(["1?", "2", "4?", "f", "r", "6", "10?"])
    assert prompts(conversation(1, messages)) == expected
    assert prompts(conversation(1, messages[::-1])) == expected[::-1]


def test_a_conversation_is_written_an_example_at_a_time() -> None:
    written: list[bytes] = []

    class Stream(BytesIO):
        def write(self, data: Any) -> int:
            written.append(data)
            return len(data)

    write_stream(Stream(), writer("openai-finetune", BRANCHES), [regenerated()], Written())
    assert [data.count(b"\n") for data in written if data] == [1, 1]


def test_answers_that_were_rated_down_are_not_learned() -> None:
    bad = {"rating": "bad"}
    record = chat(message(1, "A?"), said(2, "a", metadata=bad), message(3, "B?"), said(4, "b"))
    (example,), _ = made("openai-finetune", [record])
    assert [each.get("weight") for each in example["messages"]] == [None, 0, None, None]

    only = chat(message(1, "A?"), said(2, "a", metadata=bad))
    assert made("openai-finetune", [only]) == ([], {left_out.ONLY_BAD: 1})


def test_what_is_left_out_is_counted_by_its_reason() -> None:
    records = [
        chat(message(1, "alone")),
        chat(said(2, "Hello"), message(3, "hi"), said(4, "So?"), message(5, "bye")),
        conversation(3, [message(6, "notes")], kind="document"),
    ]
    hidden = chat(message(7, "x", metadata={"chatdb": {"hidden": True}}), said(8, " "))

    examples, counts = made("sharegpt", [*records, hidden])
    assert [len(each["conversations"]) for each in examples] == [2]
    assert counts == {
        left_out.NO_ANSWER: 2,
        left_out.BEFORE_FIRST: 1,
        left_out.AFTER_LAST: 1,
        left_out.NO_CHAT: 1,
        left_out.HIDDEN: 1,
        left_out.EMPTY: 1,
    }
    assert made("dpo", records[:1]) == ([], {left_out.ONE_ANSWER: 1})
    assert made("dpo", [regenerated(), records[2]])[1] == {left_out.NO_CHAT: 1}
    assert made("oasst", [records[1]])[1] == {left_out.BEFORE_FIRST: 1}
    assert made("openai-finetune", [regenerated()])[1] == {
        left_out.OTHER_BRANCHES: 1,
        left_out.AFTER_LAST: 1,
    }
    branches, _ = made("openai-finetune", [regenerated()], all_branches=True)
    assert [each["messages"][-1]["content"] for each in branches] == ["Old.", "New."]
    for name in CHECKS:
        assert made(name, []) == ([], {})


@pytest.mark.parametrize("name", ["openai-finetune", "sharegpt"])
def test_all_branches_go_to_their_ends_and_a_circle_is_one(name: str) -> None:
    def words(record: Conversation) -> list[list[str]]:
        key, value = ("conversations", "value") if name == "sharegpt" else ("messages", "content")
        examples, _ = made(name, [record], all_branches=True)
        return [[each[value] for each in example[key]] for example in examples]

    def talk(**fields: Any) -> Conversation:
        asked = message(1, "A?", **fields)
        return chat(asked, said(2, "a"), message(3, "B?"), said(4, "b"), active=1)

    everything = ["A?", "a", "B?", "b"]
    assert words(talk()) == [everything]
    assert words(talk(parent_id=message(1).id)) == [everything]
    circle = talk(parent_id=message(4).id)
    assert words(circle) == [everything]
    circle.messages += [message(5, "C?"), said(6, "c", parent_id=message(5).id)]
    assert words(circle) == [["C?", "c"], everything]
    unrelated = [message(1, "A?"), said(2, "a")]
    assert words(conversation(1, unrelated)) == [["A?", "a"]]


def test_what_several_examples_share_is_counted_once() -> None:
    asked = message(1, "Why?", attachments=[{"name": "a.pdf"}, {"name": "b.pdf"}])
    lost = said(2, "Let me see.", tool_calls=[{"name": "f", "input": {}}], reasoning="Well.")
    follow_up = message(4, "And then?")
    first, second = (said(n, f"{n}", parent_id=follow_up.id) for n in (5, 6))
    again = message(7, "More?", parent_id=second.id)
    aside = message(10, "x", parent_id=first.id, metadata={"chatdb": {"hidden": True}})
    record = chat(asked, lost, message(3, " "), follow_up, first, second, again)
    record.messages += [said(8, "8", parent_id=again.id), said(9, "9", parent_id=again.id), aside]
    record.current_message_id = record.messages[7].id

    once = {left_out.ATTACHMENTS: 2, left_out.REASONING: 1, left_out.UNANSWERED: 1}
    once |= {left_out.EMPTY: 1, left_out.HIDDEN: 1}
    for name, count in (("openai-finetune", 3), ("sharegpt", 3), ("dpo", 2)):
        examples, counts = made(name, [record, record], all_branches=True)
        assert (len(examples), counts) == (2 * count, {each: 2 * once[each] for each in once})
    _, counts = made("openai-finetune", [record])
    del once[left_out.HIDDEN]
    assert counts == once | {left_out.OTHER_BRANCHES: 3}


def test_a_question_after_a_result_is_no_part_of_it() -> None:
    def result(number: int) -> Message:
        return message(number, f"result {number}", role="tool")

    def asking(number: int, words: str = "") -> Message:
        return said(number, words, tool_calls=[{"name": f"f{number}", "input": {}}])

    record = chat(
        *(message(1, "Sum?"), asking(2), result(3), asking(4), result(5)),
        *(message(6, "Well?"), asking(7, "Let me see."), result(8), message(9, "Now?")),
        *(asking(10, "Wait."), result(11), said(12, "3.")),
    )
    (element,), counts = made("sharegpt", [record])

    assert [(turn["from"], turn["value"]) for turn in element["conversations"]] == [
        ("human", "Sum?\n\nWell?"),
        ("gpt", "Let me see."),
        ("human", "Now?"),
        ("function_call", '{"arguments":{},"name":"f10"}'),
        ("observation", "result 11"),
        ("gpt", "3."),
    ]
    assert [tool["name"] for tool in json.loads(element["tools"])] == ["f10"]
    assert counts == {left_out.NOT_FOLLOWED: 3, left_out.BEFORE_CALL: 1}


def test_a_long_chain_makes_a_tree_that_can_be_read() -> None:
    messages = [message(n, f"{n}", role=("assistant", "user")[n % 2]) for n in range(1, 1_001)]
    (tree,), counts = made("oasst", [chat(*messages)])

    assert tree["prompt"]["text"] == "1"
    assert counts == {left_out.TOO_DEEP: 800}


def test_parts_of_one_answer_are_one_node_and_a_fork_within_it_is_counted() -> None:
    first = said(2, "Let me see.")
    record = chat(
        message(1, "Why?"), first, said(3, "So."), said(4, "Other.", parent_id=first.id), active=2
    )

    (tree,), counts = made("oasst", [record])
    assert [each["text"] for each in tree["prompt"]["replies"]] == ["Let me see.\n\nSo."]
    assert counts == {left_out.SAME_ROLE: 1}


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1, 1), (-1, -1), (5, 0), (True, 1), ("Good", 1), ("flag", -1), (None, 0), ({"x": 1}, 0)],
)
def test_only_thumbs_are_ratings(value: Any, expected: int) -> None:
    assert rating_of(said(1, "", metadata={"rating": value})) == expected


@pytest.mark.corpus
def test_the_rules_are_those_of_the_real_sets(corpus: Path) -> None:
    counts: Counter[str] = Counter()
    for line in (corpus / "oasst/en_100_tree.jsonl").read_text().splitlines():
        check_oasst(json.loads(line))
        counts["oasst"] += 1
    for path in (corpus / "openai-finetune").iterdir():
        for line in path.read_text().splitlines():
            check_openai(json.loads(line))
            counts["openai"] += 1
    for element in json.loads((corpus / "sharegpt/fastchat-dummy_conversation.json").read_text()):
        check_sharegpt(element)
        counts["sharegpt"] += 1
    assert counts == {"oasst": 100, "openai": 5, "sharegpt": 500}
