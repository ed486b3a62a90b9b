"""`chatdb dev-db`: a PostgreSQL server for development, with or without Docker."""

import sys
from contextlib import nullcontext
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chatdb import config as settings
from chatdb.cli.commands.dev_db import checkpoint as dev_db_checkpoint
from chatdb.cli.commands.dev_db.gone_reader import ends_with_reader
from chatdb.cli.commands.dev_db.report import UpReport, print_reset_plan, tell_next, up_line
from chatdb.cli.confirm import confirm, would_be
from chatdb.cli.context import CommandContext
from chatdb.cli.dev_server import dev_database, options
from chatdb.cli.diagnostics import is_terminal
from chatdb.cli.lazy_group import group_app
from chatdb.cli.options import (
    ClientArguments,
    DataCommand,
    DisconnectOption,
    DryRunOption,
    ReadOnlyOption,
    SqlOption,
    YesOption,
    option,
    seconds,
)
from chatdb.cli.text import counted
from chatdb.primitives.sizes import size_text

if TYPE_CHECKING:
    from chatdb.db.url import DatabaseUrl

app = group_app("Run a development PostgreSQL, with or without Docker.")
app.add_typer(dev_db_checkpoint.app, name="checkpoint")


class EngineName(StrEnum):
    """What runs the server; `auto` picks the first that works here."""

    AUTO = "auto"
    COMPOSE = "compose"
    EMBEDDED = "embedded"


_BACKUP = (
    '(export CHATDB_DATABASE_URL="$(chatdb dev-db url --show-password)";'
    " chatdb backup create && chatdb backup verify latest)"
)
"""Backs up the development database and verifies it; the configured one may be another database."""

EngineOption = Annotated[EngineName, option("--engine", "What runs the server.", show_default=True)]
PortOption = Annotated[
    str | None, option("--port N|auto", "Port on 127.0.0.1; auto picks a free one.")
]
WaitOption = Annotated[float, seconds("--wait", "How long to wait for the server to answer.")]


@app.command(cls=DataCommand)
def up(
    context: typer.Context,
    engine: EngineOption = EngineName.AUTO,
    port: PortOption = None,
    migrate: Annotated[
        bool, option("--migrate", "Migrate its schema to the newest revision.")
    ] = False,
    seed: Annotated[
        bool, option("--seed", "Fill it with made-up chats, after migrating it.")
    ] = False,
    write_env: Annotated[bool, option("--write-env", "Write DATABASE_URL to .env.")] = False,
    wait: WaitOption = 120.0,
) -> None:
    """Start the server, creating it first if needed.

    The server belongs to the current directory, listens on 127.0.0.1 only, and is left alone if it
    is already running. The engine auto means Docker Compose (or Podman's), else PostgreSQL's own
    programs. A server always keeps the engine that created it.

    \b
    Examples:
      chatdb dev-db up --migrate --write-env
      chatdb dev-db up --engine embedded --port auto --seed
    """
    command = CommandContext.of(context)
    dev = dev_database(command)
    asked = options(command, engine=engine.value, port=port)
    started = dev.up(asked, seconds=wait, note=command.diagnostics.note)
    url = started.server.url
    revisions = _migrate(command, url) if migrate or seed else None
    seeded = _seed(command, url) if seed else None
    env_file = _write_env(command, url) if write_env else None
    report = UpReport.of(started, revisions=revisions, seeded=seeded, env_file=env_file)
    command.output.record(report, words=up_line(report))
    if command.output.is_table:
        tell_next(command, url, report)


@app.command()
def stop(context: typer.Context) -> None:
    """Stop the server and keep its data.

    \b
    Example:
      chatdb dev-db stop
    """
    command = CommandContext.of(context)
    if dev_database(command).stop(note=command.diagnostics.note):
        command.output.text("stopped; its data is kept: chatdb dev-db up starts it again")
    else:
        command.output.text("nothing to stop: there is no running development server here")


