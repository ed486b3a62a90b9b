"""The options that commands share: one alias each, and the global ones, accepted anywhere.

A command writes `limit: LimitOption = 50` and gets the same name, help and type as every other. The
global options (`--database-url`, `--org`, `--quiet` ...) are added to every command by the lazy
group: a command never declares them. Only the help of `chatdb` lists them.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption
from typer.main import get_click_type
from typer.models import OptionInfo

from chatdb.cli import completion
from chatdb.cli.next_page import whole_cursor


class OutputFormat(StrEnum):
    """How a command prints its data; all four formats hold the same data."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


A_DAY = 86_400
"""The longest time that an option lets chatdb wait, in seconds."""


def option(names: str, help_text: str, **more: Any) -> Any:
    """Return an option, written as in the help: `--output -o FILE`; a flag has no last word."""
    *declarations, last = names.split()
    if last.startswith("-"):
        declarations.append(last)
    else:
        more["metavar"] = last
    return typer.Option(*declarations, help=help_text, **more)


def argument(metavar: str | None, help_text: str, **more: Any) -> Any:
    """Return an argument; its metavar is the parameter's name if None is given."""
    return typer.Argument(metavar=metavar, help=help_text, **more)


YesOption = Annotated[bool, option("--yes -y", "Do not ask for confirmation.")]
DryRunOption = Annotated[
    bool, option("--dry-run", "Show what would happen without writing anything.")
]
LimitOption = Annotated[int, option("--limit", "Maximum number to show.", min=1, max=1_000_000_000)]
AllOrgsOption = Annotated[bool, option("--all-orgs", "All organizations instead of one.")]
AfterOption = Annotated[
    str | None,
    option(
        "--after CURSOR",
        "Continue after this cursor, printed with the previous page.",
        callback=whole_cursor,
    ),
]

ClientArguments = Annotated[
    list[str] | None,
    argument("[-- ARGS...]", "Arguments passed on to the client.", show_default=False),
]
SqlOption = Annotated[str | None, option("--command -c SQL", "Run this SQL and exit.")]
ReadOnlyOption = Annotated[
    bool, option("--read-only", "Open a read-only session, to prevent accidental changes.")
]

ConversationArgument = Annotated[
    str,
    argument(
        "ID", "Full id, its beginning or end, or: last.", autocompletion=completion.conversations
    ),
]
ConversationArguments = Annotated[
    list[str],
    argument(
        "ID...",
        "Ids, or the beginning or end of each, or: last.",
        autocompletion=completion.conversations,
    ),
]
WithinConversation = Annotated[
    str,
    argument(
        "CONVERSATION",
        "Conversation id, its beginning or end, or: last.",
        autocompletion=completion.conversations,
    ),
]
UserOption = Annotated[
    str | None, option("--user ID", "Only this user's; other users' are treated as not found.")
]
UpdatedSinceOption = Annotated[
    str | None,
    option("--since TIME", "Only those updated then or later: 2025-06, 30d, yesterday."),
]
UpdatedUntilOption = Annotated[
    str | None,
    option("--until TIME", "Only those updated then or earlier; 2025-06: all of June."),
]
MessagesSinceOption = Annotated[
    str | None, option("--since TIME", "Only messages from then on: 2025-06, 30d, yesterday.")
]
MessagesUntilOption = Annotated[
    str | None, option("--until TIME", "Only messages up to then; 2025-06: all of June.")
]
MetaOption = Annotated[
    list[str] | None,
    option("--meta KEY=VALUE", "Only conversations with this metadata; repeatable."),
]


def _native_name(value: Path | None) -> Path | None:
    """Return the file for native lines; UsageError if its name says another format."""
    if value is not None:
        from chatdb.formats.files.writing import check_native_name

        check_native_name(value)
    return value


KeepToOption = Annotated[
    Path | None,
    option("--keep-to FILE", "Save what is removed to this new file.", callback=_native_name),
]
NoKeepOption = Annotated[bool, option("--no-keep", "Save nothing: erase it permanently.")]


def a_number(value: float | None) -> float | None:
    """Return the seconds as typed; `nan` passes every minimum and maximum, so it is refused here.

    The callback of every option that takes a time. Raises BadParameter.
    """
    if value is not None and value != value:  # noqa: PLR0124 - what only NaN is
        raise typer.BadParameter("nan is not a number of seconds")
    return value


def seconds(name: str, help_text: str, *, least: float = 0) -> Any:
    """Return an option that takes a time in seconds, a day at most."""
    return option(f"{name} SECONDS", help_text, min=least, max=A_DAY, callback=a_number)


