"""What the reader of ChatGPT exports makes of each shape and gotcha."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from chatdb.records import MARKS, Message, is_hidden
from tests.formats.chatgpt_samples import (
    CONVERSATION,
    STARTED,
    conversation,
    message,
    node,
    one_message,
)
from tests.formats.reading import read_bytes, read_value

MODEL = {"model_slug": "gpt-5"}


def read_one(item: dict[str, Any]) -> Message:
    return read_value([one_message(item)]).only.messages[0]


def test_a_conversation_keeps_its_id_title_times_and_source() -> None:
    record = read_value([conversation(node("a", None, message()))]).only

    assert record.id == UUID(CONVERSATION)
    assert (record.source, record.source_id) == ("chatgpt", CONVERSATION)
    assert record.title == "A talk"
    assert record.created_at == datetime(2023, 11, 14, 22, 13, 20, 250000, tzinfo=UTC)
    assert record.updated_at == datetime(2023, 11, 14, 22, 15, 0, 250000, tzinfo=UTC)
    assert record.archived_at is None


def test_an_archived_conversation_is_archived() -> None:
    record = read_value([conversation(node("a", None, message()), is_archived=True)]).only

    assert record.archived_at == record.updated_at


def test_every_branch_is_kept_and_the_active_leaf_marked() -> None:
    record = read_value(
        [
            conversation(
                node("root", None, None),
                node("question", "root", message()),
                node("second answer", "question", message("assistant", "two"), children=[]),
                node("first answer", "question", message("assistant", "one"), children=[]),
                current_node="first answer",
            )
        ]
    ).only

    by_name = {item.source_id: item for item in record.messages}
    assert [item.source_id for item in record.messages] == [
        "question",
        "second answer",
        "first answer",
    ]
    assert by_name["first answer"].parent_id == by_name["question"].id
    assert by_name["second answer"].parent_id == by_name["question"].id
    assert record.current_message_id == by_name["first answer"].id


def test_siblings_follow_the_order_of_their_parents_children() -> None:
    record = read_value(
        [
            conversation(
                node("one", "top", message()),
                node("two", "top", message()),
                ("top", {"parent": None, "message": message(), "children": ["two", "one"]}),
            )
        ]
    ).only

    assert [item.source_id for item in record.messages] == ["top", "two", "one"]


def test_nodes_without_message_are_bridged_and_kept_in_metadata() -> None:
    record = read_value(
        [
            conversation(
                node("client-created-root", None, None),
                node("a", "client-created-root", message()),
                node("gap", "a", None, weird=7),
                node("b", "gap", message("assistant")),
                current_node="gap",
            )
        ]
    ).only

    first, second = record.messages
    assert first.parent_id is None
    assert second.parent_id == first.id
    assert record.current_message_id == first.id
    assert record.metadata["mapping"] == {
        "client-created-root": {"id": "client-created-root", "children": ["a"]},
        "gap": {"id": "gap", "parent": "a", "children": ["b"], "weird": 7},
    }


@pytest.mark.parametrize("current", [None, "nowhere", 5])
def test_without_a_usable_current_node_the_newest_leaf_is_active(current: Any) -> None:
    reading = read_value(
        [
            conversation(
                node("a", None, message(at=STARTED)),
                node("new", "a", message(at=STARTED + 9)),
                node("old", "a", message(at=STARTED + 5)),
                current_node=current,
            )
        ]
    )

    newest = next(item for item in reading.only.messages if item.source_id == "new")
    assert reading.only.current_message_id == newest.id
    assert any("current_node" in note for note in reading.tally.lossy)


def test_parents_may_stand_after_children() -> None:
    record = read_value(
        [conversation(node("b", "a", message("assistant")), node("a", None, message()))]
    ).only

    assert [item.source_id for item in record.messages] == ["a", "b"]


def test_a_parent_that_does_not_exist_stays_named() -> None:
    record = read_value([conversation(node("a", "lost", message()))]).only

    assert record.messages[0].parent_id is not None


def test_a_node_without_parent_is_found_through_the_children_of_another() -> None:
    record = read_value(
        [
            conversation(
                ("a", {"message": message(), "children": ["b"]}),
                ("b", {"message": message("assistant"), "children": []}),
            )
        ]
    ).only

    assert record.messages[1].parent_id == record.messages[0].id


def test_a_circle_of_nodes_is_cut_and_every_message_kept() -> None:
    reading = read_value([conversation(node("a", "b", message()), node("b", "a", message()))])

    assert len(reading.only.messages) == 2
    assert reading.only.messages[0].parent_id is None
    assert any("circle" in note for note in reading.tally.lossy)


def test_ids_are_kept_when_uuids_and_stable_when_not() -> None:
    upper = "ABCDEF12-0000-4000-8000-000000000001"
    value = [conversation(node(upper, None, message()), node("short", upper, message()))]

    first, second = read_value(value).only, read_value(value).only

    assert first.messages[0].id == UUID(upper)
    assert first.messages[0].source_id == upper
    assert first.messages[1].id.version == 5
    assert [item.id for item in first.messages] == [item.id for item in second.messages]


def test_the_same_node_id_in_two_conversations_gives_two_message_ids() -> None:
    other = conversation(node("a", None, message()), id="x", conversation_id="x")

    reading = read_value([conversation(node("a", None, message())), other])

    ids = {item.messages[0].id for item in reading.conversations}
    assert len(ids) == 2


def test_two_nodes_with_one_message_id_get_two_ids() -> None:
    same = "11111111-2222-4333-8444-555555555555"
    reading = read_value(
        [
            conversation(
                node("a", None, message() | {"id": same}),
                node("b", "a", message() | {"id": same}),
            )
        ]
    )

    first, second = reading.only.messages
    assert first.id == UUID(same)
    assert second.id != first.id
    assert second.source_id == same
    assert second.metadata["node"]["id"] == "b"
    assert any("twice" in note for note in reading.tally.lossy)


def test_an_id_that_is_no_uuid_depends_on_the_source_name() -> None:
    value = [conversation(node("a", None, message()), id="7", conversation_id="7")]

    one = read_value(value, source_name="one").only
    two = read_value(value, source_name="two").only

    assert one.id != two.id
    assert (one.source_name, one.source_id) == ("one", "7")


def test_a_conversation_without_id_gets_the_same_one_every_time() -> None:
    value = conversation(node("a", None, message()))
    del value["id"], value["conversation_id"]
    other = conversation(node("a", None, message(text="else"))) | {"id": None}
    del other["conversation_id"]

    reading = read_value([value, other])

    assert reading.conversations[0].source_id is None
    assert reading.conversations[0].id == read_value([value]).only.id
    assert reading.conversations[0].id != reading.conversations[1].id


@pytest.mark.parametrize(
    ("fields", "content"),
    [
        ({"weight": 0}, "text"),
        ({"metadata": {"is_visually_hidden_from_conversation": True}}, "text"),
        ({"author": {"role": "system"}}, ""),
        ({}, {"content_type": "user_editable_context", "user_profile": "p"}),
        ({}, {"content_type": "model_editable_context", "model_set_context": "m"}),
    ],
)
def test_hidden_messages_are_marked_and_kept(fields: dict[str, Any], content: Any) -> None:
    assert is_hidden(read_one(message(text=content) | fields))


def test_an_ordinary_message_is_not_hidden() -> None:
    assert not is_hidden(read_one(message()))


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"content_type": "text", "parts": ["a"]}, "a"),
        ({"content_type": "text", "parts": ["a", None, "b"]}, "a\nb"),
        ({"content_type": "text", "parts": []}, ""),
        ({"content_type": "text", "parts": None}, ""),
        ({"parts": ["no type"]}, "no type"),
        ({"content_type": "code", "language": "python", "text": "x\r\n"}, "x\r\n"),
        ({"content_type": "execution_output", "text": "42"}, "42"),
        ({"content_type": "system_error", "name": "E", "text": "bad"}, "bad"),
        ({"content_type": "tether_quote", "url": "u", "text": "quote"}, "quote"),
        ({"content_type": "tether_browsing_display", "result": "r"}, "r"),
        ({"content_type": "sonic_webpage", "url": "u", "text": "page"}, "page"),
        ({"content_type": "thoughts", "thoughts": [{"content": "t"}]}, ""),
        ({"content_type": "user_editable_context", "user_profile": "p"}, "p"),
        ({"content_type": "model_editable_context", "model_set_context": "m"}, "m"),
        ({"content_type": "hologram", "text": "shown"}, "shown"),
        ({"content_type": ["odd"], "parts": ["shown"]}, "shown"),
        (None, ""),
        ("bare", "bare"),
        (7, ""),
    ],
)
def test_the_text_of_each_content_type_is_found(content: Any, text: str) -> None:
    assert read_one(message() | {"content": content}).content == text


def test_code_to_a_tool_is_a_call_and_its_output_names_the_tool() -> None:
    code = {"content_type": "code", "language": "python", "text": "print(1)"}
    output = {"content_type": "execution_output", "text": "1"}
    result = {"aggregate_result": {"status": "success", "messages": []}}
    record = read_value(
        [
            conversation(
                node("call", None, message("assistant", code, recipient="python")),
                node("result", "call", message("tool", output, metadata=result))
            )
        ]
    ).only  # fmt: skip

    call, answer = record.messages
    assert call.tool_calls == [{"name": "python", "language": "python"}]
    assert call.content == "print(1)"
    assert answer.tool_outputs == [{"status": "success", "messages": []}]


def test_the_name_of_a_tool_is_the_author() -> None:
    item = message("tool", author={"role": "tool", "name": "web.search", "metadata": {"k": 1}})

    read = read_one(item)

    assert read.author == "web.search"
    assert read.metadata["author"] == {"metadata": {"k": 1}}


@pytest.mark.parametrize(
    ("content", "reasoning"),
    [
        (
            {
                "content_type": "thoughts",
                "thoughts": [{"summary": "s", "content": "c", "chunks": [], "finished": True}],
            },
            [{"summary": "s", "content": "c", "finished": True}],
        ),
        ({"content_type": "thoughts", "parts": ["c"]}, [{"content": "c"}]),
        ({"content_type": "reasoning_recap", "content": "10 s"}, [{"summary": "10 s"}]),
        ({"content_type": "reasoning_recap", "parts": ["10 s"]}, [{"summary": "10 s"}]),
    ],
)
def test_thoughts_are_reasoning(content: dict[str, Any], reasoning: list[Any]) -> None:
    assert read_one(message("assistant", content)).reasoning == reasoning


def test_pictures_and_files_are_attachments_in_order() -> None:
    picture = {"content_type": "image_asset_pointer", "asset_pointer": "sediment://file_1"}
    content = {"content_type": "multimodal_text", "parts": [picture, "what is this?", None]}
    file = {"id": "file-1", "name": "a.txt"}

    read = read_one(message(text=content, metadata={"attachments": [file]}))

    assert read.content == "what is this?"
    assert read.attachments == [picture, file]
    assert read.metadata["content"]["order"] == ["attachment", "text"]


def test_spoken_words_are_text_and_the_parts_stay() -> None:
    spoken = {"content_type": "audio_transcription", "text": "said", "direction": "in"}
    content = {"content_type": "multimodal_text", "parts": [spoken, "typed"]}

    read = read_one(message(text=content))

    assert read.content == "said\ntyped"
    assert read.metadata["content"]["parts"] == [spoken, "typed"]


def test_the_model_is_the_messages_own_or_the_default_of_the_conversation() -> None:
    record = read_value(
        [
            conversation(
                node("a", None, message(metadata={})),
                node("b", "a", message("assistant", metadata=MODEL)),
                node("c", "b", {key: item for key, item in message("assistant").items()
                                if key != "metadata"}),
                default_model_slug="auto",
            )
        ]
    ).only  # fmt: skip

    assert [item.model for item in record.messages] == [None, "gpt-5", "auto"]


@pytest.mark.parametrize(
    ("role", "read_as"),
    [("user", "user"), ("developer", "system"), ("critic", "assistant"), (None, "assistant")],
)
def test_roles_are_mapped_and_unusual_ones_marked(role: str | None, read_as: str) -> None:
    read = read_one(message(role))

    assert read.role == read_as
    assert (MARKS in read.metadata) == (role != "user")
    if role != "user":
        assert read.metadata[MARKS]["role"] == role


@pytest.mark.parametrize("author", [None, "user", {"role": 5}, {}])
def test_an_odd_author_does_not_stop_the_conversation(author: Any) -> None:
    assert read_one(message() | {"author": author}).content == "hello"


@pytest.mark.parametrize("raw", [0, -5.0, None, "soon", True, 1e300, {"a": 1}, 4e9 * 1.5])
def test_an_impossible_time_is_inherited_and_kept(raw: Any) -> None:
    record = read_value(
        [
            conversation(
                node("a", None, message(at=STARTED + 5)), node("b", "a", message(at=raw))
            )
        ]
    ).only  # fmt: skip

    late = record.messages[1]
    assert late.created_at == record.messages[0].created_at
    assert late.metadata[MARKS]["time"] == "interpolated"
    assert late.metadata[MARKS].get("created_at") == raw


@pytest.mark.parametrize("raw", [1_700_000_000_000, "2023-11-14T22:13:20", 1.7e18])
def test_a_time_in_another_unit_is_understood_and_kept(raw: Any) -> None:
    read = read_one(message(at=raw))

    assert read.created_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert read.metadata[MARKS]["created_at"] == raw


def test_a_conversation_without_times_takes_them_from_its_messages() -> None:
    record = read_value(
        [
            conversation(
                node("a", None, message(at=STARTED)), node("b", "a", message(at=STARTED + 1)),
                create_time=None, update_time=None,
            )
        ]
    ).only  # fmt: skip

    assert record.created_at == record.messages[0].created_at
    assert record.updated_at == record.messages[1].created_at


def test_a_conversation_without_any_time_is_read_alike_every_time() -> None:
    value = [conversation(node("a", None, message(at=None)), create_time=None, update_time=0)]

    assert read_value(value).only == read_value(value).only


def test_no_field_of_the_source_is_lost() -> None:
    item = message(
        update_time=3.5,
        end_turn=False,
        channel="final",
        novelty={"deep": [1]},
        chatdb="theirs",
        metadata={"citations": [{"start_ix": 1}], "finish_details": {"type": "stop"}},
    )
    value = one_message(item) | {"safe_urls": ["u"], "brand_new": 1, "chatdb": 2}
    value["mapping"]["only"]["novel"] = "node"

    reading = read_value([value])

    record = reading.only
    metadata = record.messages[0].metadata
    assert metadata["update_time"] == 3.5
    assert metadata["end_turn"] is False
    assert metadata["channel"] == "final"
    assert metadata["novelty"] == {"deep": [1]}
    assert metadata["node"] == {"novel": "node"}
    assert metadata["metadata"]["citations"] == [{"start_ix": 1}]
    assert metadata[MARKS]["field"] == "theirs"
    assert (record.metadata["safe_urls"], record.metadata["brand_new"]) == (["u"], 1)
    assert record.metadata[MARKS]["field"] == 2
    assert reading.tally.unknown_fields.keys() >= {
        "brand_new",
        "mapping.message.novelty",
        "mapping.novel",
    }


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"title": "Corrupted", "id": "x"}, "mapping"),
        ({"title": "Corrupted", "mapping": None}, "mapping"),
        (None, "null"),
        ([1], "list"),
        ("text", "str"),
    ],
)
def test_a_broken_entry_is_skipped_and_the_others_read(entry: Any, reason: str) -> None:
    reading = read_value([entry, conversation(node("a", None, message()))])

    assert len(reading.conversations) == 1
    assert reason in reading.skipped[0].reason
    assert "entry 1" in reading.skipped[0].place


@pytest.mark.parametrize("broken", [5, "text", [1]])
def test_a_message_that_is_no_object_is_skipped_and_named(broken: Any) -> None:
    reading = read_value(
        [
            conversation(
                node("a", None, message()),
                ("b", {"id": "b", "parent": "a", "children": [], "message": broken}),
                ("c", broken),
                current_node="a",
            )
        ]
    )

    assert len(reading.only.messages) == 1
    assert [item.source_id for item in reading.skipped] == ["b", "c"]
    assert reading.only.metadata["mapping"]["b"]["message"] == broken


def test_an_empty_conversation_is_still_one() -> None:
    record = read_value([conversation()]).only

    assert record.messages == []
    assert record.current_message_id is None


def test_nul_and_lone_surrogates_are_replaced_counted_and_kept() -> None:
    text = json.dumps([one_message(message(text="a\x00b\ud800c"))])

    reading = read_bytes(text.encode())

    read = reading.only.messages[0]
    assert read.content == "a\ufffdb\ufffdc"
    assert reading.tally.replaced_characters == 2
    assert read.metadata[MARKS]["original"]["content"] == "YQBi7aCAYw=="


def test_odd_numbers_do_not_stop_the_conversation() -> None:
    text = json.dumps([one_message(message(metadata={"n": "N"}))])

    reading = read_bytes(text.replace('"N"', "[NaN, 1e400, 1e22]").encode())

    assert reading.only.messages[0].metadata["metadata"]["n"] == ["NaN", "Infinity", 1e22]


def test_the_hash_ignores_key_order_and_white_space_but_no_change() -> None:
    value = conversation(node("root", None, None), node("a", "root", message()))
    changed = conversation(node("root", None, None), node("a", "root", message(text="hello!")))
    turned = {key: value[key] for key in reversed(value)}

    plain = read_value([value]).only.source_hash
    pretty = read_bytes(json.dumps([turned], indent=3).encode()).only.source_hash

    assert plain == pretty
    assert plain != read_value([changed]).only.source_hash


def test_a_chain_of_100000_messages_is_read_without_recursion() -> None:
    count = 100_000
    nodes = [node("0", None, message())]
    nodes += [node(str(i), str(i - 1), message()) for i in range(1, count)]

    record = read_value([conversation(*nodes)]).only

    assert len(record.messages) == count
    assert record.messages[-1].parent_id == record.messages[-2].id


def test_a_message_of_50_megabytes_is_read() -> None:
    size = 50_000_000

    record = read_value([one_message(message(text="x" * size))]).only

    assert len(record.messages[0].content) == size
