"""`chatdb connect` becomes the database's own client, and keeps the password out of sight."""

import os
import re
import signal
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.url import DatabaseUrl
from chatdb.operations.dev_db.connect import (
    ClientSession,
    client_call,
    missing_psql,
    older_than,
    psql_in_container,
    session_conninfo,
)
from chatdb.servers.base import DevServer
from chatdb.servers.postgres_tools import Program
from tests.cli.conftest import Run, command_line, process_environment
from tests.postgres_server import PASSWORD, PostgresServer, wait_until

INSERT = "INSERT INTO chatdb_settings (key, value) VALUES ('color', 'red')"


@pytest.mark.usefixtures("sqlite3_program")
def test_a_command_runs_and_its_answer_goes_to_stdout(
    run_process: Run, database_url: DatabaseUrl
) -> None:
    answer = run_process(
        "connect", "-d", database_url.exposed(), "-c", "SELECT key FROM organizations"
    )

    assert answer.exit_code == 0, answer.stderr
    assert "default" in answer.stdout


@pytest.mark.usefixtures("sqlite3_program")
def test_a_script_comes_from_stdin_and_stops_at_the_first_error(
    run_process: Run, database_url: DatabaseUrl
) -> None:
    script = f"SELECT 'before';\nSELECT nothing FROM nowhere;\n{INSERT};\n"

    answer = run_process("connect", "-d", database_url.exposed(), stdin=script)
    rows = run_process(
        *("connect", "-d", database_url.exposed()),
        *("-c", "SELECT count(*) AS rows FROM chatdb_settings WHERE key = 'color'"),
    )

    assert answer.exit_code not in (0, None)
    assert "before" in answer.stdout
    assert "nowhere" in answer.stderr
    assert "0" in rows.stdout


@pytest.mark.usefixtures("sqlite3_program")
def test_read_only_refuses_to_write(run_process: Run, database_url: DatabaseUrl) -> None:
    words = ("connect", "-d", database_url.exposed(), "-c", INSERT)

    refused = run_process(*words, "--read-only")
    written = run_process(*words)

    assert refused.exit_code != 0
    assert "read" in refused.stderr
    assert written.exit_code == 0, written.stderr


@pytest.mark.usefixtures("sqlite3_program")
def test_words_after_two_dashes_are_the_clients(
    run_process: Run, sqlite_url: DatabaseUrl, postgresql_url: DatabaseUrl
) -> None:
    query = "SELECT 1 AS one, 2 AS two"

    sqlite = run_process(
        "connect", "-d", sqlite_url.exposed(), "-c", query, "--", "-csv", "-header"
    )
    postgresql = run_process("connect", "-d", postgresql_url.exposed(), "-c", query, "--", "--csv")

    assert sqlite.stdout.split() == postgresql.stdout.split() == ["one,two", "1,2"]