TimeoutOption = Annotated[float, seconds("--timeout", "Give up after this time.", least=0.01)]
RolesOption = Annotated[
    list[str] | None,
    option(
        "--role ROLE",
        "Only messages of this role: user, assistant, system or tool.",
        autocompletion=completion.roles,
    ),
]
NewMetaOption = Annotated[
    list[str] | None, option("--meta KEY=VALUE", "Metadata to store; repeatable.")
]
NoSearchIndexOption = Annotated[
    bool, option("--no-search-index", "Do not build the full-text index now.")
]
DisconnectOption = Annotated[bool, option("--force", "Disconnect other sessions.")]


class DataCommand(TyperCommand):
    """A command that prints data: it gets `--format` and `--raw-csv`, after its own options."""


@dataclass(slots=True)
class GlobalOptions:
    """The global options as typed; None and False mean not given."""

    database_url: str | None = None
    direct_url: str | None = None
    schema: str | None = None
    org: str | None = None
    attachments_dir: str | None = None
    no_color: bool = False
    quiet: bool = False
    verbose: bool = False
    debug: bool = False
    format: OutputFormat = OutputFormat.TABLE
    raw_csv: bool = False
    confirm: str | None = None


class GlobalOption(TyperOption):
    """An option that may stand before or after the command's name; the help lists it once."""

    listed = True

    def get_help_record(self, ctx: Any) -> tuple[str, str] | None:
        """Return the line of the help, for the root command only."""
        return super().get_help_record(ctx) if self.listed else None


_VALUES = (
    (["--database-url", "-d"], "URL", "Database URL; chatdb config show prints the one in use."),
    (["--direct-url"], "URL", "Database URL that bypasses the pooler, for migrations."),
    (["--schema"], "NAME", "PostgreSQL schema of chatdb's tables."),
    (["--org"], "KEY", "Organization (tenant) to work on.  [default: default]"),
)
_ATTACHMENTS_DIR = (
    ["--attachments-dir"],
    "FOLDER",
    "Folder of the attachments that are kept.  [default: beside a SQLite file]",
)
_RAW_CSV = (["--raw-csv"], "Leave CSV cells that look like formulas unchanged.")
_CONFIRM = (["--confirm"], "NAME", "The database's name; required if it is labelled production.")
_FLAGS = (
    (["--no-color"], "No colours; NO_COLOR in the environment does the same."),
    (["--quiet", "-q"], "Print only errors and data: no notes, no progress."),
    (["--verbose", "-v"], "Print more detail."),
    (["--debug"], "Show the traceback of an error."),
)


_EPILOG = """\b
Global options, explained by chatdb --help:
  -d URL, --org KEY, --schema NAME, --direct-url URL, --no-color, -q, -v,
  --attachments-dir FOLDER, --debug"""


def add_global_options(command: Any, *, listed: bool) -> None:
    """Add the global options that a command, and every command below a group, lacks.

    A command that prints data gets `--format` and `--raw-csv`, one with `--yes` `--confirm`.
    """
    taken = {name for parameter in command.params for name in parameter.opts}
    options = [_value_option(*row) for row in (*_VALUES, _ATTACHMENTS_DIR)] + [
        _flag(*row) for row in _FLAGS
    ]
    for option in options:
        option.listed = listed
    if not listed:
        command.epilog = _EPILOG
    if isinstance(command, DataCommand):
        options += [_format_option(), _flag(*_RAW_CSV)]
    if "--yes" in taken:
        options.append(_value_option(*_CONFIRM))
    command.params += [option for option in options if taken.isdisjoint(option.opts)]
    if isinstance(command, TyperGroup) and not listed:
        for child in command.commands.values():
            add_global_options(child, listed=False)


def _format_option() -> GlobalOption:
    return GlobalOption(
        param_decls=["--format"],
        type=get_click_type(annotation=OutputFormat, parameter_info=OptionInfo()),
        default=OutputFormat.TABLE.value,
        show_default=True,
        help="Output format.",
        expose_value=False,
        callback=_remember_format,
    )


def _remember_format(context: Any, _parameter: Any, value: str) -> None:
    context.find_root().ensure_object(GlobalOptions).format = OutputFormat(value)


def _value_option(names: list[str], metavar: str, help_text: str) -> GlobalOption:
    return GlobalOption(
        param_decls=names,
        type=str,
        metavar=metavar,
        help=help_text,
        expose_value=False,
        callback=_remember,
        autocompletion=_organizations if "--org" in names else None,
    )


def _organizations(context: Any, _words: list[str], incomplete: str) -> Any:
    return completion.organizations(context, incomplete)


def _flag(names: list[str], help_text: str) -> GlobalOption:
    return GlobalOption(
        param_decls=names,
        is_flag=True,
        default=False,
        help=help_text,
        expose_value=False,
        callback=_remember,
    )


def _remember(context: Any, parameter: Any, value: Any) -> Any:
    """Store a value that was typed; the last one on the line wins."""
    if value is not None and value is not False:
        setattr(context.find_root().ensure_object(GlobalOptions), parameter.name, value)
    return value
