"""Embeddings of messages: the same numbers in every kind of database, wherever they travel."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from chatdb.db import schema
from chatdb.db.connect import connect_postgresql
from chatdb.db.database import Database
from chatdb.db.migrating.migrations import downgrade, upgrade
from chatdb.db.url import DatabaseUrl
from chatdb.errors import DatabaseFailedError
from chatdb.formats.native import conversation_line
from chatdb.operations.conversations import branches
from chatdb.operations.conversations.delete_messages import delete_messages
from chatdb.operations.copying.copy_database import copy_database
from chatdb.operations.schema.check import check, dump
from chatdb.primitives import canonical
from chatdb.records import WHOLE_CONVERSATION, Conversation, Embedding
from chatdb.store.embeddings import MOST_HELD
from chatdb.store.following import has_rows
from chatdb.store.lines import native_lines
from chatdb.store.selecting import ConversationFilter
from tests.operations.app_roles import deployed
from tests.operations.copying import Watch
from tests.operations.importing import (
    ORGANIZATION,
    conversation,
    identifier,
    load,
    message,
    stored,
    the_one,
)
from tests.operations.tenants import ACME
from tests.postgres_server import PostgresServer

OWN: dict[str, Any] = {"organization_key": "default"}
NUMBERS = (0.1, -0.0, 1, 1e-40, 3.4e38, -1e22, 1e16, 123456.789, 2.5)
"""Small and large ones, one that four bytes hold otherwise, one that JSONB writes otherwise."""
TALK = [message("a"), message("b", "a"), message("c", "b")]
ALTER = "ALTER TABLE message_embeddings ALTER COLUMN vector TYPE {0} USING vector::text::{0}"
TYPE = """SELECT format_type(atttypid, atttypmod) FROM pg_attribute
WHERE attrelid = 'message_embeddings'::regclass AND attname = 'vector'"""

MakeDatabase = Callable[[str], Database]


def embedding(name: str, *numbers: float, model: str = "m") -> Embedding:
    return Embedding(message_id=identifier(name), model=model, vector=canonical.vector(numbers))


def talk(*embeddings: Embedding, minutes: float = 0) -> Conversation:
    return conversation(messages=TALK, minutes=minutes, embeddings=list(embeddings))


def lines(database: Database) -> bytes:
    return b"".join(native_lines(database, ConversationFilter(), **OWN))


def vectors(record: Conversation) -> dict[tuple[UUID, str], list[float]]:
    return {(each.message_id, each.model): each.vector for each in record.embeddings}


@pytest.fixture
def make(request: pytest.FixtureRequest) -> Iterator[MakeDatabase]:
    """Open the empty database of a kind: sqlite, postgresql, or pgvector."""
    with ExitStack() as stack:
        yield lambda kind: stack.enter_context(
            Database.open(request.getfixturevalue(f"{kind}_url"))
        )


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.postgresql),
        pytest.param("pgvector", marks=pytest.mark.postgresql),
    ]
)
def database(request: pytest.FixtureRequest, make: MakeDatabase) -> Database:
    """An empty database of each kind."""
    return make(request.param)


@pytest.mark.postgresql
def test_numbers_go_through_every_kind_and_stay_the_same_bytes(make: MakeDatabase) -> None:
    kinds = [make(kind) for kind in ("sqlite", "pgvector", "postgresql")]
    first, *others = kinds
    load(
        first,
        [
            talk(embedding("a", *NUMBERS), embedding("b", 1.5, model="Z"), embedding("b", 1)),
            conversation("plain", [message("p")]),
        ],
    )
    before = lines(first)

    for source, target in zip(kinds, others, strict=False):
        report = copy_database(source, target, Watch())
        assert (report.outcome, report.embeddings) == ("done", 3)

    assert [lines(each) for each in others] == [before, before]
    assert b"0.10000000149011612,0.0,1.0," in before
    found = [{each.id: vectors(each) for each in stored(database)} for database in kinds]
    assert found[0] == found[1] == found[2]
    assert found[0][identifier("talk")][identifier("a"), "m"] == canonical.vector(NUMBERS)
    with others[0].transaction() as connection:
        assert connection.exec_driver_sql(TYPE).scalar_one() == "vector"
        nearest = (
            "SELECT model FROM message_embeddings WHERE model <> 'm' ORDER BY vector <-> '[1]'"
        )
        assert connection.exec_driver_sql(nearest).scalars().all() == ["Z"]


def test_an_import_adds_and_replaces_and_takes_nothing_away(database: Database) -> None:
    load(database, [talk(embedding("a", 1), embedding("b", 2))])
    again = load(database, [talk(embedding("b", 2))])
    newer = load(database, [talk(embedding("b", 3), embedding("c", 4), minutes=1)])
    older = load(database, [talk(embedding("b", 9), embedding("c", 9, 9, model="other"))])

    assert (again.unchanged, newer.updated, older.updated) == (1, 1, 1)
    assert vectors(the_one(database)) == {
        (identifier("a"), "m"): [1.0],
        (identifier("b"), "m"): [3.0],
        (identifier("c"), "m"): [4.0],
        (identifier("c"), "other"): [9.0, 9.0],
    }
    keys = [(each.message_id, each.model) for each in the_one(database).embeddings]
    assert keys == sorted(keys)


def test_a_message_takes_its_embeddings_with_it_and_no_import_brings_them_back(
    database: Database,
) -> None:
    load(database, [talk(embedding("a", 1), embedding("b", 2))])

    delete_messages(database, identifier("talk"), [identifier("b")], **OWN, keep_to=None)
    load(database, [talk(embedding("a", 1), embedding("b", 2), minutes=1)])
    without = conversation(messages=TALK[:1], minutes=2, embeddings=[embedding("b", 2)])
    load(database, [without])

    assert list(vectors(the_one(database))) == [(identifier("a"), "m")]
    load(database, [talk(embedding("b", 2), minutes=3)], restore_deleted=True)
    assert len(vectors(the_one(database))) == 2


def test_forks_copy_splits_and_merges_move(database: Database) -> None:
    load(database, [talk(embedding("a", 1), embedding("b", 2, 2), embedding("c", 3))])

    forked = branches.fork(database, str(identifier("talk")), str(identifier("b")), **OWN)
    moved = branches.split(database, str(identifier("talk")), str(identifier("c")), **OWN)

    found = {record.id: record for record in stored(database)}
    copy = found[forked.id]
    assert [each.vector for each in copy.embeddings] == [[1.0], [2.0, 2.0]]
    assert {each.message_id for each in copy.embeddings} == {each.id for each in copy.messages}
    assert vectors(found[moved.id]) == {(identifier("c"), "m"): [3.0]}
    assert len(found[identifier("talk")].embeddings) == 2

    add_orphan(database, embedding("c", 9))
    branches.merge(database, identifier("talk"), moved.id, **OWN, keep_to=None)

    found = {record.id: record for record in stored(database)}
    expected = talk(embedding("a", 1), embedding("b", 2, 2), embedding("c", 3))
    assert vectors(found[identifier("talk")]) == vectors(expected)


def test_merged_messages_that_get_other_ids_keep_their_embeddings(database: Database) -> None:
    """One message id in two conversations, as ChatGPT's exports have it."""
    other = conversation("other", TALK[:1], embeddings=[embedding("a", 7)])
    load(database, [talk(embedding("a", 1)), other])

    branches.merge(database, identifier("talk"), other.id, **OWN, keep_to=None)

    record = the_one(database)
    (moved,) = {each.id for each in record.messages} - {each.id for each in TALK}
    assert vectors(record) == {(identifier("a"), "m"): [1.0], (moved, "m"): [7.0]}


