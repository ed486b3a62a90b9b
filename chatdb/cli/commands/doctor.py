"""`chatdb doctor`: check what chatdb needs and say how to fix problems."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chatdb import config as settings
from chatdb.cli.context import CommandContext
from chatdb.cli.findings import FailOn, FailOnOption, print_findings
from chatdb.cli.lazy_group import command_app
from chatdb.cli.next_command import for_the_same_database
from chatdb.cli.options import DataCommand, YesOption, option
from chatdb.errors import ChatdbError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chatdb.operations.doctor.findings import Finding
    from chatdb.operations.doctor.machine import Settings

app = command_app()


@app.command(cls=DataCommand)
def doctor(
    context: typer.Context,
    deep: Annotated[
        bool,
        option(
            "--deep", "Read the whole SQLite file and full-text index, and test the file's lock."
        ),
    ] = False,
    fix: Annotated[
        bool, option("--fix", "Fix what is safe to fix, after asking; then check again.")
    ] = False,
    yes: YesOption = False,
    fail_on: FailOnOption = FailOn.ERROR,
) -> None:
    """Check what chatdb needs and say how to fix problems.

    Checks Python, programs, settings, disk, the database and its schema. Nothing is changed without
    --fix, which rebuilds a damaged search index, removes other users' permissions on the file and
    checkpoints a large write-ahead log. docs/doctor.md explains each id.

    \b
    Examples:
      chatdb doctor
      chatdb doctor --fail-on warning --format json
      chatdb doctor --fix
    """
    from chatdb.operations.doctor.doctor import examine

    command = CommandContext.of(context)
    where = _settings(command)
    found = examine(where, deep=deep)
    if fix and _mend(command, where, found, yes=yes):
        found = examine(where, deep=deep)
    findings = [replace(each, fix=_fix(command, each.fix)) for each in found]
    print_findings(command, findings, fail_on=fail_on)


def _mend(
    command: CommandContext, where: "Settings", found: "Sequence[Finding]", *, yes: bool
) -> bool:
    """Apply the fixes after asking and report them; return whether there were any."""
    from chatdb.cli.backup_options import StageWatch
    from chatdb.cli.confirm import confirm
    from chatdb.operations.doctor.fix import mends_of

    mends = mends_of(found, where)
    if not mends:
        command.diagnostics.note("nothing that --fix can fix")
        return False
    confirm(command, [f"{mend.id}: {mend.text}" for mend in mends], yes=yes, action="mend")
    for mend in mends:
        try:
            with StageWatch(command) as watch:
                done = mend.run(watch)
        except (ChatdbError, OSError) as failure:
            command.diagnostics.warning(f"{mend.id} could not be fixed: {failure}")
        else:
            command.diagnostics.note(f"{mend.id}: {done}")
    return True


def _fix(command: CommandContext, fix: str | None) -> str | None:
    return None if fix is None else for_the_same_database(fix, command.options)


def _settings(command: CommandContext) -> "Settings":
    """Collect the settings; invalid ones are a finding too."""
    from chatdb.cli.last_database import last_used
    from chatdb.operations.doctor.machine import Settings

    environment = settings.process_environment()
    try:
        config = command.config
        url, direct_url = command.url, command.direct_url
    except ConfigurationError as error:
        return Settings(folder=Path(), environment=environment, trouble=error)
    settings.export_libpq(config)
    return Settings(
        folder=Path(),
        url=url,
        url_source=config.database_url.source,
        direct_url=direct_url,
        last_used=last_used(url, command.words),
        schema=command.schema,
        bindir=command.bindir,
        attachments=command.attachments_folder,
        notes=config.notes,
        environment=environment,
    )
