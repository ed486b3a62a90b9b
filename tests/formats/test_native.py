"""The native format: what is written is read back the same, and bad lines stop nothing."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatdb.errors import InvalidInputError
from chatdb.formats.base import WriteOptions
from chatdb.formats.native import conversation_line, header_line
from chatdb.formats.registry import writer
from chatdb.primitives import canonical
from chatdb.records import (
    MARKS,
    Conversation,
    Embedding,
    Message,
    MessageFile,
    Snapshot,
    sorted_embeddings,
    sorted_files,
)
from chatdb.store.columns import KINDS
from tests.formats.reading import read_bytes
from tests.store.write_native_schema import PATH

NOW = datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
HEADER = header_line(created=NOW, source="test")
ID = "6f1d2c3b-0a49-4e58-9c67-123456789abc"

TIMES = st.integers(0, 4 * 10**15).map(
    lambda microseconds: datetime(1971, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
).map(lambda value: canonical.decode(canonical.encode(value)))
METADATA = st.dictionaries(TEXTS, VALUES, max_size=3)
MESSAGES = st.builds(
    Message,
    id=st.uuids(),
    parent_id=st.none() | st.uuids(),
    role=st.sampled_from(["user", "assistant", "system", "tool"]),
    author=st.none() | TEXTS,
    model=st.none() | TEXTS,
    content=TEXTS,
    reasoning=VALUES,
    tool_calls=VALUES,
    tool_outputs=VALUES,
    attachments=VALUES,
    attached_text=st.none() | TEXTS,
    user_id=st.none() | TEXTS,
    source_id=st.none() | TEXTS,
    edited_at=st.none() | TIMES,
    metadata=METADATA,
    created_at=TIMES,
)
EMBEDDINGS = st.lists(
    st.builds(
        Embedding,
        message_id=st.uuids(),
        model=TEXTS,
        vector=st.lists(
            st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=5
        ).map(canonical.vector),
    ),
    max_size=3,
).map(sorted_embeddings)
FILES = st.lists(
    st.builds(
        MessageFile,
        message_id=st.uuids(),
        position=st.integers(0, (1 << 31) - 1),
        digest=st.binary(min_size=32, max_size=32).map(bytes.hex),
        name=st.none() | TEXTS,
        size=st.none() | st.integers(0, (1 << 63) - 1),
        media_type=st.none() | TEXTS,
    ),
    max_size=3,
).map(sorted_files)
CONVERSATIONS = st.builds(
    Conversation,
    id=st.uuids(),
    user_id=st.none() | TEXTS,
    title=st.none() | TEXTS,
    current_message_id=st.none() | st.uuids(),
    created_at=TIMES,
    updated_at=TIMES,
    last_accessed_at=st.none() | TIMES,
    archived_at=st.none() | TIMES,
    starred_at=st.none() | TIMES,
    pinned_at=st.none() | TIMES,
    edited_at=st.none() | TIMES,
    source=st.none() | TEXTS,
    source_name=st.none() | TEXTS,
    source_id=st.none() | TEXTS,
    source_hash=st.none() | TEXTS,
    metadata=METADATA,
    messages=st.lists(MESSAGES, max_size=4, unique_by=lambda message: message.id),
    snapshots=st.lists(st.builds(Snapshot, id=st.uuids(), state=VALUES, created_at=TIMES)),
    kind=st.sampled_from(KINDS),
    missing_since=st.none() | TIMES,
    files=FILES,
    embeddings=EMBEDDINGS,
)


def line(**fields: Any) -> bytes:
    value = {"id": ID, "created_at": "2024-01-01T00:00:00Z", "updated_at": "2024-01-01T00:00:00Z"}
    return json.dumps(value | fields).encode() + b"\n"


def message(**fields: Any) -> dict[str, Any]:
    return {"id": ID, "role": "user", "created_at": "2024-01-01T00:00:00Z"} | fields


@settings(max_examples=50, deadline=None)
@given(st.lists(CONVERSATIONS, max_size=3))
def test_what_is_written_is_read_back_the_same_byte_for_byte(records: list[Conversation]) -> None:
    lines = [conversation_line(record) for record in records]

    reading = read_bytes(HEADER + b"".join(lines))

    assert reading.format == "jsonl"
    assert reading.conversations == records
    assert [conversation_line(record) for record in reading.conversations] == lines


@pytest.mark.large
@settings(max_examples=30, deadline=None)
@given(CONVERSATIONS)
def test_every_line_is_valid_by_the_schema(record: Conversation) -> None:
    schema = json.loads(PATH.read_text())

    for written in (HEADER, conversation_line(record)):
        jsonschema.validate(json.loads(written), schema)


def test_the_writer_joins_header_and_lines() -> None:
    record = read_bytes(HEADER + line(title="A")).only
    made = writer("jsonl", WriteOptions(source="here"))

    data = made.begin() + made.conversation(record) + made.end()

    assert json.loads(data.splitlines()[0])["source"] == "here"
    assert read_bytes(data).only == record


def test_the_line_is_canonical() -> None:
    record = read_bytes(
        HEADER + line(metadata={"b": 1e22, "a": -0.0}, messages=[message(content="")])
    ).only

    text = conversation_line(record).decode()

    assert text.startswith('{"id":"' + ID + '","created_at":"2024-01-01T00:00:00Z"')
    assert '"metadata":{"a":0.0,"b":10000000000000000000000}' in text
    assert "content" not in text


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"{]\n", "not JSON"),
        (b"[1]\n", "not a JSON object"),
        (b'{"id": "x"}\n', "not a conversation"),
        (line(messages=[message(role="critic")]), "role"),
        (b'{"id": "\xff"}\n', "not UTF-8"),
        (b"[" * 100_000 + b"\n", "nested too deeply"),
        (line()[:-20] + b"\n", "not JSON"),
        (line(created_at="0001-01-01T00:00:00+12:00"), "time"),
    ],
)
def test_a_bad_line_is_skipped_with_its_number(bad: bytes, reason: str) -> None:
    reading = read_bytes(HEADER + line(title="one") + bad + line(title="two"))

    assert [record.title for record in reading.conversations] == ["one", "two"]
    assert "line 3" in reading.skipped[0].place
    assert reason in reading.skipped[0].reason


def test_a_newer_version_is_refused_with_advice() -> None:
    with pytest.raises(InvalidInputError, match="version 99") as caught:
        read_bytes(b'{"format": "chatdb", "version": 99}\n' + line())

    assert "upgrade" in str(caught.value.hint)


VERSION_1 = b"""{"format":"chatdb","version":1,"created":"2026-09-01T12:00:00Z","source":"a"}
{"id":"6f1d2c3b-0a49-4e58-9c67-123456789abc","title":"Old","created_at":"2024-01-01T00:00:00Z",\
"updated_at":"2024-01-02T00:00:00Z","pinned_at":"2024-01-02T00:00:00Z","source":"claude",\
"metadata":{"model":"x"},"messages":[{"id":"6f1d2c3b-0a49-4e58-9c67-123456789abc",\
"role":"user","content":"hello","attachments":[{"file_name":"a.txt"}],\
"created_at":"2024-01-01T00:00:00Z"}],"snapshots":[{"id":\
"6f1d2c3b-0a49-4e58-9c67-123456789abd","state":{"a":1},"created_at":"2024-01-01T00:00:00Z"}],\
"embeddings":[{"message_id":"6f1d2c3b-0a49-4e58-9c67-123456789abc","model":"m","vector":[0.5]}]}
""".replace(b"\\\n", b"")
"""As the first version of the format was written."""


def test_a_file_of_version_1_is_read_as_before_and_written_the_same_but_for_its_header() -> None:
    reading = read_bytes(VERSION_1)

    record = reading.only
    assert (record.kind, record.missing_since, record.files) == ("chat", None, [])
    assert (record.messages[0].attached_text, record.messages[0].user_id) == (None, None)
    assert conversation_line(record) == VERSION_1.splitlines(keepends=True)[1]
    assert json.loads(HEADER)["version"] == 2


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"digest": "../../../etc/passwd"}, "64 hexadecimal digits"),
        ({"digest": "A" * 64}, "64 hexadecimal digits"),
        ({"position": -1}, "position -1"),
        ({"position": 1 << 31}, "position"),
        ({"size": -1}, "size -1"),
        ({"size": 1 << 63}, "size"),
        ({"size": "7"}, "size"),
    ],
)
def test_a_file_that_no_database_can_have_makes_its_conversation_unreadable(
    fields: dict[str, Any], reason: str
) -> None:
    good = {"message_id": ID, "position": 0, "digest": "a" * 64}

    reading = read_bytes(HEADER + line(files=[good | fields]) + line(files=[good]))

    assert reading.only.files[0].digest == "a" * 64
    assert reason in reading.skipped[0].reason


def test_files_get_their_order_and_the_last_of_a_place_counts() -> None:
    given = [
        {"message_id": ID, "position": position, "digest": letter * 64}
        for position, letter in ((3, "a"), (0, "b"), (3, "c"))
    ]

    record = read_bytes(HEADER + line(files=given)).only

    assert [(each.position, each.digest[0]) for each in record.files] == [(0, "b"), (3, "c")]


def test_lines_without_header_are_read_when_asked_for() -> None:
    assert read_bytes(line(title="A"), format_name="jsonl").only.title == "A"


def test_unknown_fields_move_to_metadata_and_are_counted() -> None:
    reading = read_bytes(HEADER + line(mood="good", messages=[message(mark=1)]))

    assert reading.only.metadata == {"mood": "good"}
    assert reading.only.messages[0].metadata == {"mark": 1}
    assert reading.tally.unknown_fields == {"mood": 1, "messages.mark": 1}


def test_times_become_utc() -> None:
    record = read_bytes(
        HEADER + line(created_at="2024-01-01T02:00:00+02:00", updated_at="2024-01-01T00:00:00")
    ).only

    assert record.created_at == record.updated_at == datetime(2024, 1, 1, tzinfo=UTC)
    assert record.created_at.tzinfo is UTC
    assert timezone(timedelta(hours=2)) != UTC


def test_nul_and_lone_surrogates_are_cleaned_with_the_original_kept() -> None:
    reading = read_bytes(
        HEADER + line(title="t\x00", messages=[message(content="\ud800", tool_calls=["\x00"])])
    )

    record = reading.only
    assert record.title == "t\ufffd"
    assert record.messages[0].content == "\ufffd"
    assert record.messages[0].tool_calls == ["\ufffd"]
    assert record.messages[0].metadata[MARKS]["original"].keys() == {"content", "tool_calls"}
    assert reading.tally.replaced_characters == 3
    assert read_bytes(HEADER + conversation_line(record)).only == record


def test_a_message_id_that_occurs_twice_gets_another_the_second_time() -> None:
    data = HEADER + line(messages=[message(content="a"), message(content="b")])

    first, second = read_bytes(data).only.messages

    assert first.id == UUID(ID)
    assert second.id not in (first.id, UUID(int=0))
    assert read_bytes(data).only.messages[1].id == second.id


def test_an_empty_file_with_a_header_is_no_error() -> None:
    assert read_bytes(HEADER).conversations == []


def test_embeddings_come_in_order_one_of_each_and_as_four_bytes_hold_them() -> None:
    other = "00000000-0000-4000-8000-000000000001"
    told = [(ID, "m", [0.1]), (other, "m\x00", [1]), (ID, "a", [-0.0]), (ID, "m", [0.5, 2**60])]
    entries = [dict(zip(("message_id", "model", "vector"), each, strict=True)) for each in told]

    reading = read_bytes(HEADER + line(embeddings=entries))

    record = reading.only
    found = sorted((str(each.message_id), each.model, each.vector) for each in record.embeddings)
    assert found == sorted([(ID, "a", [0.0]), (ID, "m", [0.5, 2.0**60]), (other, "m\ufffd", [1.0])])
    assert read_bytes(HEADER + conversation_line(record)).only == record
    assert reading.tally.replaced_characters == 1


@pytest.mark.parametrize("vector", [[], [1e39], [0.5] * 16_001, ["1"], [None], None, 10**400])
def test_a_conversation_with_an_embedding_that_is_no_vector_is_skipped_and_named(
    vector: Any,
) -> None:
    entry = {"message_id": ID, "model": "m", "vector": vector}

    reading = read_bytes(HEADER + line(embeddings=[entry]) + line(title="whole"))

    assert [each.title for each in reading.conversations] == ["whole"]
    (skipped,) = reading.skipped
    assert "line 2" in skipped.place
    assert "embedding" in skipped.reason or "vector" in skipped.reason
