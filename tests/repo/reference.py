"""The reference of the command line as Markdown: `python -m tests.repo.reference > docs/cli.md`."""

import re
import sys
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from chatdb.cli.app import app

_HEAD = """# Commands

<!-- Written by `make docs` from the commands themselves. -->

The options of `chatdb` itself may stand before or after a command's name.
Exit codes are in [exit-codes.md](exit-codes.md), settings in [configuration.md](configuration.md),
the keys of JSON in [json-keys.md](json-keys.md).
"""


def reference() -> str:
    """Return the whole page; the same whatever the terminal's width."""
    root = get_command(app)
    context = typer.Context(root, info_name="chatdb", terminal_width=90, max_content_width=90)
    parts = [_HEAD]
    for path, command in _walk("chatdb", root):
        parts.append(_section(path, command, context))
    return "\n".join(parts)


def _walk(path: str, command: Any) -> Any:
    yield path, command
    if isinstance(command, TyperGroup):
        for name in command.commands:
            yield from _walk(f"{path} {name}", command.commands[name])


def _section(path: str, command: Any, root: typer.Context) -> str:
    context = typer.Context(command, info_name=path, parent=None, terminal_width=90)
    context.help_option_names = root.help_option_names
    usage = " ".join(command.collect_usage_pieces(context))
    first, *rest = re.split(r"\n\s*\n", (command.help or "").strip())
    lines = ["#" * (1 + len(path.split())) + f" `{path}`", "", " ".join(first.split()), ""]
    lines += ["```", f"{path} {usage}".rstrip(), "```", "", *_block_lines(rest)]
    lines += _parameter_lines("argument", command, context)
    lines += _parameter_lines("option", command, context)
    if isinstance(command, TyperGroup):
        lines += [
            f"- `{path} {name}`: {_first_line(child)}" for name, child in command.commands.items()
        ]
        lines.append("")
    return "\n".join(lines)


def _block_lines(blocks: list[str]) -> list[str]:
    """Return the lines of the help's blocks; one kept as it is (after a \\b) becomes code."""
    lines: list[str] = []
    for block in blocks:
        if block.startswith("\b"):
            first, *rest = block.removeprefix("\b").strip("\n").split("\n")
            lines += [first, "", "```", *(line.removeprefix("  ") for line in rest), "```", ""]
        else:
            lines += [" ".join(block.split()), ""]
    return lines


def _parameter_lines(kind: str, command: Any, context: typer.Context) -> list[str]:
    records = [
        parameter.get_help_record(context)
        for parameter in command.get_params(context)
        if parameter.param_type_name == kind and "--help" not in parameter.opts
    ]
    found = [record for record in records if record is not None]
    if not found:
        return []
    rows = [f"| `{_cell(name)}` | {_cell(text)} |" for name, text in found]
    return [f"| {kind} | |", "|---|---|", *rows, ""]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _first_line(command: Any) -> str:
    return str(command.get_short_help_str(limit=200))


if __name__ == "__main__":
    sys.stdout.write(reference())
