"""The command table, the commands, the README and the reference say the same."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
    folder = ROOT / "chatdb/cli/commands"
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in folder.rglob("*.py")
        if (path.parent == folder or path.stem in ("group", "command"))
        and re.search(r"(?m)^app = ", path.read_text())
    }
    assert len(modules) > 30

    assert {entry.module.partition(":")[0] for entry in COMMANDS.values()} == modules


def test_the_tables_help_is_the_commands_own() -> None:
    own = {name: EVERY_COMMAND[name].get_short_help_str(limit=200) for name in COMMANDS}

    assert own == {name: command.help for name, command in COMMANDS.items()}


def test_every_command_has_help_that_fits_a_line_of_80_columns() -> None:
    lines = {path: EVERY_COMMAND[path].get_short_help_str(limit=200) for path in COMMAND_NAMES}

    assert len(lines) > 80
    assert {path: line for path, line in lines.items() if not 0 < len(line) <= 60} == {}
    assert {path: line for path, line in lines.items() if not line.endswith(".")} == {}


def test_every_command_shows_an_example() -> None:
    examples = {
        path: (command.help or "").partition("\b")[2]
        for path, command in EVERY_COMMAND.items()
        if not isinstance(command, TyperGroup)
    }

    assert [path for path, text in examples.items() if f"chatdb {path}" not in text] == []


def test_every_option_of_a_command_has_help() -> None:
    silent = [
        f"{path} {parameter.name}"
        for path, command in EVERY_COMMAND.items()
        for parameter in command.params
        if not parameter.help
    ]

    assert silent == []


def test_a_command_takes_every_global_option() -> None:
    wanted = {"--database-url", "-d", "--org", "--quiet", "-q", "--debug"}
    found = {
        path: {
            name for each in command.params if isinstance(each, GlobalOption) for name in each.opts
        }
        for path, command in EVERY_COMMAND.items()
    }

    assert [path for path, names in found.items() if not wanted <= names] == []


def test_the_readme_names_common_commands_and_no_other() -> None:
    text = (ROOT / "README.md").read_text()
    table = text.partition("## Commands\n")[2].partition("\n## ")[0]
    named = re.findall(r"`chatdb ([a-z-]+)`", table)

    assert len(named) > 20
    assert len(named) == len({*named} & {*COMMANDS})
    assert len(text.splitlines()) <= 120


def test_the_reference_is_what_the_commands_say() -> None:
    assert (ROOT / "docs/cli.md").read_text() == reference(), "run make docs"
