"""Dumps of other systems' databases: restored for a while, read as the databases they were of."""

import gzip
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
import zstandard

from chatdb.db.url import DatabaseUrl
from chatdb.errors import EngineUnavailableError
from tests.layouts import relay_database
from tests.layouts.conftest import ImportFrom
from tests.layouts.foreign_databases import make_postgresql
from tests.operations.restoring import execute, pg_dump
from tests.postgres_server import PostgresServer

ROWS = {
    "chats": {"read": 3, "imported": 3, "merged": 0, "skipped": 0},
    "messages": {"read": 9, "imported": 9, "merged": 0, "skipped": 0},
    "chat_snapshots": {"read": 3, "imported": 3, "merged": 0, "skipped": 0},
}
NOBODY = """
CREATE EXTENSION IF NOT EXISTS nowhere WITH SCHEMA public;
CREATE TABLE public.chats (id {type});
"""
MULTICHAT = """\
-- Dumped by pg_dump version 15.20
SET client_encoding = 'UTF8';
CREATE EXTENSION IF NOT EXISTS plpgsql WITH SCHEMA pg_catalog;
CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA public;
CREATE FUNCTION public.broken() RETURNS void LANGUAGE nosuch AS 'x';
CREATE TABLE public.conversations (
    id integer NOT NULL, title text, created_at text, updated_at text, message_count integer
);
CREATE TABLE public.messages (
    id integer NOT NULL, conversation_id integer, role text, content text, "timestamp" text,
    meta text, trace uuid DEFAULT public.uuid_generate_v4()
);
COPY public.conversations (id, title, created_at, updated_at, message_count) FROM stdin;
7\tFrom a dump\t2025-06-01T10:00:00\t2025-06-01T10:00:05\t1
\\.
COPY public.messages (id, conversation_id, role, content, "timestamp", meta, trace) FROM stdin;
1\t7\tuser\tHi\t2025-06-01T10:00:00\t{}\t44444444-4444-4444-8444-444444444401
\\.
CREATE INDEX by_conversation ON public.messages USING btree (conversation_id);
-- PostgreSQL database dump complete
"""


@pytest.fixture(scope="module")
def relay(postgres: PostgresServer) -> Iterator[DatabaseUrl]:
    """A Relay database with three chats, triggers and row-level security."""
    with postgres.new_database() as url:
        yield make_postgresql(
            url,
            *(*relay_database.TABLES, *relay_database.ROWS, *relay_database.TRIGGERS),
            "CREATE SCHEMA api",
            "CREATE VIEW api.chats AS SELECT * FROM public.chats",
            "ALTER TABLE chats FORCE ROW LEVEL SECURITY",
            "ALTER TABLE chats ENABLE ROW LEVEL SECURITY",
        )


@pytest.fixture(scope="module")
def archive(relay: DatabaseUrl, postgres: PostgresServer) -> bytes:
    """The Relay database in pg_dump's custom format."""
    return pg_dump(postgres, relay, "-Fc")


@pytest.fixture(scope="module")
def script(relay: DatabaseUrl, postgres: PostgresServer) -> bytes:
    """The Relay database as plain SQL."""
    return pg_dump(postgres, relay)


@pytest.fixture
def import_dump(import_from: ImportFrom, relay: DatabaseUrl) -> ImportFrom:
    """Import a dump by way of a database on the run's server."""

    def invoke(path: Path, *words: str) -> Any:
        return import_from(path, "--scratch-url", relay.exposed(), *words)

    return invoke


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, bytes | str], Path]:
    """Write a file into a folder of the test's own."""

    def write_one(name: str, data: bytes | str) -> Path:
        path = tmp_path / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    return write_one


def places_of(url: DatabaseUrl) -> list[tuple[str]]:
    """Return the scratch databases that were made by way of a URL."""
    start = f"chatdb_scratch_{crc32(url.database.encode()):08x}"
    query = f"SELECT datname FROM pg_database WHERE starts_with(datname, '{start}')"
    found: list[tuple[str]] = execute(url, query)
    return found


@pytest.mark.parametrize(
    ("name", "options", "pack"),
    [
        ("relay_dev_20231220_143022.sql", (), bytes),
        ("relay_dev.sql.gz", (), gzip.compress),
        ("relay_dev.json", ("--inserts", "--clean", "--if-exists", "--create"), bytes),
        ("relay_dev.dump", ("-Fc",), bytes),
        ("relay_dev.bin", ("-Fc", "-Z0"), zstandard.compress),
        ("relay_dev.tar", ("-Ft",), bytes),
    ],
)
def test_a_dump_gives_what_its_database_gives(
    import_dump: ImportFrom,
    import_from: ImportFrom,
    relay: DatabaseUrl,
    postgres: PostgresServer,
    write: Callable[..., Path],
    name: str,
    options: tuple[str, ...],
    pack: Callable[[bytes], bytes],
) -> None:
    path = write(name, pack(pg_dump(postgres, relay, *options)))

    done = import_dump(path)

    assert done.exit_code == 0, done.stderr
    assert done.rows == ROWS
    assert {each.source_name for each in done.records()} == {"relay_dev"}
    live = import_from(relay, "--source-schema", "public", "--dry-run")
    assert live.report["counts"]["unchanged"] == 3
    assert places_of(relay) == []


