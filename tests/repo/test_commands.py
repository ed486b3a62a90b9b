"""The command table, the commands, the README and the reference say the same."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from chatdb.cli.app import COMMANDS, app
from chatdb.cli.options import GlobalOption
from tests.repo.reference import reference

ROOT = Path(__file__).resolve().parents[2]


def every_command() -> Iterator[tuple[str, Any]]:
    """Yield each command and group with its full name."""
    pending = [("", get_command(app))]
    while pending:
        path, command = pending.pop()
        if path:
            yield path, command
        if isinstance(command, TyperGroup):
            pending += [
                (f"{path} {name}".strip(), child) for name, child in command.commands.items()
            ]


EVERY_COMMAND = dict(every_command())
COMMAND_NAMES = list(EVERY_COMMAND)


def test_the_table_names_every_command_module() -> None:
    files = {path.stem for path in (ROOT / "chatdb/cli/commands").glob("*.py")} - {"__init__"}

    assert {entry.module.rpartition(".")[2] for entry in COMMANDS.values()} == files


@pytest.mark.parametrize("name", COMMANDS)
def test_the_tables_help_is_the_commands_own(name: str) -> None:
    assert EVERY_COMMAND[name].get_short_help_str(limit=200) == COMMANDS[name].help


@pytest.mark.parametrize("path", COMMAND_NAMES)
def test_every_command_has_help_that_fits_a_line_of_80_columns(path: str) -> None:
    line = EVERY_COMMAND[path].get_short_help_str(limit=200)

    assert 0 < len(line) <= 60
    assert line.endswith(".")


@pytest.mark.parametrize("path", COMMAND_NAMES)
def test_every_command_shows_an_example(path: str) -> None:
    command = EVERY_COMMAND[path]

    if not isinstance(command, TyperGroup):
        assert f"chatdb {path}" in (command.help or "").partition("\b")[2]


@pytest.mark.parametrize("path", COMMAND_NAMES)
def test_every_option_of_a_command_has_help(path: str) -> None:
    for parameter in EVERY_COMMAND[path].params:
        assert parameter.help, parameter.name


@pytest.mark.parametrize("path", COMMAND_NAMES)
def test_a_command_takes_every_global_option(path: str) -> None:
    found = {
        name
        for parameter in EVERY_COMMAND[path].params
        if isinstance(parameter, GlobalOption)
        for name in parameter.opts
    }

    assert {"--database-url", "-d", "--org", "--quiet", "-q", "--debug"} <= found


@pytest.mark.parametrize("path", COMMAND_NAMES)
def test_the_readme_names_every_command(path: str) -> None:
    assert f"chatdb {path}" in (ROOT / "README.md").read_text()


def test_the_reference_is_what_the_commands_say() -> None:
    assert (ROOT / "docs/cli.md").read_text() == reference(), "run make docs"


def test_the_readme_has_the_table_of_exit_codes() -> None:
    from chatdb.errors import ExitCode

    text = (ROOT / "README.md").read_text()

    assert [code for code in ExitCode if f"| {code.value} |" not in text] == []


def test_the_readme_names_every_page_of_the_documentation() -> None:
    text = (ROOT / "README.md").read_text()

    pages = sorted(path.name for path in (ROOT / "docs").glob("*.md"))
    assert [page for page in pages if f"(docs/{page})" not in text] == []
