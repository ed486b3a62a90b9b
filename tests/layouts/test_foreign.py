"""Other systems' databases: recognised by their tables, read in one state, never written."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.connect import connect_postgresql
from chatdb.db.database import Database
from chatdb.db.migrating.migrations import upgrade
from chatdb.db.url import DatabaseUrl
from chatdb.errors import DatabaseFailedError
from chatdb.layouts import foreign_postgresql
from chatdb.layouts.opening import open_foreign
from tests.layouts import relay_database
from tests.layouts.conftest import ImportFrom
from tests.layouts.foreign_databases import make_postgresql, make_sqlite
from tests.postgres_server import PostgresServer

Run = Callable[..., Any]

NUMBERS = ("CREATE TABLE numbers (id integer)", "INSERT INTO numbers VALUES (1), (2), (3)")


def numbers(url: DatabaseUrl) -> list[int]:
    with open_foreign(url) as foreign:
        return [row["id"] for row in foreign.rows("SELECT id FROM numbers ORDER BY id")]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("journal", ["wal", "delete"])
def test_a_sqlite_file_is_read_without_a_trace_beside_it(journal: str, tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    url = make_sqlite(folder / "their.db", f"PRAGMA journal_mode={journal}", *NUMBERS)
    before = (folder / "their.db").read_bytes()

    found = numbers(url)

    assert found == [1, 2, 3]
    assert names(folder) == ["their.db"]
    assert (folder / "their.db").read_bytes() == before


def test_what_a_running_application_has_not_moved_out_of_its_log_is_read(tmp_path: Path) -> None:
    url = make_sqlite(tmp_path / "their.db", "PRAGMA journal_mode=wal", *NUMBERS)
    with closing(sqlite3.connect(tmp_path / "their.db")) as application:
        application.execute("INSERT INTO numbers VALUES (4)")
        application.commit()

        found = numbers(url)

        assert found == [1, 2, 3, 4]


def test_what_a_killed_application_left_in_its_log_is_read(tmp_path: Path) -> None:
    make_sqlite(tmp_path / "their.db", "PRAGMA journal_mode=wal", *NUMBERS)
    folder = tmp_path / "killed"
    folder.mkdir()
    with closing(sqlite3.connect(tmp_path / "their.db")) as application:
        application.execute("INSERT INTO numbers VALUES (4)")
        application.commit()
        for name in ("their.db", "their.db-wal"):
            shutil.copy(tmp_path / name, folder / name)
    before = names(folder)

    found = numbers(DatabaseUrl(dialect_name="sqlite", path=folder / "their.db"))

    assert found == [1, 2, 3, 4]
    assert names(folder) == before


def test_a_file_that_changes_while_it_is_read_without_lock_is_noticed(tmp_path: Path) -> None:
    url = make_sqlite(tmp_path / "their.db", "PRAGMA journal_mode=wal", *NUMBERS)

    def read() -> None:
        with open_foreign(url), closing(sqlite3.connect(tmp_path / "their.db")) as application:
            application.execute("INSERT INTO numbers VALUES (4)")
            application.commit()

    with pytest.raises(DatabaseFailedError, match="changed while it was read"):
        read()


def test_postgresql_is_read_in_one_state(empty_postgresql_url: DatabaseUrl) -> None:
    make_postgresql(empty_postgresql_url, *NUMBERS)
    with open_foreign(empty_postgresql_url) as foreign:
        make_postgresql(empty_postgresql_url, "INSERT INTO numbers VALUES (4)")

        rows = [row["id"] for row in foreign.rows("SELECT id FROM numbers WHERE id < ?", (9,))]

    assert rows == [1, 2, 3]


def test_postgresql_cannot_be_written(empty_postgresql_url: DatabaseUrl) -> None:
    make_postgresql(empty_postgresql_url, "CREATE SEQUENCE counter")

    def write() -> None:
        with open_foreign(empty_postgresql_url) as foreign:
            list(foreign.rows("SELECT nextval('counter')"))

    with pytest.raises(DatabaseFailedError, match="read-only transaction"):
        write()


def test_every_type_comes_as_plain_values(empty_postgresql_url: DatabaseUrl) -> None:
    make_postgresql(
        empty_postgresql_url,
        "CREATE TYPE state AS ENUM ('OPEN')",
        "CREATE TABLE odd (a timestamptz, b timestamp(3), c jsonb, d uuid, e numeric, f state,"
        " g text[], h boolean, i bigint, j json)",
        "INSERT INTO odd VALUES ('infinity', '2026-01-01 00:00:00.5', '{\"b\": 1}',"
        " '11111111-1111-4111-8111-111111111111', 1.50, 'OPEN', '{x}', true, 7, '\"\\u0000\"')",
    )

    with open_foreign(empty_postgresql_url) as foreign:
        table = foreign.catalogues()["public"]["odd"]
        (row,) = foreign.rows(f"SELECT {foreign.columns(table)} FROM {foreign.place(table)}")

    assert row == {
        "a": "infinity",
        "b": "2026-01-01 00:00:00.5",
        "c": '{"b": 1}',
        "d": "11111111-1111-4111-8111-111111111111",
        "e": "1.50",
        "f": "OPEN",
        "g": '["x"]',
        "h": True,
        "i": 7,
        "j": '"\\u0000"',
    }


def test_tables_that_nobody_knows_are_refused_with_their_names(
    run: Run, empty_postgresql_url: DatabaseUrl
) -> None:
    make_postgresql(empty_postgresql_url, *NUMBERS)

    done = run("import", empty_postgresql_url.exposed())

    assert done.exit_code == 1
    assert "its tables are numbers" in done.stderr


def test_a_layout_in_two_schemas_must_be_named(
    import_from: ImportFrom, empty_postgresql_url: DatabaseUrl
) -> None:
    url = make_postgresql(
        empty_postgresql_url,
        *("CREATE SCHEMA old", "SET search_path = old", *relay_database.TABLES),
        *("SET search_path = public", *relay_database.TABLES, *relay_database.ROWS),
    )

    unsaid = import_from(url)
    said = import_from(url, "--source-schema", "public")

    assert unsaid.exit_code == 2
    assert "relay in the schema old, relay in the schema public" in unsaid.stderr
    assert said.exit_code == 0
    assert said.report["counts"]["new"] == 3


def test_from_names_the_layout_and_one_that_does_not_fit_is_refused(
    import_from: ImportFrom, empty_postgresql_url: DatabaseUrl
) -> None:
    make_postgresql(empty_postgresql_url, *NUMBERS)

    done = import_from(empty_postgresql_url, "--from", "relay")

    assert done.exit_code == 1
    assert "is not a relay database" in done.stderr


def test_a_file_format_is_refused_for_a_database(
    import_from: ImportFrom, empty_postgresql_url: DatabaseUrl
) -> None:
    done = import_from(empty_postgresql_url, "--from", "chatgpt")
    unknown = import_from(empty_postgresql_url, "--from", "nosuch")

    assert (done.exit_code, unknown.exit_code) == (2, 2)
    assert "is a file format" in done.stderr
    assert "unknown database layout 'nosuch'; known ones: chat-threads, chatmcp, " in unknown.stderr


def test_a_layout_is_refused_for_a_file(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "chats.json"
    path.write_text("[]")

    done = run("import", path, "--from", "relay")

    assert done.exit_code == 2
    assert "a database layout" in done.stderr


def test_a_database_of_chatdbs_own_is_refused_with_the_way_to_go(run: Run, tmp_path: Path) -> None:
    url = DatabaseUrl(dialect_name="sqlite", path=tmp_path / "other.db")
    with Database.open(url, create=True) as database:
        upgrade(database)

    done = run("import", tmp_path / "other.db")

    assert done.exit_code == 1
    assert "one of chatdb's own databases" in done.stderr
    assert "chatdb copy" in done.stderr


def test_an_unreachable_database_is_3_and_shows_no_password(run: Run) -> None:
    done = run("import", "postgresql://reader:s3cret@127.0.0.1:1/relay")

    assert done.exit_code == 3
    assert "s3cret" not in done.stderr


def test_a_database_that_is_not_there_is_not_to_be_made(
    run: Run, empty_postgresql_url: DatabaseUrl
) -> None:
    done = run("import", empty_postgresql_url.with_database("nosuch").exposed())

    assert done.exit_code == 5
    assert "has no database nosuch" in done.stderr
    assert "createdb" not in done.stderr
    assert "hint: check the host, the port and the database's name in the URL" in done.stderr


def test_chatdb_beside_an_application_reads_its_tables(
    run: Run, empty_postgresql_url: DatabaseUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = make_postgresql(
        empty_postgresql_url,
        *(*relay_database.TABLES, *relay_database.ROWS, "CREATE SCHEMA chatdb"),
    )
    monkeypatch.setenv("DATABASE_URL", url.exposed())
    monkeypatch.setenv("CHATDB_SCHEMA", "chatdb")
    run("migrate")

    done = run("import", url.exposed(), "--format", "json")

    assert done.exit_code == 0
    assert '"new": 3' in done.stdout


def test_policies_that_would_hide_rows_end_it(
    import_from: ImportFrom, postgres: PostgresServer, empty_postgresql_url: DatabaseUrl
) -> None:
    role = f"reader_{empty_postgresql_url.database}"
    make_postgresql(
        empty_postgresql_url,
        *(*relay_database.TABLES, *relay_database.ROWS),
        "ALTER TABLE messages ENABLE ROW LEVEL SECURITY",
        f"CREATE ROLE {role} LOGIN PASSWORD 'reader'",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}",
    )
    reader = DatabaseUrl(
        dialect_name="postgresql",
        user=role,
        password="reader",
        host="127.0.0.1",
        port=str(postgres.port),
        database=empty_postgresql_url.database,
    )

    try:
        done = import_from(reader)
    finally:
        make_postgresql(empty_postgresql_url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")

    assert done.exit_code == 1
    assert "row-level security would hide rows from this user" in done.stderr
    assert "--database-url" not in done.stderr


def test_a_lock_that_stays_ends_it_with_the_databases_name(
    import_from: ImportFrom, empty_postgresql_url: DatabaseUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_postgresql(empty_postgresql_url, *relay_database.TABLES, *relay_database.ROWS)
    soon = {**foreign_postgresql._SETTINGS, "lock_timeout": "100ms"}
    monkeypatch.setattr(foreign_postgresql, "_SETTINGS", soon)

    with connect_postgresql(empty_postgresql_url) as holder:
        holder.execute("LOCK TABLE chats IN ACCESS EXCLUSIVE MODE")
        done = import_from(empty_postgresql_url)

    assert done.exit_code == 1
    assert "a table of postgresql://" in done.stderr
    assert "is locked for too long" in done.stderr
    assert "--lock-timeout" not in done.stderr


def test_an_interrupt_in_the_middle_of_a_query_says_nothing_of_the_connection(
    empty_postgresql_url: DatabaseUrl, caplog: pytest.LogCaptureFixture
) -> None:
    def break_off() -> None:
        with open_foreign(empty_postgresql_url) as foreign:
            assert isinstance(foreign, foreign_postgresql.ForeignPostgresql)
            foreign._connection.pgconn.send_query(b"SELECT pg_sleep(2)")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()

    assert caplog.messages == []


def test_explain_counts_rows_without_a_database_of_ours(
    run: Run, empty_postgresql_url: DatabaseUrl
) -> None:
    url = make_postgresql(empty_postgresql_url, *relay_database.TABLES, *relay_database.ROWS)

    done = run("import", url.exposed(), "--explain", "--format", "json")

    assert done.exit_code == 0
    assert '"conversations": 3' in done.stdout
    assert '"chat_snapshots"' in done.stdout
    assert not Path("data").exists()


@pytest.mark.parametrize(
    "table",
    [
        (
            "CREATE TABLE chat_threads (id integer, user_id integer, title text, messages text,"
            " created_at timestamptz, updated_at timestamptz)"
        ),
        (
            "CREATE TABLE conversations (id text, title text, userid text, createdat text,"
            " updatedat text); CREATE TABLE messages (id text, conversationid text, role text,"
            " content text, reasoning jsonb, functioncalls jsonb, functionoutputs jsonb,"
            " createdat text)"
        ),
    ],
    ids=["chat-threads", "chatmcp"],
)
def test_the_right_names_with_other_types_are_not_recognised(
    run: Run, empty_postgresql_url: DatabaseUrl, table: str
) -> None:
    make_postgresql(empty_postgresql_url, table)

    done = run("import", empty_postgresql_url.exposed(), "--explain")

    assert done.exit_code == 1
    assert "is not a system chatdb recognises" in done.stderr
