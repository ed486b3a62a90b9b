"""`chatdb wait`: wait until the database answers."""

from typing import Annotated

import typer

from chatdb import config as settings
from chatdb.cli.context import CommandContext
from chatdb.cli.lazy_group import command_app
from chatdb.cli.options import seconds

app = command_app()


@app.command()
def wait(
    context: typer.Context,
    timeout: Annotated[
        float, seconds("--timeout", "How long to wait for the database; 0 tries once.")
    ] = 60.0,
) -> None:
    """Wait until the database answers a query.

    Reports why it does not answer yet; exits with 3 when time runs out. A SQLite file that does not
    exist yet counts as answering: the first import creates it.

    \b
    Examples:
      chatdb wait --timeout 30 && chatdb migrate
      chatdb wait --quiet --timeout 0
    """
    from chatdb.db.reachable import wait_until_reachable

    command = CommandContext.of(context)
    settings.export_libpq(command.config)
    seconds = wait_until_reachable(command.url, timeout, command.diagnostics.note)
    command.diagnostics.note(f"{command.url.redacted()} answers ({seconds:.2f} s)")
