"""What a person saw beside the words of a Claude message is one text."""

from typing import Any

import pytest

from chatdb.formats.claude.attached import attached_text
from tests.formats.reading import read_value
from tests.formats.test_claude import conversation, message
from tests.formats.test_claude_design import answered, chat, said


def text_of(blocks: Any = None, **fields: Any) -> str | None:
    """Return the attached text of a message of these blocks, made twice."""
    made = message("assistant", "", **({} if blocks is None else {"content": blocks}), **fields)
    (only,) = read_value([conversation(made)]).only.messages
    assert attached_text(only) == only.attached_text
    return only.attached_text


def words(text: str = "hello") -> dict[str, Any]:
    return {"type": "text", "text": text, "citations": []}


def call(name: str, given: Any) -> dict[str, Any]:
    return {"type": "tool_use", "name": name, "input": given}


def result(name: str, content: Any) -> dict[str, Any]:
    return {"type": "tool_result", "name": name, "content": content}


@pytest.mark.parametrize(
    "blocks",
    [
        None,
        [words()],
        [words(), {"type": "thinking", "thinking": "hm", "summaries": [{"summary": "tills"}]}],
        [words(), {"type": "injected_prompt_block", "prompt": "be kind", "text": "be kind"}],
        [words(), {"type": "token_budget"}, {"type": "image", "file_uuid": "f", "title": "a.png"}],
        [words(), {"type": "document", "file_uuid": "f", "title": "plan.pdf"}],
        [words(), call("web_search", {"query": "x"}), result("web_search", [words("a page")])],
        [words(), result("artifacts", [words("OK")])],
        [words(), call("artifacts", "not JSON"), call("x", None), call("y", {"content": 5})],
        [words(), {"type": ["odd"]}, {"type": None}, 5],
    ],
    ids=range(10),
)
def test_an_ordinary_message_has_none(blocks: Any) -> None:
    assert text_of(blocks) is None


def test_a_pasted_text_is_named_by_its_file_and_counted_once() -> None:
    pasted = {"file_name": "notes.txt", "file_type": "txt", "extracted_content": "sales fell"}
    files = [{"file_uuid": "f", "file_name": "notes.txt"}]

    assert text_of([words()], attachments=[pasted], files=files) == "notes.txt:\nsales fell"


def test_a_pasted_text_without_a_name_is_the_text_alone() -> None:
    pasted = [{"file_name": "", "extracted_content": "one"}, {"extracted_content": "two"}]

    assert text_of([words()], attachments=pasted) == "one\n\ntwo"


def test_what_the_content_has_is_not_repeated() -> None:
    pasted = [{"file_name": "a.txt", "extracted_content": "hello"}, {"extracted_content": " \n"}]

    assert text_of([words("hello there")], attachments=pasted) is None


def test_the_same_text_twice_is_there_once() -> None:
    pasted = {"file_name": "a.txt", "extracted_content": "x1"}

    assert text_of([words()], attachments=[pasted, pasted]) == "a.txt:\nx1"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"command": "create", "title": "Poem", "content": "dusk"}, "Poem:\ndusk"),
        ({"command": "rewrite", "id": "poem", "content": "dawn"}, "poem:\ndawn"),
        ({"command": "update", "id": "p", "old_str": "a", "new_str": "night"}, "p:\nnight"),
        ({"command": "create", "content": "dusk"}, "dusk"),
        ('{"command": "create", "title": "Poem", "content": "dusk"}', "Poem:\ndusk"),
    ],
)
def test_an_artifact_that_a_call_makes_is_there(given: Any, expected: str) -> None:
    assert text_of([words(), call("artifacts", given)]) == expected


def test_files_widgets_and_drafts_that_tools_wrote_are_there() -> None:
    blocks = [
        words(),
        call("create_file", {"path": "/out/a.md", "file_text": "# brine"}),
        call("visualize:show_widget", {"title": "Tank", "widget_code": "<svg/>"}),
        call("message_compose_v1", {"variants": [{"subject": "Salt", "body": "Dear Ann"}]}),
    ]

    assert text_of(blocks) == "/out/a.md:\n# brine\n\nTank:\n<svg/>\n\nSalt\nDear Ann"


