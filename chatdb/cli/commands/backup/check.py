"""`chatdb backup check`: is the last backup recent enough?"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import typer

from chatdb.cli.backup_keys import backed_up_database
from chatdb.cli.backup_options import PlaceArgument, backup_place
from chatdb.cli.context import CommandContext
from chatdb.cli.options import option
from chatdb.cli.times import read_age
from chatdb.errors import ExitCode
from chatdb.primitives.filled import filled


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedBackups:
    """The result of the check; `problems` is empty if there are none."""

    place: str
    database: str
    file: str | None
    made_at: datetime | None
    verified_at: datetime | None
    verified_file: str | None
    problems: tuple[str, ...]


def check(
    context: typer.Context,
    place: PlaceArgument = None,
    max_age: Annotated[
        str, option("--max-age AGE", "Maximum age of the last backup: 90m, 26h, '2 weeks'.")
    ] = "26h",
    max_verified_age: Annotated[
        str | None, option("--max-verified-age AGE", "Maximum age of the last verification.")
    ] = None,
) -> None:
    """Check that the last backup is recent enough.

    For monitoring: the exit code is 1 if the last complete backup of the configured database is
    older than 26 hours (or --max-age), or if there is none. Does not connect to the database.

    \b
    Examples:
      chatdb backup check --max-age 26h --max-verified-age 8d
      chatdb backup check s3://bucket/chat
    """
    from chatdb.backups.last_backup import last_backup, staleness
    from chatdb.backups.stores import open_store

    command = CommandContext.of(context)
    age = read_age(max_age, "--max-age", zone=command.zone)
    verified_age = None
    if max_verified_age is not None:
        verified_age = read_age(max_verified_age, "--max-verified-age", zone=command.zone)
    name, kind = backed_up_database(command)
    last = last_backup(open_store(backup_place(command, place)), name, kind)
    now = datetime.now(UTC)
    problems = staleness(last, now=now, max_age=age, max_verified_age=verified_age)
    command.output.record(filled(CheckedBackups, last, problems=problems))
    if problems:
        raise typer.Exit(ExitCode.FAILED)
