"""The way back: what came from a system goes into such a database again, and nothing differs."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.connect import connect_postgresql
from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from chatdb.operations.exporting.exports import read_conversations
from chatdb.records import Conversation
from chatdb.store.selecting import ConversationFilter
from tests.layouts import (
    chatmcp_database,
    relay_database,
    test_chat_threads,
    test_helvino,
    test_multichat,
)
from tests.layouts.foreign_databases import make_postgresql, make_sqlite
from tests.postgres_server import PostgresServer

Run = Callable[..., Any]

SYSTEMS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "relay": (
        (*relay_database.TABLES, *relay_database.ROWS),
        ("default",),
    ),
    "chatmcp": (
        (*chatmcp_database.FIRST_MIGRATION, *chatmcp_database.rows(folded=True)),
        ("default",),
    ),
    "chat-threads": (
        (*test_chat_threads.TABLES, *test_chat_threads.THREADS),
        ("default",),
    ),
    "helvino": (
        (*test_helvino.FIRST, *test_helvino.ROWS, *test_helvino.LATER, *test_helvino.LATER_ROWS),
        ("demo", "acme"),
    ),
    "multichat": (
        (*(table.format(meta="JSONB") for table in test_multichat.TABLES), *test_multichat.ROWS),
        ("default",),
    ),
}


@pytest.fixture
def other_postgresql_url(postgres: PostgresServer) -> Iterator[DatabaseUrl]:
    """A second PostgreSQL database without any table."""
    with postgres.new_database() as url:
        yield url


@pytest.fixture
def chats(sqlite_url: DatabaseUrl, run: Run) -> DatabaseUrl:
    """A database of ours with conversations from elsewhere: ChatGPT's, with branches and tools."""
    example = Path(__file__).parents[2] / "docs" / "examples" / "chatgpt-export.json"
    done = run("import", example, "-d", sqlite_url.exposed())
    assert done.exit_code == 0
    return sqlite_url


def records(url: DatabaseUrl, organization: str) -> list[Conversation]:
    with Database.open(url) as database:
        return list(
            read_conversations(database, ConversationFilter(), organization_key=organization)
        )


@pytest.mark.parametrize("name", SYSTEMS)
def test_import_export_import_gives_no_difference(
    name: str,
    run: Run,
    sqlite_url: DatabaseUrl,
    empty_postgresql_url: DatabaseUrl,
    other_postgresql_url: DatabaseUrl,
    tmp_path: Path,
) -> None:
    statements, organizations = SYSTEMS[name]
    make_postgresql(empty_postgresql_url, *statements)
    second = f"sqlite:///{tmp_path / 'second.db'}"
    back = other_postgresql_url.exposed()
    if name == "helvino":  # of which there are as many as it has migrations
        make_postgresql(other_postgresql_url, *test_helvino.FIRST, *test_helvino.LATER)
    first = ("-d", sqlite_url.exposed())
    run("import", empty_postgresql_url.exposed(), "--source-name", "theirs", *first)

    for organization in organizations:
        out = run(
            *("export", "--to", name, "--output", back, "--org", organization, *first),
            "--include-hidden",
        )
        assert out.exit_code == 0, out.stderr
    again = run("import", back, "--source-name", "theirs", "-d", second)

    assert again.exit_code == 0, again.stderr
    for organization in organizations:
        before = records(sqlite_url, organization)
        assert before
        assert records(DatabaseUrl(dialect_name="sqlite", path=tmp_path / "second.db"),
                       organization) == before  # fmt: skip


@pytest.mark.parametrize("name", [name for name in SYSTEMS if name != "multichat"])
def test_a_file_of_sql_makes_the_tables_and_fills_them(
    name: str, run: Run, chats: DatabaseUrl, empty_postgresql_url: DatabaseUrl, tmp_path: Path
) -> None:
    path = tmp_path / "back.sql"

    done = run("export", "--to", name, "--output", path, "-d", chats.exposed())

    assert done.exit_code == 0, done.stderr
    with connect_postgresql(empty_postgresql_url, autocommit=True) as connection:
        connection.execute(path.read_bytes())
    found = run("import", empty_postgresql_url.exposed(), "--explain", "--format", "json")
    (told,) = json.loads(found.stdout)
    assert told["format"] == name
    assert told["conversations"] == len(records(chats, "default"))
    assert told["messages"] > 0


def test_sqlite_takes_multichats_file_and_database_alike(
    run: Run, chats: DatabaseUrl, tmp_path: Path
) -> None:
    ours = ("-d", chats.exposed())
    run("export", "--to", "multichat", "--output", tmp_path / "back.sql", *ours)
    done = run("export", "--to", "multichat", "--output", tmp_path / "live.db", *ours)

    assert done.exit_code == 0, done.stderr
    with closing(sqlite3.connect(tmp_path / "file.db")) as connection:
        connection.executescript((tmp_path / "back.sql").read_text())
        file = [*connection.iterdump()]
    with closing(sqlite3.connect(tmp_path / "live.db")) as connection:
        live = [*connection.iterdump()]
    strip = [line.replace("IF NOT EXISTS ", "") for line in file]
    assert sorted(strip) == sorted(live)


