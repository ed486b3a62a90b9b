"""Shared by the commands of `chatdb backup`: the place, the programs, the progress."""

from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Annotated, Self

from chatdb import config as settings
from chatdb.cli import completion
from chatdb.cli.context import CommandContext
from chatdb.cli.options import argument, option
from chatdb.cli.progress import BYTES, Progress, QuietProgress, Unit
from chatdb.errors import ConfigurationError

if TYPE_CHECKING:
    from chatdb.servers.dump_programs import DumpPrograms

BackupArgument = Annotated[
    str,
    argument(
        "FILE",
        "Backup name, one of its files, or: latest.",
        autocompletion=completion.backups,
    ),
]

PlaceArgument = Annotated[
    str | None, argument("[PLACE]", "Place of the backups.  [default: backups]")
]
PlaceOption = Annotated[
    str | None, option("--output -o PLACE", "Place of the backups.  [default: backups]")
]


def backup_place(command: CommandContext, typed: str | None) -> str:
    """Return where backups are kept: the option, else CHATDB_BACKUP_URL, else `backups`."""
    return typed or command.config.backup.url.value


def dump_programs(command: CommandContext) -> "DumpPrograms":
    """Return how to find and run pg_dump, pg_restore and psql."""
    from chatdb.servers.dump_programs import DumpPrograms

    settings.export_libpq(command.config)
    server = None
    with suppress(ConfigurationError):  # Verifying a file needs no database.
        server = command.direct_url or command.url
    return DumpPrograms(settings.process_environment(), command.bindir, server)


class StageWatch:
    """Reports long work in stages: a bar for each, notes and warnings above it."""

    def __init__(self, command: CommandContext) -> None:
        self.diagnostics = command.diagnostics
        self._stage = ExitStack()
        self._progress: Progress = QuietProgress()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self._stage.close()

    def note(self, text: str) -> None:
        """Write a note."""
        self.diagnostics.note(text)

    def warning(self, text: str) -> None:
        """Write a warning."""
        self.diagnostics.warning(text)

    def begin(self, what: str, total: int | None, unit: Unit = BYTES) -> None:
        """End the previous stage and show a new one."""
        self._stage.close()
        self._progress = self._stage.enter_context(
            self.diagnostics.progress(what, total=total, unit=unit)
        )

    def end(self) -> None:
        """End the stage before a question or other output."""
        self._stage.close()

    def advance(self, amount: int) -> None:
        """Count `amount` more as done."""
        self._progress.advance(amount)
