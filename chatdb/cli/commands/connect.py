"""`chatdb connect`: open the database in psql, pgcli or sqlite3."""

import sys

import typer

from chatdb import config as settings
from chatdb.cli.client import become
from chatdb.cli.context import CommandContext
from chatdb.cli.diagnostics import is_terminal
from chatdb.cli.lazy_group import command_app
from chatdb.cli.options import ClientArguments, ReadOnlyOption, SqlOption

app = command_app()


@app.command()
def connect(
    context: typer.Context,
    words: ClientArguments = None,
    sql: SqlOption = None,
    read_only: ReadOnlyOption = False,
) -> None:
    """Open the database in psql, pgcli or sqlite3.

    PostgreSQL opens in psql, or in pgcli on a terminal if it is installed; SQLite opens in sqlite3.
    The exit code is the client's. The password is passed on without being shown.

    \b
    Examples:
      chatdb connect --read-only
      chatdb connect -c "SELECT count(*) FROM messages" -- --csv
    """
    from chatdb.operations.dev_db.connect import ClientSession, client_call

    command = CommandContext.of(context)
    settings.export_libpq(command.config)
    command.require_database_file()
    session = ClientSession(
        schema=command.schema,
        read_only=read_only,
        sql=sql,
        words=words or (),
        on_terminal=is_terminal(sys.stdin) and command.output.is_terminal,
        bindir=command.bindir,
        options=settings.libpq_options(),
    )
    become(client_call(command.url, session), command.diagnostics.warning)
