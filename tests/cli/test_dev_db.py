"""`chatdb dev-db` on the embedded engine: up, stop, down, reset, status, logs, url, connect."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatdb.db.connect import connect_postgresql
from chatdb.db.url import parse_url
from tests.cli.conftest import command_line, process_environment
from tests.cli.dev_projects import Run, project_folder, status
from tests.cli.test_process import HEAVY, imported_by
from tests.postgres_server import PostgresServer, wait_until
from tests.servers.projects import copy_of, free_port, is_alive, listening

UP = ("dev-db", "up", "--engine", "embedded")


@pytest.fixture(scope="module")
def finished() -> Iterator[Path]:
    """A project whose server was made, migrated and stopped."""
    with pytest.MonkeyPatch.context() as patch, project_folder(patch) as folder:
        patch.setenv("CHATDB_DEV_PASSWORD", "p%@/:w%41 #?")
        for words in ((*UP, "--migrate"), ("dev-db", "stop")):
            subprocess.run(command_line(*words), env=process_environment(), check=True)
        yield folder


@pytest.fixture
def stopped(finished: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, the current directory."""
    copy_of(finished / ".chatdb", project / ".chatdb")
    monkeypatch.setenv("CHATDB_DEV_PASSWORD", "p%@/:w%41 #?")
    return project


def query(run: Run, statement: str) -> list[tuple[object, ...]]:
    """Run a statement on the project's server."""
    url = run("dev-db", "url", "--show-password").stdout.strip()
    with connect_postgresql(parse_url(url), autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def test_up_makes_a_server_and_says_what_it_did(run: Run, project: Path) -> None:
    first = run(*UP, "--migrate", "--write-env")

    assert first.exit_code == 0
    port = os.environ["CHATDB_DEV_PORT"]
    assert f"\npostgresql://chatdb:***@127.0.0.1:{port}/chatdb_dev\n" in first.stdout
    assert "(embedded) made in " in first.stdout
    assert f"in {project}/.chatdb/postgresql/data" in first.stderr
    assert "wrote DATABASE_URL to .env" in first.stderr
    assert "next:\n  chatdb dev-db up --seed" in first.stderr
    assert run("schema", "status", "--exit-code").exit_code == 0
    assert (project / ".chatdb/dev-db.json").stat().st_mode & 0o777 == 0o600
    assert (project / ".chatdb/.gitignore").read_text() == "*\n"


def test_a_second_up_changes_nothing_and_says_so(run: Run, stopped: Path) -> None:
    run(*UP, "--migrate", "--write-env")
    before = status(run), (stopped / ".env").read_bytes()

    again = run("dev-db", "up", "--migrate", "--write-env")

    assert again.exit_code == 0
    assert "was already running" in again.stdout
    assert again.stderr == ""
    after = status(run), (stopped / ".env").read_bytes()
    assert (after[0]["process"], after[1]) == (before[0]["process"], before[1])


@pytest.mark.usefixtures("stopped")
def test_a_second_up_loads_neither_sqlalchemy_nor_alembic(run: Run) -> None:
    run(*UP)

    modules = imported_by("dev-db", "up", "--migrate")

    assert modules.isdisjoint({*HEAVY, "dotenv"} - {"psycopg", "asyncio", "psutil"})


@pytest.mark.large
def test_two_at_once_make_one_server(project: Path) -> None:
    words = command_line(*UP, "--migrate", "--format", "json")
    both = [
        subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=process_environment()
        )
        for _ in range(2)
    ]
    answers = [process.communicate(timeout=60) for process in both]

    assert [process.returncode for process in both] == [0, 0], answers
    reports = [json.loads(answer[0]) for answer in answers]
    assert len({report["process"] for report in reports}) == 1
    assert sorted(report["outcome"] for report in reports) == ["made", "running"]
    assert list((project / ".chatdb/postgresql").glob("data*")) == [
        project / ".chatdb/postgresql/data"
    ]


def test_up_in_json_is_one_object_without_the_password(run: Run, stopped: Path) -> None:
    result = run(*UP, "--migrate", "--format", "json")

    report = json.loads(result.stdout)
    assert (report["outcome"], report["engine"], report["revisions"]) == ("started", "embedded", [])
    assert report["port"] == int(os.environ["CHATDB_DEV_PORT"])
    assert "p%" not in result.stdout.replace("chatdb:***", "")
    assert report["data"] == str(stopped / ".chatdb/postgresql/data")


