"""`chatdb copy` as it is typed: killed, interrupted, on a full disk, and what it says."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from tests.cli.conftest import Run, command_line, process_environment
from tests.cli.importing import count_of
from tests.operations.export_rows import conversation, fill, insert, message
from tests.operations.importing import check_search, load
from tests.postgres_server import wait_until
from tests.small_disk import enlarge, small_disk

Invoke = Callable[..., Any]

CONVERSATIONS = 5_000


@pytest.fixture(scope="module")
def large(_sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> DatabaseUrl:
    """A SQLite file whose copy takes several batches."""
    path = tmp_path_factory.mktemp("large") / "large.db"
    shutil.copy(_sqlite_template, path)
    url = DatabaseUrl(dialect_name="sqlite", path=path)
    with Database.open(url) as database:
        text = "word " * 60
        load(
            database,
            (conversation(n, [message(1, text), message(2, text)]) for n in range(CONVERSATIONS)),
        )
    return url


@pytest.mark.large
@pytest.mark.parametrize(
    ("kind", "sent", "exit_code"),
    [
        ("sqlite", signal.SIGKILL, -signal.SIGKILL),
        pytest.param("postgresql", signal.SIGKILL, -signal.SIGKILL, marks=pytest.mark.postgresql),
        pytest.param("postgresql", signal.SIGINT, 130, marks=pytest.mark.postgresql),
    ],
)
def test_a_copy_that_was_ended_goes_on_where_it_stopped(
    request: pytest.FixtureRequest,
    run: Invoke,
    large: DatabaseUrl,
    kind: str,
    sent: int,
    exit_code: int,
) -> None:
    database_url: DatabaseUrl = request.getfixturevalue(f"{kind}_url")
    words = ("copy", large.exposed(), database_url.exposed())
    process = subprocess.Popen(
        command_line(*words),
        env=process_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: count_of(database_url) > 0 or process.poll() is not None, seconds=60)
    process.send_signal(sent)
    _, errors = process.communicate(timeout=60)

    assert process.returncode == exit_code, errors
    assert (
        0 < count_of(database_url) <= CONVERSATIONS
    )  # all: it was ended while it indexed or compared
    if sent == signal.SIGINT:
        assert "everything copied so far is saved; run the same command again" in errors
    again = run(*words, "--format", "json")
    answer = json.loads(again.stdout)
    assert (answer["outcome"], answer["resumed"], answer["renewed"]) == ("done", True, 0)
    assert count_of(database_url) == CONVERSATIONS
    with Database.open(database_url) as database:
        check_search(database, "word", 2 * CONVERSATIONS)


@pytest.mark.large
def test_a_full_disk_is_told_and_the_copy_goes_on_when_there_is_room(
    run: Invoke, large: DatabaseUrl, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", 4) as disk:
        words = ("copy", large.exposed(), f"sqlite:///{disk}/copy.db", "--format", "json")
        full = run(*words)
        enlarge(disk, 60)
        again = run(*words)

    assert full.exit_code == 1
    assert "disk is full" in full.stderr
    assert "everything copied so far is saved" in full.stderr
    assert json.loads(again.stdout)["outcome"] == "done"


def test_the_configured_database_is_where_it_goes_if_none_is_named(
    run: Invoke, sqlite_url: DatabaseUrl
) -> None:
    fill(sqlite_url)

    copied = run("copy", sqlite_url.exposed())

    assert copied.exit_code == 0
    assert "note: created chatdb's tables in sqlite:///data/chatdb.db" in copied.stderr
    assert "Chat 3" in run("conversations", "list").stdout


def test_a_dry_run_counts_and_makes_nothing(run: Invoke, sqlite_url: DatabaseUrl) -> None:
    fill(sqlite_url)

    answer = json.loads(run("copy", sqlite_url.exposed(), "--dry-run", "--format", "json").stdout)

    assert (answer["conversations"], answer["messages"], answer["dry_run"]) == (3, 3, True)
    assert not Path("data").exists()


def test_passwords_stand_nowhere(run: Invoke, sqlite_url: DatabaseUrl) -> None:
    secret = "postgresql://me:hunter2@127.0.0.1:1/chat"

    for words in ((secret, sqlite_url.exposed()), (sqlite_url.exposed(), secret)):
        answer = run("copy", *words)
        assert answer.exit_code == 3
        assert "postgresql://me:***@127.0.0.1:1/chat" in answer.stderr
        assert "hunter2" not in answer.stderr + answer.stdout


@pytest.mark.postgresql
def test_what_is_left_out_is_named_and_exits_with_7(
    run: Invoke, sqlite_url: DatabaseUrl, postgresql_url: DatabaseUrl
) -> None:
    fill(sqlite_url)
    with Database.open(sqlite_url) as database:
        long = "".join(f"{n:x}" for n in range(40_000))
        insert(database, [conversation(3_000, user_id=long)])

    answer = run("copy", sqlite_url.exposed(), postgresql_url.exposed())

    assert answer.exit_code == 7
    assert "warning: skipped: conversation 00000000-0000-0bb8-" in answer.stderr
    assert "hunter2" not in answer.stderr


def test_the_libpq_variables_of_a_dotenv_go_to_no_other_server(run: Invoke) -> None:
    Path(".env").write_text("PGHOST=127.0.0.1\nPGPORT=1\nPGPASSWORD=secret\n")

    answer = run("copy", "postgresql://elsewhere.example/chat")

    assert answer.exit_code == 2
    assert "PGPASSWORD" not in os.environ
    assert "hint: give the URL of DST" in answer.stderr


@pytest.mark.postgresql
def test_a_schema_of_its_own_is_read_and_written(
    run: Invoke, sqlite_url: DatabaseUrl, postgresql_url: DatabaseUrl, tmp_path: Path
) -> None:
    fill(sqlite_url)
    at = postgresql_url.exposed()

    assert run("copy", sqlite_url.exposed(), at, "--schema", "apart").exit_code == 0
    assert count_of(postgresql_url) == 0
    back = tmp_path / "back.db"
    assert run("copy", at, str(back), "--source-schema", "apart").exit_code == 0
    assert count_of(DatabaseUrl(dialect_name="sqlite", path=back)) == 3
    within = run("copy", at, at, "--source-schema", "apart")
    assert within.exit_code == 0, within.stderr
    assert count_of(postgresql_url) == 3


@pytest.mark.large
def test_a_copy_on_a_narrow_terminal_shows_how_far_it_is(
    run_on_terminal: Run, large: DatabaseUrl
) -> None:
    answer = run_on_terminal("copy", large.exposed(), "copy.db", columns=60)

    assert answer.exit_code == 0
    assert "comparing" in answer.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nonsense", "b.db"), "the database URL has no scheme (SRC)"),
        (("a.db", "mysql://h/d"), "does not support databases of the kind 'mysql' (DST)"),
        (("a.db", "b.db", "--org", "acme"), "copy always includes all organizations"),
    ],
)
def test_what_cannot_be_meant_is_told(run: Invoke, words: tuple[str, ...], told: str) -> None:
    answer = run("copy", *words)

    assert answer.exit_code == 2
    assert told in answer.stderr