def test_a_merge_keeps_the_embedding_of_the_whole_conversation(database: Database) -> None:
    own = Embedding(message_id=WHOLE_CONVERSATION, model="m", vector=[1.0])
    theirs = Embedding(message_id=WHOLE_CONVERSATION, model="m", vector=[2.0])
    other = conversation("other", [message("d")], embeddings=[theirs, embedding("d", 3)])
    load(database, [talk(own, embedding("a", 4)), other])

    branches.merge(database, identifier("talk"), other.id, **OWN, keep_to=None)

    assert vectors(the_one(database)) == {
        (WHOLE_CONVERSATION, "m"): [1.0],
        (identifier("a"), "m"): [4.0],
        (identifier("d"), "m"): [3.0],
    }


def add_orphan(database: Database, of: Embedding) -> None:
    """Write an embedding of a message that is not there, as when an application deleted it."""
    with database.transaction(write=True) as connection:
        connection.execute(
            sa.insert(schema.message_embeddings).values(
                organization_id=ORGANIZATION,
                conversation_id=identifier("talk"),
                message_id=of.message_id,
                model=of.model,
                vector=of.vector,
            )
        )


def test_more_than_fit_into_memory_come_out_in_order(database: Database) -> None:
    """Conversations with many, few and none of them, side by side."""
    many = [message(f"n{number}") for number in range(MOST_HELD + 5)]
    sizes = (3, 0, MOST_HELD + 5, 1, MOST_HELD - 1, 2, 0)
    records = [
        conversation(
            f"talk {place}",
            many[:size],
            embeddings=[embedding(f"n{number}", number, place) for number in range(size)],
        )
        for place, size in enumerate(sizes)
    ]
    load(database, records)

    read = lines(database).splitlines()

    assert read == [conversation_line(each)[:-1] for each in stored(database)]
    assert sorted(line.count(b'"vector"') for line in read) == sorted(sizes)


