"""Anything that the records can hold goes from one database into the other and back, unchanged."""

import io
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatdb.db import schema
from chatdb.db.database import Database
from chatdb.formats import native
from chatdb.formats.base import Tally
from chatdb.formats.files.sources import open_source
from chatdb.operations.importing.imports import ImportRun
from chatdb.primitives.canonical import vector
from chatdb.records import Conversation, Embedding, Message, Snapshot, sorted_embeddings
from chatdb.store.batches import Arrival
from chatdb.store.lines import native_lines
from chatdb.store.selecting import ConversationFilter
from tests.operations.export_rows import NOON, insert

_texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=40)
_times = st.datetimes(
    min_value=datetime(1, 1, 2),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.just(UTC),
)
_numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
_json = st.recursive(
    st.none() | st.booleans() | _numbers | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=8,
)
_objects = st.dictionaries(_texts, _json, max_size=3)
_optional_text = st.none() | _texts
_optional_time = st.none() | _times
_messages = st.builds(
    Message,
    id=st.uuids(),
    parent_id=st.none() | st.uuids(),
    role=st.sampled_from(["user", "assistant", "system", "tool"]),
    author=_optional_text,
    model=_optional_text,
    content=_texts,
    reasoning=_json,
    tool_calls=_json,
    tool_outputs=_json,
    attachments=_json,
    source_id=_optional_text,
    edited_at=_optional_time,
    metadata=_objects,
    created_at=_times,
)
_states = _json.filter(lambda value: value is not None)
_snapshots = st.builds(Snapshot, id=st.uuids(), state=_states, created_at=_times)
_embeddings = st.lists(
    st.builds(
        Embedding,
        message_id=st.uuids(),
        model=_texts,
        vector=st.lists(
            st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=5
        ).map(vector),
    ),
    max_size=3,
).map(sorted_embeddings)
_conversations = st.builds(
    Conversation,
    id=st.uuids(),
    user_id=_optional_text,
    title=_optional_text,
    current_message_id=st.none() | st.uuids(),
    created_at=_times,
    updated_at=_times,
    last_accessed_at=_optional_time,
    archived_at=_optional_time,
    starred_at=_optional_time,
    pinned_at=_optional_time,
    edited_at=_optional_time,
    source=_optional_text,
    source_name=_optional_text,
    source_id=_optional_text,
    source_hash=_optional_text,
    metadata=_objects,
    messages=st.lists(_messages, max_size=4, unique_by=lambda each: each.id),
    snapshots=st.lists(_snapshots, max_size=2, unique_by=lambda each: each.id).map(
        lambda each: sorted(each, key=lambda one: (one.created_at, one.id))
    ),
    embeddings=_embeddings,
)
_databases = st.lists(_conversations, max_size=4, unique_by=lambda each: each.id).map(
    lambda each: sorted(each, key=lambda one: one.id)
)


def empty(database: Database) -> None:
    with database.transaction(write=True) as connection:
        connection.execute(sa.delete(schema.conversations))


def exported(database: Database) -> bytes:
    lines = native_lines(database, ConversationFilter(), organization_key="default")
    return b"".join(lines)


def around(records: list[Conversation], first: Database, second: Database) -> None:
    """Put records into the first, import its export into the second, and compare the lines."""
    empty(first)
    empty(second)
    insert(first, records)

    text = native.header_line(created=NOON) + exported(first)
    with open_source("-", stdin=io.BytesIO(text)) as source:
        arrivals = [Arrival(item, hashed=False) for item in native.reader.read(source, Tally())]
    with ImportRun(second, "default", subject="test") as run:
        run.load(arrivals)

    expected = b"".join(native.conversation_line(record) for record in records)
    assert exported(first) == expected
    assert exported(second) == expected


@pytest.mark.large
@pytest.mark.postgresql
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(records=_databases)
def test_records_go_from_one_database_to_the_other_unchanged(
    both: list[Database], records: list[Conversation]
) -> None:
    sqlite, postgresql = both

    around(records, sqlite, postgresql)
    around(records, postgresql, sqlite)
