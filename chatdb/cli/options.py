"""The options that commands share: one alias each, and the global ones that stand anywhere.

A command writes `limit: LimitOption = 50` and gets the same name, help and type as every other.
The global options (`--database-url`, `--org`, `--quiet` ...) are added to every command by the
lazy group: a command never declares them. They are listed in the help of `chatdb` only.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup, TyperOption


class Format(StrEnum):
    """How a command prints its data; all four hold the same data."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


A_DAY = 86_400
"""The longest that an option lets chatdb wait, in seconds."""

FormatOption = Annotated[
    Format, typer.Option("--format", help="How to print the data.", show_default=True)
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Say what would happen; write nothing at all.")
]
LimitOption = Annotated[
    int, typer.Option("--limit", min=1, max=1_000_000_000, help="Show at most so many.")
]
AllOrgsOption = Annotated[
    bool, typer.Option("--all-orgs", help="Of every organization, in place of one.")
]
AfterOption = Annotated[
    str | None,
    typer.Option("--after", metavar="CURSOR", help="Go on after the cursor of the page before."),
]

ConversationArgument = Annotated[
    str,
    typer.Argument(metavar="ID", help="Its id, the beginning or end of it, or last."),
]
ConversationArguments = Annotated[
    list[str],
    typer.Argument(metavar="ID...", help="Their ids, beginnings or ends of them, or last."),
]
WithinConversation = Annotated[
    str,
    typer.Argument(metavar="CONVERSATION", help="The conversation: its id, a part of it, or last."),
]
UserOption = Annotated[
    str | None,
    typer.Option("--user", metavar="ID", help="Only this user's: those of others are not found."),
]
MetaOption = Annotated[
    list[str] | None,
    typer.Option(
        "--meta", metavar="KEY=VALUE", help="Only with this in their metadata; repeatable."
    ),
]


def _native_name(value: Path | None) -> Path | None:
    """Return the file that is to hold native lines; UsageError for another format's name."""
    if value is not None:
        from chatdb.formats.writing import check_native_name

        check_native_name(value)
    return value


KeepToOption = Annotated[
    Path | None,
    typer.Option(
        "--keep-to",
        metavar="FILE",
        help="Keep what goes in this new file.",
        callback=_native_name,
    ),
]
NoKeepOption = Annotated[bool, typer.Option("--no-keep", help="Keep nothing: erase it for good.")]


def a_number(value: float | None) -> float | None:
    """Return the seconds as typed; `nan` passes every minimum and maximum, so it is refused here.

    The callback of every option that takes a time. Raises BadParameter.
    """
    if value is not None and value != value:  # noqa: PLR0124 - what only NaN is
        raise typer.BadParameter("nan is not a number of seconds")
    return value


@dataclass(slots=True)
class GlobalOptions:
    """The global options as typed; None and False mean not given."""

    database_url: str | None = None
    direct_url: str | None = None
    schema: str | None = None
    org: str | None = None
    no_color: bool = False
    quiet: bool = False
    verbose: bool = False
    debug: bool = False
    raw_csv: bool = False
    confirm: str | None = None


class GlobalOption(TyperOption):
    """An option that may stand before or after the command's name; the help lists it once."""

    listed = True

    def get_help_record(self, ctx: Any) -> tuple[str, str] | None:
        """Return the line of the help, for the root command only."""
        return super().get_help_record(ctx) if self.listed else None


_VALUES = (
    (["--database-url", "-d"], "URL", "The database; see chatdb config show."),
    (["--direct-url"], "URL", "The database without its pooler, for migrations."),
    (["--schema"], "NAME", "The PostgreSQL schema that chatdb's tables live in."),
    (["--org"], "KEY", "The organization (tenant) to work on.  [default: default]"),
)
_RAW_CSV = (["--raw-csv"], "Leave CSV cells that look like formulas as they are.")
_CONFIRM = (["--confirm"], "NAME", "The database's name: wanted where it is labelled production.")
_FLAGS = (
    (["--no-color"], "No colours; NO_COLOR in the environment does the same."),
    (["--quiet", "-q"], "No notes and no progress; errors and data only."),
    (["--verbose", "-v"], "Say more of what happens."),
    (["--debug"], "Show the traceback of an error."),
)


def add_global_options(command: Any, *, listed: bool) -> None:
    """Give a command, and all below it if it is a group, the global options it lacks.

    A command with `--format` gets `--raw-csv` as well, one with `--yes` `--confirm`.
    """
    taken = {name for parameter in command.params for name in parameter.opts}
    options = [_value_option(*row) for row in _VALUES] + [_flag(*row) for row in _FLAGS]
    for option in options:
        option.listed = listed
    if "--format" in taken:
        options.append(_flag(*_RAW_CSV))
    if "--yes" in taken:
        options.append(_value_option(*_CONFIRM))
    command.params += [option for option in options if taken.isdisjoint(option.opts)]
    if isinstance(command, TyperGroup) and not listed:
        for child in command.commands.values():
            add_global_options(child, listed=False)


def _value_option(names: list[str], metavar: str, help_text: str) -> GlobalOption:
    return GlobalOption(
        param_decls=names,
        type=str,
        metavar=metavar,
        help=help_text,
        expose_value=False,
        callback=_remember,
    )


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
    """Keep a value that was typed; the one nearest to the end of the line wins."""
    if value is not None and value is not False:
        setattr(context.find_root().ensure_object(GlobalOptions), parameter.name, value)
    return value
