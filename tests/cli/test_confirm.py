"""Nothing is destroyed without a yes."""

import sys
from typing import Any

import pytest

from chatdb.cli.confirm import confirm
from chatdb.cli.context import CommandContext
from chatdb.cli.options import GlobalOptions
from chatdb.errors import RefusedError
from tests.cli.conftest import process_environment, run_on_pty

SECRET_URL = "postgresql://me:hunter2@db.example/chat"
SCRIPT = f"""
from chatdb.cli.confirm import confirm
from chatdb.cli.context import CommandContext
from chatdb.cli.options import GlobalOptions
from chatdb.errors import RefusedError
try:
    command = CommandContext(GlobalOptions(database_url={SECRET_URL!r}))
    confirm(command, ["3 conversations", "120 messages"], yes=False)
    print("GONE")
except RefusedError as error:
    print("REFUSED:", error.text)
"""


def asked(keys: str) -> str:
    """Return what a terminal shows when the question is answered by these keys."""
    words = [sys.executable, "-c", SCRIPT]
    answer: Any = run_on_pty(words, 80, process_environment(), "[y/N]", keys)
    return str(answer.stdout)


@pytest.mark.parametrize("keys", ["y\n", "yes\n", " Y \n"])
def test_yes_goes_ahead(keys: str) -> None:
    assert asked(keys).endswith("GONE\n")


@pytest.mark.parametrize("keys", ["n\n", "\n", "\x04", "yep\n", "yes please\n"])
def test_anything_else_refuses(keys: str) -> None:
    assert asked(keys).endswith("REFUSED: not confirmed; nothing was changed\n")


def test_the_question_names_the_redacted_database_and_the_counts() -> None:
    text = asked("n\n")

    assert "This will delete from postgresql://me:***@db.example/chat:" in text
    assert "  3 conversations\n  120 messages\n" in text
    assert "hunter2" not in text


def test_without_a_terminal_and_without_yes_it_refuses(
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = CommandContext(GlobalOptions(database_url=SECRET_URL))

    with pytest.raises(RefusedError, match="no terminal to ask on") as caught:
        confirm(command, ["3 conversations"], yes=False)

    assert caught.value.exit_code == 6
    assert "--yes" in str(caught.value.hint)
    assert "3 conversations" in capsys.readouterr().err


def test_yes_as_an_option_answers_without_asking(capsys: pytest.CaptureFixture[str]) -> None:
    confirm(CommandContext(GlobalOptions()), ["3 conversations"], yes=True)

    assert capsys.readouterr().err == ""