def test_auto_says_why_it_does_not_take_compose(
    run: Run, stopped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (stopped / ".chatdb/dev-db.json").unlink()
    monkeypatch.setenv("PATH", "/nowhere")

    result = run("dev-db", "up")

    assert result.exit_code == 0
    assert "note: not by compose: " in result.stderr
    assert "note: by embedded: PostgreSQL " in result.stderr
    assert "started in" in result.stdout


@pytest.mark.large
@pytest.mark.usefixtures("stopped")
def test_the_engine_that_made_the_server_stays(run: Run) -> None:
    result = run("dev-db", "up", "--format", "json")

    assert json.loads(result.stdout)["engine"] == "embedded"
    assert "by compose" not in result.stderr  # none is looked for


@pytest.mark.usefixtures("stopped")
def test_a_port_that_is_taken_is_an_error_and_auto_finds_another(run: Run) -> None:
    with listening() as port:
        refused = run(*UP, "--port", str(port))
        found = run(*UP, "--port", "auto", env={"CHATDB_DEV_PORT": str(port)})

    assert refused.exit_code == 1
    assert f"error: port {port} of this machine is in use by " in refused.stderr
    assert f"(pid {os.getpid()})" in refused.stderr
    assert "--port auto" in refused.stderr
    assert found.exit_code == 0
    assert status(run)["state"] == "running"
    assert f":{port}/" not in found.stdout


@pytest.mark.usefixtures("stopped")
def test_the_port_is_remembered(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    run(*UP, "--port", str(port))
    run("dev-db", "stop")
    monkeypatch.delenv("CHATDB_DEV_PORT")

    assert f":{port}/" in run("dev-db", "up").stdout


@pytest.mark.large
@pytest.mark.usefixtures("stopped")
def test_another_port_is_refused_while_it_runs(run: Run) -> None:
    run(*UP)

    result = run("dev-db", "up", "--port", str(free_port()))

    assert result.exit_code == 6
    assert "is already running on port" in result.stderr
    assert "chatdb dev-db stop && chatdb dev-db up --port" in result.stderr


@pytest.mark.usefixtures("stopped")
def test_a_new_password_is_given_to_the_old_data(run: Run) -> None:
    result = run(*UP, env={"CHATDB_DEV_PASSWORD": "another / one"})

    assert result.exit_code == 0
    assert "changed the password of chatdb" in result.stderr
    url = parse_url(run("dev-db", "url", "--show-password").stdout)
    assert url.password == "another / one"
    with connect_postgresql(url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.usefixtures("stopped")
def test_another_user_is_refused_with_the_way_out(run: Run) -> None:
    result = run(*UP, env={"CHATDB_DEV_USER": "somebody"})

    assert result.exit_code == 1
    assert "created with another user or password" in result.stderr
    assert "CHATDB_DEV_USER" in result.stderr


@pytest.mark.usefixtures("stopped")
def test_stop_and_down_keep_the_data_and_can_be_repeated(run: Run) -> None:
    run(*UP)
    query(run, "CREATE TABLE mine AS SELECT 7 AS n")

    assert run("dev-db", "stop").stdout.startswith("stopped; its data is kept")
    assert run("dev-db", "stop").stdout.startswith("nothing to stop")
    assert run("dev-db", "down").stdout.startswith("removed; its data is kept")
    assert status(run)["state"] == "stopped"

    run("dev-db", "up")
    assert query(run, "SELECT n FROM mine") == [(7,)]


def test_removing_the_data_is_asked_for(run: Run, run_on_terminal: Run, stopped: Path) -> None:
    run(*UP)

    ahead = run("dev-db", "down", "--volumes", "--dry-run")
    refused = run("dev-db", "down", "--volumes")
    declined = run_on_terminal("dev-db", "down", "--volumes", prompt="[y/N]", keys="n\n")

    assert (refused.exit_code, declined.exit_code) == (6, 6)
    assert ahead.stdout.startswith("This would be removed:\n  the database (")
    assert "chatdb backup create && chatdb backup verify latest)" in ahead.stdout
    assert "hint: add --yes to go ahead\n" in refused.stderr
    assert "chatdb:***@" in refused.stderr
    assert status(run)["state"] == "running"

    assert run("dev-db", "down", "--volumes", "--yes").exit_code == 0
    assert status(run)["state"] == "absent"
    left = sorted(path.name for path in (stopped / ".chatdb").iterdir())
    assert left == [".gitignore", "dev-db.lock"]


def test_without_a_server_each_command_says_so(run: Run, project: Path) -> None:
    assert status(run)["state"] == "absent"
    assert run("dev-db", "stop").exit_code == 0
    assert run("dev-db", "down", "--volumes").exit_code == 0
    assert "This would be made:" in run("dev-db", "reset", "--dry-run").stdout
    for words in (("logs",), ("url",), ("connect",), ("checkpoint", "list")):
        result = run("dev-db", *words)
        assert result.exit_code == 5
        assert "hint: to create one: chatdb dev-db up" in result.stderr
    assert not list(project.iterdir())


@pytest.mark.usefixtures("project")
def test_another_servers_port_is_never_touched(run: Run, postgres: PostgresServer) -> None:
    result = run(*UP, "--port", str(postgres.port))

    assert result.exit_code == 1
    assert "is in use by postgres (pid " in result.stderr
    for words in (("stop",), ("down", "--volumes", "--yes"), ("status",)):
        run("dev-db", *words)
    postgres.execute("SELECT 1")


def test_status_tells_version_size_uptime_and_schema(run: Run, stopped: Path) -> None:
    run(*UP)

    seen = status(run)

    assert seen["schema_state"] == "current"
    assert seen["bytes"] > 1_000_000
    assert 0 <= seen["uptime_seconds"] < 60
    assert seen["version"][0].isdigit()
    assert "p%" not in json.dumps(seen)
    assert seen["data"] == str(stopped / ".chatdb/postgresql/data")


@pytest.mark.usefixtures("stopped")
def test_status_after_a_kill_is_stopped_and_up_mends_it(run: Run) -> None:
    run(*UP)
    os.kill(int(status(run)["process"]), signal.SIGKILL)
    wait_until(lambda: status(run)["state"] == "stopped")

    assert run("dev-db", "up").exit_code == 0
    assert status(run)["schema_state"] == "current"


@pytest.mark.usefixtures("stopped")
def test_the_url_has_its_password_only_when_asked(run: Run) -> None:
    shown, exposed = run("dev-db", "url"), run("dev-db", "url", "--show-password")

    assert "chatdb:***@" in shown.stdout
    assert parse_url(exposed.stdout).password == "p%@/:w%41 #?"


@pytest.mark.usefixtures("stopped")
def test_connect_opens_psql_on_the_server(run: Run, run_process: Run) -> None:
    run(*UP)

    answer = run_process("dev-db", "connect", "-c", "SELECT current_database()", "--", "-At")

    assert (answer.exit_code, answer.stdout) == (0, "chatdb_dev\n")
    assert run("dev-db", "stop").exit_code == 0
    refused = run("dev-db", "connect", "-c", "SELECT 1")
    assert (refused.exit_code, "is not running" in refused.stderr) == (3, True)


@pytest.mark.usefixtures("stopped")
def test_logs_show_the_newest_lines_and_follow(run: Run) -> None:
    run(*UP)
    assert len(run("dev-db", "logs", "-n", "2").stdout.splitlines()) == 2

    words = command_line("dev-db", "logs", "-f", "-n", "1")
    with subprocess.Popen(words, stdout=subprocess.PIPE, env=process_environment()) as process:
        assert process.stdout is not None
        process.stdout.readline()
        query(run, "SELECT pg_reload_conf()")
        assert b"SIGHUP" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 130


@pytest.mark.usefixtures("stopped")
def test_following_a_log_ends_when_nobody_reads_it(run: Run) -> None:
    run(*UP)
    words = command_line("dev-db", "logs", "-f", "-n", "1")

    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=process_environment()
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=10) == 0
        assert process.stderr.read() == b""


def test_a_copied_project_leaves_the_first_ones_server_alone(
    run: Run, stopped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(*UP)
    pid = int(status(run)["process"])
    with project_folder(monkeypatch, "copy") as copied:
        copy_of(stopped / ".chatdb", copied / ".chatdb")

        assert status(run)["state"] == "stopped"
        run("dev-db", "stop")
        run("dev-db", "down", "--volumes", "--yes")

    assert is_alive(pid)


def test_another_variable_of_the_env_file_that_beats_it_is_named(run: Run, stopped: Path) -> None:
    (stopped / ".env").write_text("CHATDB_DATABASE_URL=sqlite:///mine.db\n")

    result = run(*UP, "--write-env")

    assert "warning: .env line 1 overrides DATABASE_URL in the .env" in result.stderr


def test_a_file_in_the_place_of_the_folder_is_told(run: Run, project: Path) -> None:
    (project / ".chatdb").write_text("mine")

    result = run(*UP)

    assert result.exit_code == 2
    assert "is not a folder" in result.stderr
    assert (project / ".chatdb").read_text() == "mine"


def test_damaged_data_are_told_and_can_be_removed(run: Run, stopped: Path) -> None:
    (stopped / ".chatdb/postgresql/data/PG_VERSION").unlink()

    assert "is damaged" in run("dev-db", "up").stderr
    assert status(run)["state"] == "unknown"
    assert run("dev-db", "down", "--volumes", "--yes").exit_code == 0
    assert not (stopped / ".chatdb/postgresql").exists()


def test_a_memory_that_cannot_be_read_is_told(run: Run, stopped: Path) -> None:
    (stopped / ".chatdb/dev-db.json").write_text("{")

    result = run("dev-db", "status")

    assert result.exit_code == 2
    assert "rm " in result.stderr


def test_write_env_warns_where_the_environment_beats_it(run: Run, stopped: Path) -> None:
    result = run(*UP, "--write-env", env={"DATABASE_URL": "sqlite:///mine.db"})

    assert "warning: environment DATABASE_URL overrides DATABASE_URL in the .env" in result.stderr
    assert (stopped / ".env").stat().st_mode & 0o777 == 0o600


@pytest.mark.usefixtures("stopped")
def test_what_up_says_fits_a_narrow_terminal(run: Run, run_on_terminal: Run) -> None:
    run(*UP)
    run("dev-db", "stop")

    answer = run_on_terminal("dev-db", "up", columns=60)

    assert answer.exit_code == 0
    lines = answer.stdout.splitlines()
    assert [line for line in lines if len(line) > 60 and "export" not in line] == []
