"""`chatdb status`: the state of the database on one screen."""

from datetime import UTC, datetime
from functools import partial

import typer

from chatdb import config as settings
from chatdb.cli.context import CommandContext
from chatdb.cli.lazy_group import command_app
from chatdb.cli.next_command import for_the_same_database
from chatdb.cli.options import DataCommand

app = command_app()


@app.command(cls=DataCommand)
def status(context: typer.Context) -> None:
    """Show the state of the database on one screen.

    The URL and where it comes from, sizes and counts, the schema, the last seven days, the last
    backup and smoke test. Works with any schema. Exits with 3 if the database cannot be reached,
    5 if there is none, and 4 if other commands cannot work with its schema. Counts above 100,000
    are estimates.

    \b
    Examples:
      chatdb status
      chatdb status --format json
    """
    from chatdb.operations.doctor.status import read_status

    command = CommandContext.of(context)
    config = command.config
    settings.export_libpq(config)
    now = datetime.now(UTC)
    report, trouble = read_status(
        command.url,
        source=config.database_url.source,
        schema=command.schema,
        organization_key=command.org,
        backups=config.backup.url.value,
        now=now,
    )
    if command.output.is_table:
        from chatdb.cli.commands.status.screen import screen_lines

        output = command.output
        complete = partial(for_the_same_database, options=command.options)
        output.lines(
            screen_lines(
                report,
                now=now,
                zone=command.zone,
                complete=complete,
                width=output.width,
                color=output.color,
            )
        )
    else:
        command.output.record(report)
    for note in report.notes:
        command.diagnostics.note(note)
    if trouble is not None:
        command.require_database_file()
        with command.naming_the_last_database():
            raise trouble
