"""PostgreSQL sources that are not as their systems make them: every row is still accounted for."""

from collections.abc import Iterator

import pytest

from chatdb.db.connect import connect_postgresql
from chatdb.db.url import DatabaseUrl
from tests.layouts import relay_database, test_helvino
from tests.layouts.conftest import ImportFrom
from tests.layouts.foreign_databases import make_postgresql
from tests.postgres_server import PostgresServer


@pytest.fixture
def ascii_url(postgres: PostgresServer, empty_postgresql_url: DatabaseUrl) -> Iterator[DatabaseUrl]:
    """An empty database that takes bytes of any encoding as text."""
    name = f"{empty_postgresql_url.database}_ascii"
    postgres.execute(f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
    try:
        yield postgres.url(name)
    finally:
        postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def reader(postgres: PostgresServer, empty_postgresql_url: DatabaseUrl) -> Iterator[DatabaseUrl]:
    """A user who may read nothing yet of Relay's database."""
    role = f"reader_{empty_postgresql_url.database}"
    make_postgresql(
        empty_postgresql_url,
        *(*relay_database.TABLES, *relay_database.ROWS),
        f"CREATE ROLE {role} LOGIN PASSWORD 'reader'",
    )
    yield DatabaseUrl(
        dialect_name="postgresql",
        user=role,
        password="reader",
        host="127.0.0.1",
        port=str(postgres.port),
        database=empty_postgresql_url.database,
    )
    make_postgresql(empty_postgresql_url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_a_table_that_may_not_be_read_ends_it_and_a_column_is_told(
    import_from: ImportFrom, reader: DatabaseUrl, empty_postgresql_url: DatabaseUrl
) -> None:
    make_postgresql(
        empty_postgresql_url,
        f"GRANT SELECT ON chats TO {reader.user}",
        f"GRANT SELECT (id, chat_id, type, content, created_at) ON messages TO {reader.user}",
    )

    refused = import_from(reader)
    make_postgresql(empty_postgresql_url, f"GRANT SELECT ON chat_snapshots TO {reader.user}")
    done = import_from(reader)

    assert refused.exit_code == 1
    assert "may not read chat_snapshots; nothing was read" in refused.stderr
    assert 'GRANT SELECT ON "public"."chat_snapshots" TO' in refused.stderr
    assert done.exit_code == 0, done.stderr
    told = done.report["files"][0]
    assert told["lossy"]["messages.metadata cannot be read: left out"] == 1
    assert told["messages"] == 14


def test_text_of_no_encoding_is_read_and_kept(
    import_from: ImportFrom, ascii_url: DatabaseUrl
) -> None:
    make_postgresql(ascii_url, *relay_database.TABLES, *relay_database.ROWS)
    with connect_postgresql(ascii_url, autocommit=True) as connection:
        connection.execute("SET client_encoding = 'SQL_ASCII'")
        connection.execute(b"UPDATE chats SET title = title || ' caf\xe9'")

    done = import_from(ascii_url)

    assert done.exit_code == 0, done.stderr
    titles = [each.title or "" for each in done.records()]
    assert titles
    assert all(title.endswith(" caf\ufffd") for title in titles)


def test_rows_without_a_key_are_named(
    import_from: ImportFrom, empty_postgresql_url: DatabaseUrl
) -> None:
    make_postgresql(
        empty_postgresql_url,
        "CREATE TABLE conversations (id uuid, title text, userid text, createdat timestamptz,"
        " updatedat timestamptz)",
        "CREATE TABLE messages (id uuid, conversationid uuid, role text, content text,"
        " reasoning jsonb, functioncalls jsonb, functionoutputs jsonb, createdat timestamptz)"
        " PARTITION BY LIST (role)",
        "CREATE TABLE messages_all PARTITION OF messages DEFAULT",
        "INSERT INTO conversations VALUES (NULL, 'Lost', 'ann', now(), 'infinity')",
        "INSERT INTO messages VALUES (gen_random_uuid(), NULL, 'user', 'hi')",
    )

    done = import_from(empty_postgresql_url)

    assert done.exit_code == 7
    assert done.rows == {
        "conversations": {"read": 1, "imported": 0, "merged": 0, "skipped": 1},
        "messages": {"read": 1, "imported": 0, "merged": 0, "skipped": 1},
    }
    reasons = [each["reason"] for each in done.skipped]
    assert reasons == ["its id is NULL ('Lost')", "no conversation"]


def test_notes_and_strays_are_counted_and_only_the_wanted_tenants(
    import_from: ImportFrom, empty_postgresql_url: DatabaseUrl
) -> None:
    make_postgresql(
        empty_postgresql_url,
        *(*test_helvino.FIRST, *test_helvino.ROWS, *test_helvino.LATER),
        """INSERT INTO conversation_notes VALUES ('n1', 'cl2', '1770304200000-a1', 'x', now()),
        ('n2', 'cl2', 'gone', 'y', now()), ('n3', NULL, '1770304200000-a1', 'z', now())""",
    )

    everything = import_from(empty_postgresql_url)
    idle = import_from(empty_postgresql_url, "--org", "idle")

    assert everything.rows["conversation_notes"]["skipped"] == 3
    assert {each["source_id"] for each in everything.skipped} == {"m3", "n1", "n2", "n3"}
    assert idle.exit_code == 0
    assert idle.skipped == []
