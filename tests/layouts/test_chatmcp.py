"""ChatMCP in each of its three schemas."""

from uuid import UUID

import pytest

from chatdb.db.url import DatabaseUrl
from chatdb.records import Embedding
from tests.layouts import chatmcp_database
from tests.layouts.chatmcp_database import COMPOSE, FIRST_MIGRATION, MESSAGE, SUPABASE, TALK
from tests.layouts.conftest import ImportFrom
from tests.layouts.foreign_databases import make_postgresql

SCHEMAS = {
    "first migration": (FIRST_MIGRATION, True),
    "Supabase": (SUPABASE, False),
}


@pytest.fixture(params=SCHEMAS)
def chatmcp(request: pytest.FixtureRequest, empty_postgresql_url: DatabaseUrl) -> DatabaseUrl:
    """A ChatMCP database in one of its schemas."""
    tables, folded = SCHEMAS[request.param]
    return make_postgresql(empty_postgresql_url, *tables, *chatmcp_database.rows(folded=folded))


def test_each_schema_gives_the_same_records(chatmcp: DatabaseUrl, import_from: ImportFrom) -> None:
    done = import_from(chatmcp)

    assert done.exit_code == 0
    assert done.report["files"][0]["format"] == "chatmcp"
    assert done.rows == {
        "conversations": {"read": 2, "imported": 2, "merged": 0, "skipped": 0},
        "messages": {"read": 3, "imported": 3, "merged": 0, "skipped": 0},
    }
    record = done.record("Weather")
    assert (str(record.id), record.user_id) == (TALK % 1, "auth0|ann")
    assert record.updated_at.isoformat() == "2025-06-01T10:00:30+00:00"
    assert [(str(each.id), each.role) for each in record.messages] == [
        (MESSAGE % 1, "system"),
        (MESSAGE % 2, "user"),
        (MESSAGE % 3, "assistant"),
    ]
    answer = record.messages[-1]
    assert answer.reasoning == {"effort": "medium", "summary": "looked it up"}
    assert answer.tool_calls[0]["arguments"] == {"city": "Paris"}
    assert answer.tool_outputs[0]["functionCallId"] == "c1"
    assert done.record("Empty").messages == []


def test_users_stay_apart(chatmcp: DatabaseUrl, import_from: ImportFrom) -> None:
    records = import_from(chatmcp).records()

    assert {each.title: each.user_id for each in records} == {
        "Weather": "auth0|ann",
        "Empty": "auth0|bob",
    }


def test_the_compose_files_schema_has_vectors_that_are_kept(
    postgres_with_vector: DatabaseUrl, import_from: ImportFrom
) -> None:
    make_postgresql(postgres_with_vector, *COMPOSE, *chatmcp_database.rows(folded=False))
    make_postgresql(
        postgres_with_vector,
        f"UPDATE messages SET embedding = '[1,2.5,-3]' WHERE id = '{MESSAGE % 2}'",
    )

    done = import_from(postgres_with_vector)

    assert done.exit_code == 0
    record = done.record("Weather")
    assert record.messages[1].metadata == {}
    assert record.embeddings == [
        Embedding(message_id=UUID(MESSAGE % 2), model="unknown", vector=[1, 2.5, -3])
    ]


def test_an_embedding_that_is_no_vector_stays_in_the_metadata(
    empty_postgresql_url: DatabaseUrl, import_from: ImportFrom
) -> None:
    values = {1: "[]", 2: "[0.1, 1]", 3: "none yet"}
    make_postgresql(
        empty_postgresql_url,
        *(*SUPABASE, *chatmcp_database.rows(folded=False)),
        "ALTER TABLE messages ADD embedding_model text DEFAULT 'small-3'",
        *(
            f"UPDATE messages SET embedding = '{text}' WHERE id = '{MESSAGE % number}'"
            for number, text in values.items()
        ),
    )

    done = import_from(empty_postgresql_url)

    record = done.record("Weather")
    assert [(each.model, each.vector) for each in record.embeddings] == [
        ("small-3", [0.10000000149011612, 1.0])
    ]
    kept = [each.metadata.get("embedding") for each in record.messages]
    assert kept == [None, None, "none yet"]
    (file,) = done.report["files"]
    assert file["lossy"]["messages.embedding that is no vector kept in metadata"] == 2
