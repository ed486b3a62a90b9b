"""The targets for people who type make call commands that exist, a line each."""

import re
import shlex
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from chatdb.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
TARGETS = {
    *("dev-db", "dev-db-stop", "dev-db-reset", "dev-db-logs", "dev-db-connect", "status"),
    *("db-backup", "db-restore", "db-schema-dump", "env-template"),
}
ANNOUNCED = {"db-backup", "db-restore"}


def targets() -> dict[str, tuple[str, list[str]]]:
    """Return the targets that call chatdb: their help, and the words of their only line."""
    found = re.findall(
        r"(?m)^([a-z-]+): .*?## (.*)\n\t\$\(BIN\)/chatdb (.*)\n(?!\t)",
        (ROOT / "Makefile").read_text(),
    )
    return {name: (text, shlex.split(line)) for name, text, line in found}


def exists(words: list[str]) -> bool:
    """Tell whether there is a command of this name, options and arguments left out."""
    command = get_command(app)
    for word in words:
        if not isinstance(command, TyperGroup):
            return True
        if word not in command.commands:
            return False
        command = command.commands[word]
    return not isinstance(command, TyperGroup)


def test_every_target_is_a_line_that_calls_chatdb() -> None:
    assert set(targets()) >= TARGETS


@pytest.mark.parametrize("name", sorted(TARGETS - ANNOUNCED))
def test_a_target_calls_a_command_that_exists(name: str) -> None:
    _, words = targets()[name]

    assert exists(words), words


@pytest.mark.parametrize("name", sorted(ANNOUNCED))
def test_a_target_says_so_while_its_command_is_still_to_come(name: str) -> None:
    text, words = targets()[name]

    assert ("to come" in text) is not exists(words)
