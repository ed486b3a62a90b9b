"""Every command of docs/coming-from.md is run, system by system, as it stands there."""

import json
import os
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.url import DatabaseUrl
from tests.cli.conftest import Run
from tests.layouts import (
    chatmcp_database,
    relay_database,
    test_chat_threads,
    test_helvino,
    test_multichat,
)
from tests.layouts.foreign_databases import make_postgresql
from tests.operations.restoring import pg_dump
from tests.postgres_server import PostgresServer
from tests.programs import program

PAGE = Path(__file__).parents[2] / "docs" / "coming-from.md"
Invoke = Callable[..., Any]

CONFIRMED = ("conversations delete", "dev-db reset", "dev-db down", "restore", "schema downgrade")
"""Commands that ask: without a terminal they want --yes."""
CLIENTS = ("connect", "dev-db connect")
"""Commands that become another program."""
DEVELOPMENT = "dev-db"
OWN = {
    "Relay": (*relay_database.TABLES, *relay_database.ROWS),
    "ChatMCP": (*chatmcp_database.FIRST_MIGRATION, *chatmcp_database.rows(folded=True)),
    "Chat threads (FastAPI)": (*test_chat_threads.TABLES, *test_chat_threads.THREADS),
    "Helvino": (*test_helvino.FIRST, *test_helvino.ROWS),
    "Multichat": (
        *(table.format(meta="JSONB") for table in test_multichat.TABLES),
        *test_multichat.ROWS,
    ),
}
RELAY_DUMP = "backups/relay_dev_20231220_143022.sql"
FILES: dict[str, Any] = {
    "chat-storage.json": {
        "state": {"conversations": [{"id": "c-1", "title": "Welcome", "userId": "auth0|ann"}]},
        "version": 0,
    },
    "chat-sessions.json": [
        {
            "id": "chat_1769850000000",
            "title": "Interview",
            "created_at": 1769850000000,
            "messages": [{"role": "ai", "content": "Hello", "time": "09:00 AM"}],
        }
    ],
    "conversations/abc.json": [{"role": "user", "content": "hello"}],
}


@dataclass(frozen=True)
class Row:
    """A row of the page: what a document offers, and the commands that do it."""

    offer: str
    answer: str

    @property
    def commands(self) -> list[str]:
        found = re.findall(r"`chatdb ([^`]+)`", self.answer)
        return [command.replace("\\|", "|") for command in found]


def sections() -> dict[str, list[Row]]:
    """Return the rows of each system's table."""
    found: dict[str, list[Row]] = {}
    for section in PAGE.read_text().split("\n## ")[1:]:
        title, _, body = section.partition("\n")
        lines = [line for line in body.splitlines() if line.startswith("| ")][1:]
        cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]
        found[title] = [Row(offer.strip(), answer.strip()) for offer, answer in cells]
    return found


@pytest.fixture
def moved(
    run: Invoke,
    postgres: PostgresServer,
    empty_postgresql_url: DatabaseUrl,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str], None]:
    """Put a system's database, and what it kept before, into the working folder's reach."""

    def move(system: str) -> None:
        make_postgresql(empty_postgresql_url, *OWN[system])
        monkeypatch.setenv("OLD_DATABASE_URL", empty_postgresql_url.exposed())
        for name, value in FILES.items():
            Path(name).parent.mkdir(exist_ok=True)
            Path(name).write_text(json.dumps(value))
        if system == "Relay":
            Path("backups").mkdir()
            Path(RELAY_DUMP).write_bytes(pg_dump(postgres, empty_postgresql_url))
        run("import", empty_postgresql_url.exposed())

    return move


def words_of(command: str, identifier: str) -> list[str]:
    """Return the words of a command, variables and ID filled in; asked commands are answered."""
    words = [os.path.expandvars(word) for word in shlex.split(command)]
    words = [identifier if word == "ID" else word for word in words]
    return words + (["--yes"] if command.startswith(CONFIRMED) else [])


@pytest.mark.large
@pytest.mark.parametrize("system", OWN)
def test_every_command_of_a_system_works(
    system: str,
    request: pytest.FixtureRequest,
    run: Invoke,
    run_process: Run,
    moved: Callable[[str], None],
    postgresql_url: DatabaseUrl,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NEW_DATABASE_URL", postgresql_url.exposed())
    if system == "Helvino":  # whose document is about PostgreSQL; the others begin on SQLite
        monkeypatch.setenv("DATABASE_URL", postgresql_url.exposed())
    moved(system)
    org = ["--org", "demo"] if system == "Helvino" else []
    rows = [row for row in sections()[system] if row.commands]
    request.addfinalizer(lambda: run("roles", "drop", "helvino_app", "--yes"))

    for row in rows:
        for command in row.commands:
            if command.startswith(DEVELOPMENT):
                continue  # another test runs them, on a server
            identifier = newest(run, [*org, *user_of(command)]) if " ID" in command else ""
            words = words_of(command, identifier)
            if command.startswith(CLIENTS):
                if system != "Helvino":
                    program("sqlite3")
                done: Any = run_process(*words, stdin="")
            else:
                done = run(*words, input="")
            expected = {0, 7} if command.startswith("import") else {0}
            if command.startswith(("doctor", "security check")):
                expected |= {1}  # it has its findings on a machine like this
            assert done.exit_code in expected, (row.offer, words, done.stderr)


@pytest.mark.large
def test_the_commands_of_a_development_server_work(
    run_process: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHATDB_DEV_PORT", "auto")
    commands = {
        command
        for rows in sections().values()
        for row in rows
        for command in row.commands
        if command.startswith(DEVELOPMENT)
    }
    verbs = ("up --migrate", "up", "status", "logs", "connect", "reset", "stop")
    wanted = [f"{DEVELOPMENT} {verb}" for verb in verbs]
    assert commands <= set(wanted)
    try:
        for command in wanted:
            words = words_of(command, "")
            words += ["--engine", "embedded"] if " up" in command else []
            done: Any = run_process(*words, stdin="")
            assert done.exit_code == 0, (words, done.stderr)
    finally:
        run_process("dev-db", "down", "--volumes", "--yes")


def test_what_chatdb_does_not_do_says_so() -> None:
    without = [row for rows in sections().values() for row in rows if not row.commands]

    assert without
    assert all(row.answer.startswith("not in chatdb") for row in without)


def test_every_system_has_a_table_with_the_way_in_and_the_way_back() -> None:
    for system, rows in sections().items():
        commands = [command for row in rows for command in row.commands]
        assert any(command.startswith("import ") for command in commands), system
        assert any(command.startswith("export --to ") for command in commands), system
    assert sections().keys() == OWN.keys()


def newest(run: Invoke, words: list[str]) -> str:
    """Return the id of the conversation that was last updated."""
    listed = json.loads(
        run("conversations", "list", "--limit", "1", "--format", "json", *words).stdout
    )
    return str(listed[0]["id"])


def user_of(command: str) -> list[str]:
    found = re.search(r"--user (\S+)", command)
    return ["--user", found[1]] if found else []
