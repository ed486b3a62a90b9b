"""Nothing is destroyed without a yes, and on production not without the database's name."""

import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from chatdb.cli.confirm import confirm
from chatdb.cli.context import CommandContext
from chatdb.cli.options import GlobalOptions
from chatdb.db.database import Database
from chatdb.db.schema import settings
from chatdb.db.url import DatabaseUrl, parse_url
from chatdb.errors import RefusedError
from chatdb.operations.schema.environment import set_label
from tests.cli.conftest import process_environment, run_on_pty

UNREACHABLE_URL = "postgresql://me:hunter2@127.0.0.1:1/chat"
SCRIPT = """
import sys
from chatdb.cli.confirm import confirm
from chatdb.cli.context import CommandContext
from chatdb.cli.options import GlobalOptions
from chatdb.errors import RefusedError
try:
    command = CommandContext(GlobalOptions(database_url=sys.argv[1]))
    confirm(command, ["3 conversations", "120 messages"], yes="yes" in sys.argv)
    print("GONE")
except RefusedError as error:
    print("REFUSED:", error.text)
"""


def asked(keys: str, url: str, *words: str, prompt: str = "[y/N]") -> str:
    """Return what a terminal shows when the question is answered by these keys."""
    command = [sys.executable, "-c", SCRIPT, url, *words]
    answer: Any = run_on_pty(command, 80, process_environment(), prompt, keys)
    return str(answer.stdout)


def answer(url: DatabaseUrl | str, *, yes: bool = False, typed: str | None = None) -> None:
    """Ask for a confirmation where there is no terminal."""
    text = url if isinstance(url, str) else url.exposed()
    command = CommandContext(GlobalOptions(database_url=text, confirm=typed))
    confirm(command, ["3 conversations"], yes=yes)


@pytest.fixture
def production_url(database_url: DatabaseUrl) -> DatabaseUrl:
    """A database that is labelled production."""
    with Database.open(database_url) as database:
        set_label(database, "production")
    return database_url


@pytest.fixture
def production_file(sqlite_url: DatabaseUrl) -> str:
    """The URL of a SQLite file that is labelled production."""
    with Database.open(sqlite_url) as database:
        set_label(database, "production")
    return sqlite_url.exposed()


@pytest.mark.parametrize("keys", ["y\n", " YES \n"])
def test_yes_goes_ahead(keys: str) -> None:
    assert asked(keys, "chat.db").endswith("GONE\n")


@pytest.mark.parametrize("keys", ["\n", "\x04", "yes please\n"])
def test_anything_else_refuses(keys: str) -> None:
    assert asked(keys, "chat.db").endswith("REFUSED: not confirmed; nothing was changed\n")


def test_the_question_names_the_redacted_database_and_the_counts() -> None:
    text = asked("n\n", UNREACHABLE_URL, prompt="go ahead:")

    assert "This will delete from postgresql://me:***@127.0.0.1:1/chat:" in text
    assert "  3 conversations\n  120 messages\n" in text
    assert "hunter2" not in text


def test_without_a_terminal_and_without_yes_it_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RefusedError, match="no terminal to prompt on") as caught:
        answer("chat.db")

    assert caught.value.exit_code == 6
    assert caught.value.hint == "add --yes to go ahead"
    assert "3 conversations" in capsys.readouterr().err


def test_yes_as_an_option_answers_without_asking(capsys: pytest.CaptureFixture[str]) -> None:
    answer("chat.db", yes=True)

    assert capsys.readouterr().err == ""


def test_on_production_a_terminal_asks_for_the_name_though_yes_was_given(
    production_file: str,
) -> None:
    prompt = "Type its name (chatdb.db) to go ahead:"

    assert asked("chatdb.db\n", production_file, "yes", prompt=prompt).endswith("GONE\n")
    assert asked("y\n", production_file, prompt=prompt).endswith(
        "REFUSED: not confirmed; nothing was changed\n"
    )


def test_on_production_yes_alone_refuses(production_url: DatabaseUrl) -> None:
    name = production_url.name if production_url.path is None else "chatdb.db"

    with pytest.raises(RefusedError, match="is labelled production; nothing was") as caught:
        answer(production_url, yes=True)

    assert caught.value.hint == f"add --confirm {name} to go ahead"
    answer(production_url, yes=True, typed=name)


def test_a_name_is_no_yes(production_file: str) -> None:
    with pytest.raises(RefusedError, match="no terminal") as caught:
        answer(production_file, typed="chatdb")

    assert caught.value.hint == "add --yes to go ahead"
    with pytest.raises(RefusedError) as caught:
        answer(production_file)
    assert caught.value.hint == "add --yes --confirm chatdb.db to go ahead"


@pytest.mark.parametrize("label", ["production", "staging"])
def test_a_wrong_name_refuses_whatever_the_label(sqlite_url: DatabaseUrl, label: str) -> None:
    with Database.open(sqlite_url) as database:
        set_label(database, label)

    with pytest.raises(RefusedError, match=r"the database is chatdb\.db, not chat2"):
        answer(sqlite_url, yes=True, typed="chat2")


def test_a_database_that_does_not_tell_its_label_counts_as_production() -> None:
    with pytest.raises(RefusedError, match="does not report whether it is production") as caught:
        answer(UNREACHABLE_URL, yes=True)

    assert caught.value.hint == "add --confirm chat to go ahead"
    assert "hunter2" not in caught.value.text
    answer(UNREACHABLE_URL, yes=True, typed="chat")


def test_the_label_is_that_of_the_schema_but_for_work_on_the_whole(
    postgresql_url: DatabaseUrl,
) -> None:
    with Database.open(postgresql_url) as database, database.transaction(write=True) as connection:
        connection.exec_driver_sql("CREATE SCHEMA live")
        connection.exec_driver_sql("CREATE TABLE live.chatdb_settings (LIKE chatdb_settings)")
        connection.execute(sa.text("SET LOCAL search_path = live"))
        connection.execute(sa.insert(settings).values(key="environment", value="Production "))
    command = CommandContext(GlobalOptions(database_url=postgresql_url.exposed()))

    confirm(command, [], yes=True)

    with pytest.raises(RefusedError, match="is labelled production"):
        confirm(command, [], yes=True, url=postgresql_url)


def test_a_file_of_another_program_has_no_label(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE chatdb_settings (name)")

    answer(parse_url(str(tmp_path / "other.db")), yes=True)


def test_every_command_with_yes_takes_confirm(run: Callable[..., Any]) -> None:
    for words in (
        ("conversations", "delete"),
        ("schema", "downgrade"),
        ("dev-db", "down"),
        ("dev-db", "checkpoint", "restore"),
    ):
        assert "--confirm NAME" in run(*words, "--help").stdout
    assert "--confirm" not in run("conversations", "list", "--help").stdout