def test_a_row_that_is_no_vector_is_named(sqlite_url: DatabaseUrl) -> None:
    with Database.open(sqlite_url) as database:
        load(database, [talk(embedding("b", 1))])
        with sqlite3.connect(sqlite_url.sqlite_path) as file:
            file.execute("UPDATE message_embeddings SET vector = '[\"x\"]'")
        file.close()

        with pytest.raises(DatabaseFailedError, match=f"embedding of message {identifier('b')}"):
            lines(database)


@pytest.mark.postgresql
def test_the_column_may_be_altered_to_pgvectors_type_and_back(
    postgres: PostgresServer, postgresql_url: DatabaseUrl
) -> None:
    postgres.require_pgvector()
    with Database.open(postgresql_url) as database:
        load(database, [talk(embedding("a", *NUMBERS))])
        with connect_postgresql(postgresql_url, autocommit=True) as connection:
            for statement in ("CREATE SCHEMA more", "CREATE EXTENSION vector SCHEMA more"):
                connection.execute(statement)
            for type_name in ("more.vector", f"more.vector({len(NUMBERS)})", "jsonb"):
                connection.execute(ALTER.format(type_name).encode())
                load(database, [talk(embedding("a", *reversed(NUMBERS)), minutes=1)])
                assert vectors(the_one(database)) == vectors(
                    talk(embedding("a", *reversed(NUMBERS)))
                )
                load(database, [talk(embedding("a", *NUMBERS), minutes=1)])
                assert vectors(the_one(database)) == vectors(talk(embedding("a", *NUMBERS)))
                assert check(database).differences == ()
                assert ("SCHEMA more" in dump(database)) is (type_name != "jsonb")


@pytest.mark.postgresql
def test_a_vector_of_a_length_that_the_column_refuses_is_skipped_and_named(
    make: MakeDatabase,
) -> None:
    database = make("pgvector")
    with database.transaction(write=True) as connection:
        connection.exec_driver_sql(ALTER.format("vector(2)"))
    placed: list[Any] = []

    counts = load(
        database,
        [talk(embedding("a", 1)), conversation("two", [message("x")])],
        placed=placed,
    )

    assert (counts.new, counts.skipped) == (1, 1)
    assert "expected 2 dimensions, not 1" in str(placed)


@pytest.mark.postgresql
def test_a_role_that_policies_bind_imports_and_exports_its_own(pgvector_url: DatabaseUrl) -> None:
    with deployed(pgvector_url) as made:
        with made.open(made.app) as database:
            for vector in ((1, 2), (3, 4)):
                record = talk(embedding("a", *vector), minutes=vector[0])
                load(database, [record], organization=ACME)
            own = native_lines(database, ConversationFilter(), organization_key=ACME)
            assert b'"vector":[3.0,4.0]' in b"".join(own)
        with made.open(made.app, user="ann") as database, database.transaction() as connection:
            assert not has_rows(connection, schema.message_embeddings, made.first.id)


@pytest.mark.postgresql
def test_the_revision_gives_rights_as_they_are_on_snapshots(
    postgres: PostgresServer, postgresql_url: DatabaseUrl
) -> None:
    role = f'"by hand {postgresql_url.database}"'
    with Database.open(postgresql_url) as database:
        downgrade(database, "0004")
        postgres.execute(
            f"CREATE ROLE {role}",
            f"GRANT SELECT, INSERT ON snapshots TO {role}",
            "GRANT SELECT ON snapshots TO PUBLIC",
            database=postgresql_url.database,
        )
        try:
            upgrade(database)
            with database.transaction() as connection:
                rights = "SELECT relacl::text FROM pg_class WHERE relname = '{}'"
                given = [
                    connection.exec_driver_sql(rights.format(table)).scalar_one()
                    for table in ("message_embeddings", "snapshots")
                ]
            assert given[0] == given[1]
            assert "by hand" in given[0]
        finally:
            postgres.execute(f"DROP OWNED BY {role}", database=postgresql_url.database)
            postgres.execute(f"DROP ROLE {role}")