def test_a_search_or_another_call_without_a_name_of_a_thing_is_not() -> None:
    assert text_of([words(), call("note", {"content": "x"})]) is None


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([words("42 rows")], "42 rows"),
        ("42 rows", "42 rows"),
        ([words('{"returncode": 0, "stdout": "42\\nrows", "stderr": ""}')], "42\nrows"),
        ([words('{"stdout": "42", "stderr": "slow"}')], "42\nslow"),
        ([words('{"rows": 42}')], '{"rows": 42}'),
        (None, None),
        ([5, {"type": "image"}], None),
    ],
)
def test_the_output_of_code_is_there(content: Any, expected: str | None) -> None:
    assert text_of([words(), result("bash_tool", content)]) == expected


def test_the_text_of_an_output_that_is_the_content_is_not_repeated() -> None:
    made = message("human", "", content=[result("repl", [words("42 rows")])])

    (only,) = read_value([conversation(made)]).only.messages

    assert (only.role, only.content, only.attached_text) == ("tool", "42 rows", None)


def test_the_text_of_an_unknown_block_is_there() -> None:
    blocks = [
        words(),
        {"type": "mystery", "text": "deepword", "id": "m1"},
        {"type": "poll", "title": "Which?", "content": [{"text": "red"}, {"text": "blue"}]},
    ]

    assert text_of(blocks) == "deepword\n\nWhich?\nred\nblue"


def test_a_document_that_is_in_the_message_is_there() -> None:
    source = {"type": "text", "media_type": "text/plain", "data": "the plan"}

    assert text_of([words(), {"type": "document", "title": "plan", "source": source}]) == (
        "plan:\nthe plan"
    )


def test_a_block_nested_too_deeply_ends_no_import() -> None:
    block: Any = {"type": "mystery", "text": "end"}
    for _ in range(400):
        block = {"type": "mystery", "content": [block]}

    assert text_of([words(), block]) is None


def test_texts_given_to_a_design_chat_and_its_errors_are_there() -> None:
    pasted = [{"type": "text", "name": "pasted.md", "content": "a brief"}]
    answer = answered(
        "m2",
        "Done",
        {"type": "text", "text": "Done"},
        {"type": "tool_call", "toolCall": {"name": "write_file",
                                           "input": {"path": "a.md", "content": "hull"}}},
        {"type": "error", "message": {"content": "it stopped"}},
    )  # fmt: skip

    question, done = read_value(chat(said("m1", "draw", attachments=pasted), answer)).only.messages

    assert question.attached_text == "pasted.md:\na brief"
    assert done.attached_text == "a.md:\nhull\n\nit stopped"
    assert [attached_text(each) for each in (question, done)] == [
        question.attached_text,
        done.attached_text,
    ]


def test_the_artifact_that_a_message_points_to_stays_with_its_output() -> None:
    output = result("create_artifact", [words("OK")]) | {"structured_content": {"artifact_id": "a"}}
    made = message("assistant", "", content=[words(), output])

    (only,) = read_value([conversation(made)]).only.messages

    assert only.tool_outputs[0]["structured_content"] == {"artifact_id": "a"}


def test_what_the_designer_asked_and_what_a_person_chose_is_there() -> None:
    spec = {"questions": [{"id": "goal", "title": "Goal?", "options": ["fun", "profit"]}, None]}
    record = {"questionId": "q1", "spec": spec, "createdAt": "2026-09-01T12:00:00Z"}
    receipt = {"questionId": "q1", "payload": {"goal": {"choices": ["fun"], "other": "and salt"}}}
    asked = {"kind": "question-record", "questionRecord": record}
    chosen = {"kind": "question-receipt", "questionReceipt": receipt}

    messages = read_value(
        chat(
            said("m1", "draw"),
            {"uuid": "m2", "role": "assistant", "created_at": "2026-09-01", "content": asked},
            {"uuid": "m3", "role": "user", "created_at": "2026-09-01", "content": chosen},
        )
    ).only.messages

    assert [each.attached_text for each in messages] == [
        None,
        "Goal?\nfun\nprofit",
        "fun\nand salt",
    ]
    assert messages[2].metadata["questionReceipt"] == receipt
