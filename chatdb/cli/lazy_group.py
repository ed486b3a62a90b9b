"""A command group that imports a command's module only when the command is asked for.

Building every command from its annotations would take longer than most commands.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from itertools import groupby
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from chatdb.cli.options import add_global_options
from chatdb.errors import UsageError


@dataclass(frozen=True, slots=True)
class CommandEntry:
    """A row of the command table: the module that has `app: typer.Typer`, and its one-line help.

    `group` is the heading in the help. `module:name` is a command of the module's group, which has
    a short name here.
    """

    module: str
    help: str
    group: str


class LazyCommands(Mapping[str, Any]):
    """The commands by name, each imported and built on first use."""

    def __init__(self, table: dict[str, CommandEntry]) -> None:
        self.table = table

    def __getitem__(self, name: str) -> Any:
        module, _, child = self.table[name].module.partition(":")
        if not child:
            return _built(module, name)
        return next(
            self[group].commands[child] for group, row in self.table.items() if row.module == module
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self.table)

    def __len__(self) -> int:
        return len(self.table)


@cache
def _built(module: str, name: str) -> Any:
    command = get_command(import_module(module).app)
    command.name = name
    for child in getattr(command, "commands", {}).values():
        # Otherwise the group's help cuts it to the terminal's width.
        child.short_help = (child.help or "").strip().partition("\n")[0]
    add_global_options(command, listed=False)
    return command


class CommandGroup(TyperGroup):
    """A group that knows by which other words people look for its commands."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command; raises UsageError that names the one meant by another word."""
        if args[0] not in self.commands and not ctx.resilient_parsing:
            from chatdb.cli.synonyms import command_meant

            meant = command_meant(ctx.command_path, args[0], list(self.commands))
            if meant is not None:
                raise UsageError(f"no such command {args[0]!r}", hint=f"it is called: {meant}")
        return super().resolve_command(ctx, args)


class LazyGroup(CommandGroup):
    """A group over a static table; a subclass names it in `table`."""

    table: ClassVar[dict[str, CommandEntry]] = {}

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands: Any = LazyCommands(self.table)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the commands by group in the help, without importing any of them."""
        del ctx
        width = max(map(len, self.table))
        for group, rows in groupby(self.table.items(), key=lambda row: row[1].group):
            with formatter.section(group):
                formatter.write_dl([(name.ljust(width), entry.help) for name, entry in rows])

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Offer the commands to the shell without importing any of them."""
        with self._table_only():
            return list(super().shell_complete(ctx, incomplete))

    @contextmanager
    def _table_only(self) -> Iterator[None]:
        """Use the table's names and help lines for the commands."""
        lazy = self.commands
        self.commands = {
            name: TyperCommand(name, short_help=entry.help) for name, entry in self.table.items()
        }
        try:
            yield
        finally:
            self.commands = lazy


def command_app() -> typer.Typer:
    """Return the app of a module with one command, which is mounted as that command."""
    return typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def group_app(help_text: str) -> typer.Typer:
    """Return the app of a module with several commands; alone it prints its help and exits 2."""
    app = typer.Typer(
        cls=CommandGroup,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        no_args_is_help=True,
        help=help_text,
    )

    @app.callback()
    def group() -> None:
        pass

    return app