@app.command()
def down(
    context: typer.Context,
    volumes: Annotated[bool, option("--volumes", "Also delete everything it stored.")] = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Stop the server and remove what runs it.

    The data is kept unless --volumes is given; then it is deleted permanently, including
    checkpoints.

    \b
    Examples:
      chatdb dev-db down
      chatdb dev-db down --volumes
    """
    from chatdb.operations.dev_db.env_file import remove_database_url
    from chatdb.operations.dev_db.status import label_noted, status

    command = CommandContext.of(context)
    dev = dev_database(command)
    is_there = dev.project.load() is not None
    plan = []
    if volumes and is_there:
        seen = status(dev)
        size = "" if seen.bytes is None else f" ({size_text(seen.bytes)})"
        plan = [f"the database{size} and every checkpoint, in {seen.data or 'no place any more'}"]
        if remove_database_url(Path(".env"), dev.remembered()[1].url, dry_run=True):
            plan.append("DATABASE_URL in .env, which names it")
        plan.append(f"(none of it is kept; to make a verified backup first: {_BACKUP})")
    if dry_run and is_there:
        lines = plan or ["what runs the server (its data is kept)"]
        command.output.text(would_be("removed", lines))
        return
    url: DatabaseUrl | None = None
    if plan:
        url = dev.remembered()[1].url
        known = None if seen.state == "running" else label_noted(dev.project, url)
        confirm(command, plan, yes=yes, action="remove", url=url, label=known)
    if dry_run or not dev.down(data=volumes, note=command.diagnostics.note):
        command.output.text("nothing to remove: there is no development server here")
    elif volumes:
        command.output.text("removed with everything it stored")
        if url is not None and remove_database_url(Path(".env"), url):
            command.diagnostics.note("took DATABASE_URL out of .env")
    else:
        command.output.text("removed; its data is kept: chatdb dev-db up starts it again")


@app.command(cls=DataCommand)
def reset(
    context: typer.Context,
    seed: Annotated[bool, option("--seed", "Fill the new database with made-up chats.")] = False,
    force: DisconnectOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    wait: WaitOption = 120.0,
) -> None:
    """Start over with an empty, migrated database.

    The new database is created beside the old one, which is unchanged if any step fails. The old
    one is kept as a checkpoint, and the command that restores it is printed.

    \b
    Example:
      chatdb dev-db reset --yes --seed
    """
    from chatdb.operations.dev_db import checkpoints

    command = CommandContext.of(context)
    dev = dev_database(command)
    asked = options(command, engine="auto", port=None)
    if dry_run:
        ahead = dev.look_ahead(asked, note=command.diagnostics.note)
        print_reset_plan(command, ahead, seed=seed)
        return
    started = dev.up(asked, seconds=wait, note=command.diagnostics.note)
    url = started.server.url
    filling = _Filling(command, seed=seed)
    if started.outcome == "made":
        filling.fill(url)
    else:
        plan = ["by an empty, migrated one", "(the current database is kept as a checkpoint)"]
        confirm(command, plan, yes=yes, action="replace", url=url)
        note = command.diagnostics.note
        kept = checkpoints.start_afresh(url, force=force, note=note, fill=filling.fill)
        dev_db_checkpoint.tell_way_back(command, kept)
    revisions, seeded = filling.revisions, filling.seeded
    report = UpReport.of(started, revisions=revisions, seeded=seeded, env_file=None)
    filled = "empty" if seeded is None else f"with {counted(seeded, 'conversation')}"
    command.output.record(report, words=f"{url.redacted()} is migrated, {filled}")


@app.command(cls=DataCommand)
def status(context: typer.Context) -> None:
    """Show the engine, address, size and schema of the server.

    The state is absent, stopped, starting, running, failed, or unknown if the engine does not
    answer.

    \b
    Example:
      chatdb dev-db status --format json
    """
    from chatdb.operations.dev_db import status as dev_db_status

    command = CommandContext.of(context)
    seen = dev_db_status.status(dev_database(command))
    command.output.record(seen)
    if seen.problem is not None:
        command.diagnostics.warning(seen.problem)
    elif seen.state in ("absent", "stopped"):
        command.diagnostics.note("to start it: chatdb dev-db up")
    elif seen.state == "failed":
        command.diagnostics.note("to see why: chatdb dev-db logs; to start it: chatdb dev-db up")


@app.command()
def logs(
    context: typer.Context,
    follow: Annotated[bool, option("--follow -f", "Keep printing new lines until Ctrl-C.")] = False,
    lines: Annotated[int, option("--lines -n", "Number of lines to start with.", min=1)] = 50,
) -> None:
    """Show the end of the server's log.

    \b
    Example:
      chatdb dev-db logs -f
    """
    command = CommandContext.of(context)
    found = dev_database(command).logs(lines=lines, follow=follow)
    with ends_with_reader() if follow else nullcontext():
        for line in found:
            command.output.text(line)
            if follow:
                command.output.flush()


@app.command()
def connect(
    context: typer.Context,
    words: ClientArguments = None,
    sql: SqlOption = None,
    read_only: ReadOnlyOption = False,
) -> None:
    """Open the development database in psql or pgcli.

    \b
    Example:
      chatdb dev-db connect -c "SELECT version()"
    """
    from chatdb.cli.client import become
    from chatdb.operations.dev_db.connect import ClientSession, client_call, psql_in_container

    command = CommandContext.of(context)
    dev = dev_database(command)
    engine, server = dev.remembered()
    session = ClientSession(
        read_only=read_only,
        sql=sql,
        words=words or (),
        on_terminal=is_terminal(sys.stdin) and command.output.is_terminal,
        bindir=dev.engines.bindir,
        options=settings.libpq_options(),
        elsewhere=psql_in_container(server) if engine.name == "compose" else "",
    )
    become(client_call(dev.running(), session), command.diagnostics.warning)


@app.command()
def url(
    context: typer.Context,
    show_password: Annotated[
        bool, option("--show-password", "Include the password, for use by a program.")
    ] = False,
) -> None:
    """Print the database's URL.

    The password is masked unless --show-password is given. Also works on a stopped server.

    \b
    Example:
      export DATABASE_URL="$(chatdb dev-db url --show-password)"
    """
    command = CommandContext.of(context)
    _, server = dev_database(command).remembered()
    command.output.text(server.url.exposed() if show_password else server.url.redacted())


class _Filling:
    """Migrates a new database and fills it, and remembers what was done."""

    def __init__(self, command: CommandContext, *, seed: bool) -> None:
        self._command = command
        self._seed = seed
        self.revisions: tuple[str, ...] = ()
        self.seeded: int | None = None

    def fill(self, url: "DatabaseUrl") -> None:
        """Migrate to the newest revision, and add made-up chats if asked to."""
        self.revisions = _migrate(self._command, url)
        if self._seed:
            self.seeded = _seed(self._command, url)


def _migrate(command: CommandContext, url: "DatabaseUrl") -> tuple[str, ...]:
    """Migrate to the newest revision; return the revisions applied."""
    from chatdb.cli.commands.migrate import CommandWatch
    from chatdb.operations.dev_db.status import migrate_server

    applied = migrate_server(url, watch=CommandWatch(command))
    return tuple(item.revision for item in applied)


def _seed(command: CommandContext, url: "DatabaseUrl") -> int:
    """Add the small set of made-up chats as far as it is missing; return how many were new."""
    from chatdb.db.database import Database
    from chatdb.operations.seeding.seed import planned_conversations, seed

    total = planned_conversations()
    with (
        Database.open(url) as database,
        command.diagnostics.progress("seeding", total=total, unit="conversations") as progress,
    ):
        report = seed(
            database,
            on_progress=progress.advance,
            on_index=lambda: progress.describe("building the search index"),
        )
    command.diagnostics.note(f"{counted(report.new, 'made-up conversation')} added")
    return report.new


def _write_env(command: CommandContext, url: "DatabaseUrl") -> str:
    """Write the URL to `.env`; warn if another setting overrides it."""
    from chatdb.operations.dev_db.env_file import put_database_url

    path = Path(".env")
    if put_database_url(path, url):
        command.diagnostics.note("wrote DATABASE_URL to .env")
    found = settings.load(database_url=None).database_url
    if found.value != url.exposed():
        command.diagnostics.warning(
            f"{found.source} overrides DATABASE_URL in the .env; unset it to use this database"
        )
    return str(path.absolute())