def test_what_does_not_fit_is_told_with_counts(
    run: Run, chats: DatabaseUrl, tmp_path: Path
) -> None:
    done = run(
        *("export", "--to", "chatmcp", "--output", tmp_path / "back.sql", "-d", chats.exposed())
    )

    assert "messages on other branches left out (" in done.stderr
    assert "conversations of nobody: written as those of anonymous (" in done.stderr
    assert "messages of tools folded into the answer before (" in done.stderr


def test_rows_that_are_there_stay_unless_forced(
    run: Run, chats: DatabaseUrl, tmp_path: Path
) -> None:
    target = tmp_path / "live.db"
    words = ("export", "--to", "multichat", "--output", target, "-d", chats.exposed())
    run(*words)
    with closing(sqlite3.connect(target)) as connection:
        connection.execute("UPDATE conversations SET title = 'theirs'")
        connection.commit()

    kept = run(*words)
    with closing(sqlite3.connect(target)) as connection:
        titles = {row[0] for row in connection.execute("SELECT title FROM conversations")}
    forced = run(*words, "--force")
    with closing(sqlite3.connect(target)) as connection:
        after = {row[0] for row in connection.execute("SELECT title FROM conversations")}

    assert (kept.exit_code, forced.exit_code) == (0, 0)
    assert "left unchanged" in kept.stderr
    assert titles == {"theirs"}
    assert "theirs" not in after


def test_another_systems_tables_are_refused_and_left_alone(
    run: Run, chats: DatabaseUrl, tmp_path: Path
) -> None:
    url = make_sqlite(tmp_path / "other.db", "CREATE TABLE conversations (id integer)")

    done = run("export", "--to", "multichat", "--output", url.exposed(), "-d", chats.exposed())

    assert done.exit_code == 6
    assert "nothing was written" in done.stderr


def test_chatdbs_own_database_is_refused(run: Run, chats: DatabaseUrl) -> None:
    own = chats.exposed()

    done = run("export", "--to", "multichat", "--output", own, "-d", own)

    assert done.exit_code == 2


def test_chatmcps_vectors_go_back_where_the_column_takes_them(
    run: Run, sqlite_url: DatabaseUrl, postgres_with_vector: DatabaseUrl, tmp_path: Path
) -> None:
    vectors = {1: "[1,2.5,-3]", 2: "[0.1,0,1]", 3: "[1,2]"}
    make_postgresql(
        postgres_with_vector,
        *(*chatmcp_database.COMPOSE, *chatmcp_database.rows(folded=False)),
        "ALTER TABLE messages ALTER embedding TYPE vector",
        *(
            f"UPDATE messages SET embedding = '{text}'"
            f" WHERE id = '{chatmcp_database.MESSAGE % number}'"
            for number, text in vectors.items()
        ),
    )
    theirs, ours = postgres_with_vector.exposed(), ("-d", sqlite_url.exposed())
    run("import", theirs, *ours)
    make_postgresql(
        postgres_with_vector,
        "DELETE FROM conversations",
        "ALTER TABLE messages ALTER embedding TYPE vector(3)",
    )

    done = run("export", "--to", "chatmcp", "--output", theirs, *ours)

    assert done.exit_code == 0, done.stderr
    assert "embeddings left out (1)" in done.stderr
    with connect_postgresql(postgres_with_vector) as connection:
        found = connection.execute("SELECT embedding::text FROM messages ORDER BY id").fetchall()
    assert found == [("[1,2.5,-3]",), ("[0.1,0,1]",), (None,)]
    elsewhere = run("export", "--to", "multichat", "--output", tmp_path / "other.db", *ours)
    assert "embeddings left out (3)" in elsewhere.stderr


def test_a_failure_in_the_middle_leaves_nothing(
    run: Run, chats: DatabaseUrl, empty_postgresql_url: DatabaseUrl
) -> None:
    make_postgresql(
        empty_postgresql_url,
        *relay_database.TABLES,
        "ALTER TABLE messages ADD CHECK (type <> 'openai')",
    )

    done = run(
        *("export", "--to", "relay", "--output", empty_postgresql_url.exposed()),
        *("-d", chats.exposed()),
    )

    assert done.exit_code == 1
    with connect_postgresql(empty_postgresql_url) as connection:
        row = connection.execute("SELECT count(*) FROM chats").fetchone()
    assert row == (0,)


def test_stdout_is_no_place_for_a_database(run: Run, chats: DatabaseUrl) -> None:
    done = run("export", "--to", "relay", "-d", chats.exposed())

    assert done.exit_code == 2
    assert "relay.sql" in done.stderr


def test_metadata_of_any_type_ends_no_export(
    run: Run, sqlite_url: DatabaseUrl, tmp_path: Path
) -> None:
    metadata = (
        *("messages=5", "active_issue_number=abc", "quiet_mode=perhaps"),
        *('status={"a": 1}', "closedAt=never", 'notes=[1, {"id": 2}]', "visitor=x"),
    )
    words = [word for pair in metadata for word in ("--meta", pair)]
    run(
        "conversations", "create", "--title", "A", "--user", "7", *words, "-d", sqlite_url.exposed()
    )

    for name in SYSTEMS:
        path = tmp_path / f"{name}.sql"
        done = run("export", "--to", name, "--output", path, "-d", sqlite_url.exposed())

        assert done.exit_code == 0, done.stderr
        assert "metadata of conversations left out (1)" in done.stderr