def test_a_folder_of_pg_dump_is_read(
    import_dump: ImportFrom, relay: DatabaseUrl, postgres: PostgresServer, tmp_path: Path
) -> None:
    folder = tmp_path / "relay_dev_20231220"
    pg_dump(postgres, relay, "-Fd", "-f", str(folder))

    done = import_dump(folder)

    assert done.rows == ROWS
    assert done.record("Voice").source_name == "relay_dev"


def test_a_folder_with_a_file_missing_is_told_as_such(
    import_dump: ImportFrom, relay: DatabaseUrl, postgres: PostgresServer, tmp_path: Path
) -> None:
    folder = tmp_path / "relay"
    pg_dump(postgres, relay, "-Fd", "-Z0", "-f", str(folder))
    max(
        folder.glob("*.dat"), key=lambda path: path.stat().st_size * path.name[0].isdigit()
    ).unlink()

    done = import_dump(folder)

    assert done.exit_code == 1
    assert "could not open input file" in done.stderr
    assert done.records() == []


def test_two_dumps_of_one_database_give_the_same_ids(
    import_dump: ImportFrom, write: Callable[..., Path]
) -> None:
    first = import_dump(write("multichat_20251101_000000.sql", MULTICHAT))
    second = import_dump(write("multichat_20251201_000000.sql", MULTICHAT))
    other = import_dump(
        write("elsewhere.sql", MULTICHAT), "--source-name", "multichat", "--dry-run"
    )

    assert first.exit_code == 0, first.stderr
    assert "left out of multichat_20251101_000000.sql: function public.broken" in first.stderr
    assert "plpgsql" not in first.stderr
    assert [each.report["counts"]["unchanged"] for each in (first, second, other)] == [0, 1, 1]


def test_what_export_writes_for_another_system_is_read_again(
    run: Callable[..., Any], import_dump: ImportFrom, write: Callable[..., Path], archive: bytes
) -> None:
    first = import_dump(write("relay.dump", archive))
    assert run("export", "--to", "relay", "--output", "back.sql").exit_code == 0

    again = import_dump(Path("back.sql"))

    assert (first.exit_code, again.exit_code) == (0, 0), again.stderr
    assert again.rows["messages"]["read"] == 9
    assert (again.report["counts"]["new"], again.report["counts"]["skipped"]) == (0, 0)


def test_explain_reads_a_dump_and_dry_run_writes_nothing(
    run: Callable[..., Any],
    import_dump: ImportFrom,
    postgres: PostgresServer,
    write: Callable[..., Path],
    archive: bytes,
) -> None:
    path = write("relay.dump", archive)

    told = run("import", path, "--explain", "--scratch-url", postgres.url("postgres").exposed())
    done = import_dump(path, "--dry-run")

    assert told.exit_code == 0
    assert "chat_snapshots" in told.stdout
    assert done.report["counts"]["new"] == 3
    assert done.records() == []


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("\\! touch pwned", "is a psql command"),
        ("COPY public.chats FROM PROGRAM 'touch pwned';", "runs a program on the server"),
        ("DO $$ BEGIN NULL; END $$;", "that pg_dump does not write"),
    ],
)
def test_a_script_that_could_do_harm_is_refused(
    import_dump: ImportFrom, write: Callable[..., Path], script: bytes, statement: str, why: str
) -> None:
    before, mark, after = script.partition(b"COPY public.messages")
    path = write("relay.sql", before + statement.encode() + b"\n" + mark + after)

    done = import_dump(path)

    assert done.exit_code == 6
    assert why in done.stderr
    assert not Path("pwned").exists()
    assert done.records() == []


