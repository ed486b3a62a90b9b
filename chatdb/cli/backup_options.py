"""What the commands of `chatdb backup` share: the place, the programs, the progress."""

from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Self

import typer

from chatdb import config as settings
from chatdb.cli.context import CommandContext
from chatdb.cli.progress import BYTES, Progress, QuietProgress, Unit
from chatdb.errors import ConfigurationError

if TYPE_CHECKING:
    from chatdb.servers.dump_programs import DumpPrograms

BackupArgument = Annotated[
    str, typer.Argument(metavar="FILE", help="A file of it, its name, or: latest.")
]


def backup_place(command: CommandContext, typed: str | None) -> str:
    """Return where backups are kept: what was typed, else CHATDB_BACKUP_URL, else `backups`."""
    return typed or command.config.backup.url.value


def dump_programs(command: CommandContext) -> "DumpPrograms":
    """Return how pg_dump, pg_restore and psql are found and run."""
    from chatdb.servers.dump_programs import DumpPrograms

    settings.export_libpq(command.config)
    bindir = command.config.pg_bindir
    server = None
    with suppress(ConfigurationError):  # a file is verified without any database
        server = command.direct_url or command.url
    return DumpPrograms(
        settings.process_environment(), None if bindir is None else Path(bindir.value), server
    )


class StageWatch:
    """Tells the user of long work in stages: a bar for each, notes and warnings above it."""

    def __init__(self, command: CommandContext) -> None:
        self._diagnostics = command.diagnostics
        self._stage = ExitStack()
        self._progress: Progress = QuietProgress()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stage.__exit__(kind, error, traceback)

    def note(self, text: str) -> None:
        """Write a note."""
        self._diagnostics.note(text)

    def warning(self, text: str) -> None:
        """Write a warning."""
        self._diagnostics.warning(text)

    def begin(self, what: str, total: int | None, unit: Unit = BYTES) -> None:
        """End the stage before and show a new one."""
        self._stage.close()
        self._progress = self._stage.enter_context(
            self._diagnostics.progress(what, total=total, unit=unit)
        )

    def end(self) -> None:
        """End the stage, for what is asked or written next."""
        self._stage.close()

    def advance(self, amount: int) -> None:
        """Count so much more as done."""
        self._progress.advance(amount)