def test_roles_of_other_systems_are_written_as_ours(
    run: Run, sqlite_url: DatabaseUrl, tmp_path: Path
) -> None:
    talk = [{"role": "ai", "content": "hello"}]
    source = tmp_path / "talk.json"
    source.write_text(json.dumps({"id": "1", "title": "T", "messages": talk}))
    ours = ("-d", sqlite_url.exposed())
    run("import", source, *ours)

    run("export", "--to", "multichat", "--output", tmp_path / "back.db", *ours)

    with closing(sqlite3.connect(tmp_path / "back.db")) as connection:
        assert connection.execute("SELECT role FROM messages").fetchall() == [("assistant",)]


def test_only_multichat_is_written_as_a_sqlite_file(
    run: Run, chats: DatabaseUrl, tmp_path: Path
) -> None:
    target = tmp_path / "back.db"

    done = run("export", "--to", "chatmcp", "--output", target, "-d", chats.exposed())

    assert done.exit_code == 2
    assert "--output chatmcp.sql" in done.stderr
    assert not target.exists()


def test_a_conversation_that_is_there_keeps_its_time(
    run: Run, sqlite_url: DatabaseUrl, empty_postgresql_url: DatabaseUrl
) -> None:
    make_postgresql(
        empty_postgresql_url, *chatmcp_database.FIRST_MIGRATION, *chatmcp_database.rows(folded=True)
    )
    ours = ("-d", sqlite_url.exposed())
    theirs = empty_postgresql_url.exposed()
    run("import", theirs, *ours)
    make_postgresql(
        empty_postgresql_url,
        f"DELETE FROM messages WHERE id = '{chatmcp_database.MESSAGE % 1}'",
        "UPDATE conversations SET updatedat = '2026-01-01 00:00:00+00'",
    )

    run("export", "--to", "chatmcp", "--output", theirs, *ours)
    with connect_postgresql(empty_postgresql_url) as connection:
        kept = connection.execute("SELECT DISTINCT updatedat::date::text FROM conversations")
        assert kept.fetchall() == [("2026-01-01",)]
        row = connection.execute("SELECT count(*) FROM messages").fetchone()
    run("export", "--to", "chatmcp", "--output", theirs, "--force", *ours)

    assert row == (3,)
    with connect_postgresql(empty_postgresql_url) as connection:
        after = connection.execute("SELECT DISTINCT updatedat::date::text FROM conversations")
        assert after.fetchall() == [("2025-06-01",)]


def test_triggers_change_no_time_and_stay_as_they_were(
    run: Run,
    sqlite_url: DatabaseUrl,
    empty_postgresql_url: DatabaseUrl,
    other_postgresql_url: DatabaseUrl,
) -> None:
    times = "SELECT id, updated_at, last_accessed_at FROM chats ORDER BY id"
    make_postgresql(empty_postgresql_url, *relay_database.TABLES, *relay_database.ROWS)
    make_postgresql(other_postgresql_url, *relay_database.TABLES, *relay_database.TRIGGERS)
    ours = ("-d", sqlite_url.exposed())
    run("import", empty_postgresql_url.exposed(), *ours)

    done = run("export", "--to", "relay", "--output", other_postgresql_url.exposed(), *ours)

    assert done.exit_code == 0, done.stderr
    with (
        connect_postgresql(empty_postgresql_url) as theirs,
        connect_postgresql(other_postgresql_url) as back,
    ):
        assert back.execute(times).fetchall() == theirs.execute(times).fetchall()
        states = back.execute("SELECT tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal")
        assert sorted(states.fetchall()) == [("accessed", "A"), ("touched", "O")]


def test_a_database_that_chatdb_shares_is_written_to(
    run: Run, empty_postgresql_url: DatabaseUrl
) -> None:
    make_postgresql(empty_postgresql_url, *relay_database.TABLES, *relay_database.ROWS)
    url = empty_postgresql_url.exposed()
    ours = ("-d", url, "--schema", "chatdb")
    run("migrate", *ours)
    run("import", url, *ours)
    make_postgresql(empty_postgresql_url, "DELETE FROM chats")

    done = run("export", "--to", "relay", "--output", url, *ours)
    elsewhere = run("export", "--to", "helvino", "--output", url, *ours)
    nowhere = run("import", url, "--source-schema", "nope", *ours)

    assert done.exit_code == 0, done.stderr
    with connect_postgresql(empty_postgresql_url) as connection:
        counts = connection.execute(
            "SELECT (SELECT count(*) FROM public.chats), (SELECT count(*) FROM public.messages)"
        )
        assert counts.fetchone() == (3, 9)
    assert elsewhere.exit_code == 6
    assert (
        "has no schema nope with another system's tables; existing ones: public" in nowhere.stderr
    )
