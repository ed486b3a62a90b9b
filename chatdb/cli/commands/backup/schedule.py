"""`chatdb backup schedule`: backups at fixed times, as text for systemd, cron and Compose."""

import sys
from datetime import datetime, time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from chatdb.cli.backup_keys import EncryptToOption
from chatdb.cli.backup_options import PlaceOption, backup_place
from chatdb.cli.commands.backup.prune import (
    KeepDailyOption,
    KeepLastOption,
    KeepMonthlyOption,
    KeepWeeklyOption,
)
from chatdb.cli.context import CommandContext
from chatdb.cli.options import option
from chatdb.errors import UsageError


class Every(StrEnum):
    """How often."""

    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"


class ScheduleTarget(StrEnum):
    """The scheduler to print for."""

    SYSTEMD = "systemd"
    CRON = "cron"
    COMPOSE = "compose"


def a_clock(text: str) -> time:
    """Read a time of day, `02:30`; raises UsageError."""
    try:
        return datetime.strptime(text.strip(), "%H:%M").time()  # noqa: DTZ007 - a clock has no zone
    except ValueError as error:
        raise UsageError(f"{text!r} is not a valid time of day", hint="--at 02:30") from error


def schedule(
    context: typer.Context,
    targets: Annotated[
        list[ScheduleTarget] | None,
        option("--for", "Scheduler to print for; repeatable.  [default: all]"),
    ] = None,
    every: Annotated[Every, option("--every", "Frequency.")] = Every.DAILY,
    at: Annotated[str, option("--at HH:MM", "Time of day, by the machine's clock.")] = "02:30",
    output: PlaceOption = None,
    encrypt_to: EncryptToOption = None,
    verify: Annotated[
        bool, option("--verify/--no-verify", "Verify each backup after making it.")
    ] = True,
    keep_last: KeepLastOption = 0,
    keep_daily: KeepDailyOption = 7,
    keep_weekly: KeepWeeklyOption = 4,
    keep_monthly: KeepMonthlyOption = 12,
) -> None:
    """Print a systemd timer, a cron line and a Compose service.

    Nothing is installed: the head of each text says where it goes. Passwords and the URL of a
    dead-man's switch (CHATDB_NOTIFY_URL) belong in the environment file it names.

    \b
    Examples:
      chatdb backup schedule --for systemd --output s3://bucket/chat
      chatdb backup schedule --for cron --every hourly --keep-last 24
    """
    from chatdb.operations.backups.schedule import ScheduleFile, ScheduleOptions, schedule_files

    command = CommandContext.of(context)
    keys = [word for key in encrypt_to or [] for word in ("--encrypt-to", key)]
    kept = {
        "--keep-last": keep_last,
        "--keep-daily": keep_daily,
        "--keep-weekly": keep_weekly,
        "--keep-monthly": keep_monthly,
    }
    options = ScheduleOptions(
        every=every.value,
        at=a_clock(at),
        place=backup_place(command, output),
        create=(*(["--verify"] if verify else []), *keys),
        prune=tuple(word for name, count in kept.items() if count for word in (name, str(count))),
        program=_program(),
        database=command.direct_url or command.url,
    )
    files = schedule_files(options, [target.value for target in targets or list(ScheduleTarget)])
    words = "\n".join(file.text for file in files).rstrip("\n")
    command.output.rows(files, ScheduleFile, words=words)


def _program() -> str:
    """Return the full path of this chatdb, because schedulers set no PATH."""
    path = Path(sys.argv[0])
    return str(path.absolute()) if path.name == "chatdb" else "/usr/local/bin/chatdb"