def test_nobody_sees_the_password(postgresql_url: DatabaseUrl) -> None:
    """It comes from the environment here: on chatdb's own command line everybody would see it."""
    process = subprocess.Popen(
        command_line("connect", "-c", "SELECT 'in', pg_sleep(60)"),
        env=process_environment({"DATABASE_URL": postgresql_url.exposed()}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    words = Path(f"/proc/{process.pid}/cmdline")
    try:
        wait_until(lambda: b"/psql\0" in words.read_bytes())
        shown = words.read_bytes().decode()
        surroundings = Path(f"/proc/{process.pid}/environ").read_text()
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=20)

    assert postgresql_url.database in shown
    assert not [text for text in (PASSWORD, "p%", "p%25", ":w", "%41") if text in shown]
    assert f"PGPASSWORD={PASSWORD}" in surroundings.split("\0")


def test_secret_parameters_of_the_url_stay_out_of_the_words() -> None:
    url = DatabaseUrl(
        dialect_name="postgresql",
        host="a,b",
        port="1,2",
        database="it's",
        parameters=(("password", "s3cret"), ("sslpassword", "s4cret"), ("sslmode", "require")),
    )

    call = client_call(url, ClientSession())

    assert "cret" not in " ".join(call.words)
    assert dict(call.variables) == {"PGPASSWORD": "s3cret"}
    assert session_conninfo(url, ClientSession()) == (
        r"connect_timeout='10' host='a,b' port='1,2' dbname='it\'s' sslmode='require'"
    )


def test_a_schema_and_the_urls_own_options_both_count(
    postgres: PostgresServer, postgresql_url: DatabaseUrl, run_process: Run
) -> None:
    schema = 'odd "schema\\'
    postgres.execute('CREATE SCHEMA "odd ""schema\\"', database=postgresql_url.database)
    url = replace(postgresql_url, parameters=(("options", "-c work_mem=5MB"),))
    query = "SELECT current_schema(), current_setting('work_mem')"

    answer = run_process(
        *("connect", "--schema", schema, "--read-only", "-d", url.exposed(), "-c", query),
        *("--", "--no-align", "--tuples-only"),
    )

    assert answer.stdout == f"{schema}|5MB\n", answer.stderr


def test_pgoptions_of_the_environment_count_beside_read_only(
    postgresql_url: DatabaseUrl, run_process: Run
) -> None:
    answer = run_process(
        *("connect", "--read-only", "-d", postgresql_url.exposed()),
        *("-c", "SHOW work_mem", "--", "--no-align", "--tuples-only"),
        env={"PGOPTIONS": "-c work_mem=6MB"},
    )

    assert answer.stdout == "6MB\n"


@pytest.mark.usefixtures("sqlite3_program")
def test_on_a_terminal_the_client_talks_with_its_user(
    run_on_terminal: Any, database_url: DatabaseUrl
) -> None:
    is_file = database_url.path is not None
    prompt = "sqlite> " if is_file else f"{database_url.database}=# "
    keys = ".print hello\n.quit\n" if is_file else "\\echo hello\n\\q\n"

    answer = run_on_terminal(
        "connect", "-d", database_url.exposed(), prompt=prompt, keys=keys, env={"PAGER": "cat"}
    )

    assert answer.exit_code == 0
    assert re.search(r"[\r\n]hello\n", answer.stdout)


def test_the_exit_code_is_the_clients(run_process: Run, postgresql_url: DatabaseUrl) -> None:
    url = replace(postgresql_url, database="nowhere")

    answer = run_process("connect", "-d", url.exposed(), "-c", "SELECT 1")

    assert answer.exit_code == 2
    assert 'database "nowhere" does not exist' in answer.stderr


@pytest.mark.usefixtures("sqlite3_program")
def test_a_reader_that_goes_away_ends_the_client(sqlite_url: DatabaseUrl) -> None:
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
    process = subprocess.Popen(
        command_line("connect", "-d", sqlite_url.exposed(), "-c", numbers),
        env=process_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    _, complaint = process.communicate(timeout=30)

    assert (process.returncode, complaint) == (-signal.SIGPIPE, b"")


def test_a_missing_sqlite_file_is_not_made(run_process: Run, tmp_path: Path) -> None:
    path = tmp_path / "nowhere.db"

    answer = run_process("connect", "-d", str(path), "-c", "SELECT 1")

    assert answer.exit_code == 5
    assert f"there is no database at sqlite:///{path}" in answer.stderr
    assert not path.exists()


def test_without_a_client_the_hint_names_what_to_install(
    run_process: Run, sqlite_url: DatabaseUrl, tmp_path: Path
) -> None:
    answer = run_process("connect", "-d", sqlite_url.exposed(), env={"PATH": str(tmp_path)})

    assert answer.exit_code == 1
    assert "error: sqlite3 is not installed" in answer.stderr
    assert "apt install sqlite3" in answer.stderr
    assert "python3 -m sqlite3" in answer.stderr


def test_pgcli_is_taken_on_a_terminal_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "pgcli"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    url = DatabaseUrl(dialect_name="postgresql", host="db", password="s3cret")

    chosen = [
        client_call(url, session).words[0]
        for session in (
            ClientSession(on_terminal=True),
            ClientSession(on_terminal=False),
            ClientSession(on_terminal=True, sql="SELECT 1"),
            ClientSession(on_terminal=True, words=["--csv"]),
        )
    ]

    assert chosen == ["pgcli", "psql", "psql", "psql"]


def test_a_missing_psql_is_found_in_the_container_of_the_development_server() -> None:
    server = DevServer(
        project="chat-1a2b",
        folder=Path("/project/.chatdb"),
        port=5432,
        user="it's",
        password="s3cret",
        database="chat dev",
        image="postgres:17",
    )

    error = missing_psql(ClientSession(elsewhere=psql_in_container(server)))

    assert "apt install postgresql-client" in (error.hint or "")
    assert "docker exec -it $(docker ps " in (error.hint or "")
    assert (error.hint or "").endswith(""" psql -U 'it'"'"'s' 'chat dev'""")
    assert "s3cret" not in (error.hint or "")


@pytest.mark.parametrize(
    ("versions", "named", "taken"),
    [
        (("9.6", "99.1"), "9.6", "99.1"),
        (("98.0", "99.1"), None, "99.1"),
        (("98.0", "99.1"), "98.0", "98.0"),
    ],
    ids=["the one that fits", "the newest that fits", "the one that is named"],
)
def test_a_psql_as_new_as_the_server_is_taken(
    postgresql_url: DatabaseUrl,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    versions: tuple[str, ...],
    named: str | None,
    taken: str,
) -> None:
    folders = [fake_psql(tmp_path / version, version) for version in versions]
    monkeypatch.setenv("PATH", os.pathsep.join(map(str, folders)))

    bindir = None if named is None else tmp_path / named
    call = client_call(postgresql_url, ClientSession(bindir=bindir))

    assert (call.program.parent.name, call.note) == (taken, None)


def test_a_psql_that_is_too_old_for_the_server_is_said() -> None:
    old = Program(name="psql", path=Path("/opt/psql"), version=(9, 6), source="PATH")

    assert older_than(old, 15) is not None
    assert older_than(old, 9) is None
    assert older_than(old, None) is None


def fake_psql(folder: Path, version: str) -> Path:
    """Make a psql that knows its version, and return its folder."""
    folder.mkdir()
    program = folder / "psql"
    program.write_text(f"#!/bin/sh\necho 'psql (PostgreSQL) {version}'\n")
    program.chmod(0o755)
    return folder