def test_a_dump_that_is_cut_is_refused(
    import_dump: ImportFrom, write: Callable[..., Path], script: bytes, archive: bytes
) -> None:
    cut = [
        import_dump(write("relay.sql", script[: len(script) // 2])),
        import_dump(write("relay.sql.gz", gzip.compress(script)[:-9])),
        import_dump(write("relay.dump", archive[: len(archive) // 3])),
    ]

    assert [each.exit_code for each in cut] == [1, 1, 1]
    assert "is truncated: pg_dump's end marker is missing" in cut[0].stderr
    assert "is damaged" in cut[1].stderr
    assert cut[0].records() == []


def test_an_extension_that_no_column_needs_is_left_out(
    import_dump: ImportFrom, write: Callable[..., Path]
) -> None:
    done = import_dump(write("x.sql", NOBODY.format(type="integer")))

    assert "note: left out of x.sql: extension nowhere; no column has a type of it" in done.stderr
    assert "x.sql is not a system chatdb recognises: its tables are chats" in done.stderr


def test_an_extension_whose_type_a_column_has_is_an_error_that_names_it(
    import_dump: ImportFrom, write: Callable[..., Path], relay: DatabaseUrl
) -> None:
    done = import_dump(write("x.sql", NOBODY.format(type="public.thing")))

    assert done.exit_code == 6
    assert (
        "its tables need thing of the extension nowhere, which cannot be created on" in done.stderr
    )
    assert places_of(relay) == []


def test_one_of_several_dumps_that_is_cut_is_skipped_and_named(
    import_dump: ImportFrom,
    write: Callable[..., Path],
    script: bytes,
    archive: bytes,
) -> None:
    cut = write("cut.sql", script[:-200])

    done = import_dump(write("relay.dump", archive), str(cut))

    assert done.exit_code == 7
    assert f"skipped {cut}: it is truncated" in done.stderr
    assert done.report["counts"]["new"] == 3


def test_a_dump_of_chatdb_is_for_restore(import_dump: ImportFrom) -> None:
    path = Path(__file__).parents[1] / "dumps/relay_15_20251125_100000.dump"

    done = import_dump(path)

    assert done.exit_code == 1
    assert f"{path} is a dump of chatdb's own database\nhint: to restore it: chatdb" in done.stderr


def test_without_any_server_it_is_said_clearly_and_the_configured_one_is_not_used(
    run: Callable[..., Any],
    postgresql_url: DatabaseUrl,
    write: Callable[..., Path],
    archive: bytes,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("CHATDB_PG_BINDIR", str(tmp_path))

    done = run("import", write("relay.dump", archive), "-d", postgresql_url.exposed())

    assert done.exit_code == EngineUnavailableError.exit_code == 1
    assert "relay.dump is a dump, and unpacking it needs a PostgreSQL server" in done.stderr
    assert "chatdb dev-db up" in done.stderr
    assert "--scratch-url postgresql://..." in done.stderr


def test_a_user_of_the_named_server_needs_one_right_only(
    import_from: ImportFrom,
    write: Callable[..., Path],
    archive: bytes,
    relay: DatabaseUrl,
    postgres: PostgresServer,
) -> None:
    path, role = write("relay.dump", archive), f"limited_{relay.database}"
    url = replace(relay, user=role, password="p").exposed()
    postgres.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'p'")
    try:
        refused = import_from(path, "--scratch-url", url)
        postgres.execute(f"ALTER ROLE {role} CREATEDB")
        done = import_from(path, "--scratch-url", url)
    finally:
        postgres.execute(f"DROP ROLE {role}")

    assert refused.exit_code == 6
    assert "hint: give the server's direct URL, and a user who may create" in refused.stderr
    assert done.exit_code == 0, done.stderr
    assert "superuser" not in done.stderr


def test_options_that_do_not_fit_a_dump_are_refused(
    run: Callable[..., Any], write: Callable[..., Path], archive: bytes
) -> None:
    path = write("relay.dump", archive)
    lines = write("x.jsonl", "")

    assert run("import", path, "--from", "jsonl").exit_code == 2
    assert run("import", path, "--scratch-url", "sqlite:///x.db").exit_code == 2
    assert run("import", lines, "--scratch-url", "postgresql://localhost/x").exit_code in (1, 2)
    assert run("import", path, "--from", "nosuch").exit_code == 2


def test_a_dump_by_standard_input_is_asked_for_as_a_file(
    run: Callable[..., Any], script: bytes, archive: bytes
) -> None:
    for dump in (script, archive):
        done = run("import", "-", input=dump)

        assert done.exit_code == 1
        assert "standard input is a dump of PostgreSQL; write it to a file" in done.stderr


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("name", "conversations", "messages", "skipped"),
    [("chatmcp", 3, 5, 0), ("helvino", 2, 2, 1), ("relay2", 2, 6, 0)],
)
def test_the_real_dumps_are_imported(
    import_dump: ImportFrom,
    corpus: Path,
    name: str,
    conversations: int,
    messages: int,
    skipped: int,
) -> None:
    done = import_dump(corpus / "pg_dump" / f"seed-{name}.sql")

    assert done.exit_code == (7 if skipped else 0), done.stderr
    counts = done.report["counts"]
    assert (counts["new"], counts["messages_new"], counts["skipped"]) == (
        conversations,
        messages,
        skipped,
    )
    rows = done.rows.values()
    assert all(each["read"] == sum(each.values()) - each["read"] for each in rows)
