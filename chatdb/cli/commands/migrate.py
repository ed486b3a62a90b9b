"""`chatdb migrate`: migrate the schema to the newest revision, or show what that would do."""

from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Annotated

import typer

from chatdb import config as settings
from chatdb.cli.backup_keys import writing_keys
from chatdb.cli.backup_options import StageWatch, backup_place, dump_programs
from chatdb.cli.context import CommandContext
from chatdb.cli.lazy_group import command_app
from chatdb.cli.options import DataCommand, OutputFormat, argument, option, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from chatdb.db.database import Database
    from chatdb.db.migrating.migrations import AppliedRevision
    from chatdb.operations.schema.plan import PlannedStatement

app = command_app()


@app.command(cls=DataCommand)
def migrate(
    context: typer.Context,
    revision: Annotated[
        str | None, argument(None, "Revision to migrate to.  [default: the newest]")
    ] = None,
    plan: Annotated[
        bool, option("--plan", "Print the SQL and its locks without writing anything.")
    ] = False,
    wait: Annotated[
        float | None,
        seconds("--wait", "Wait for the database to answer."),
    ] = None,
    lock_wait: Annotated[
        float, seconds("--lock-wait", "How long to wait for another migration to finish.")
    ] = 60.0,
    lock_timeout: Annotated[
        float,
        seconds(
            "--lock-timeout", "How long to wait for a table's lock; tried 4 times.", least=0.001
        ),
    ] = 5.0,
    keep_copy: Annotated[
        bool, option("--keep-copy", "Keep the copy of the SQLite file made before migrating.")
    ] = False,
    backup: Annotated[
        bool, option("--backup", "Back up the database first if there is anything to migrate.")
    ] = False,
) -> None:
    """Bring the database's schema to the newest revision.

    Safe to run concurrently. A revision that fails is rolled back completely; a SQLite file is
    copied before the first change.

    \b
    Examples:
      chatdb migrate --plan
      chatdb migrate --wait 60
      chatdb migrate --backup
    """
    from chatdb.operations.migrating.migrate import already_there, bring_up

    command = CommandContext.of(context)
    settings.export_libpq(command.config)
    is_there = already_there(
        command.direct_url or command.url,
        schema=command.schema,
        revision=revision,
        wait=wait,
        note=command.diagnostics.note,
    )
    if is_there:
        _print_nothing(command)
    elif plan:
        _print_plan(command, revision)
    else:
        from chatdb.db.migrating.migrations import AppliedRevision

        watch = CommandWatch(command)
        with (
            command.open_database(create=True, any_schema=True) as database,
            _backed_up(command, database) if backup else nullcontext(),
        ):
            applied = bring_up(
                database,
                revision,
                lock_wait=lock_wait,
                lock_timeout=lock_timeout,
                keep_copy=keep_copy,
                watch=watch,
            )
        if not command.output.is_table:
            command.output.rows(applied, AppliedRevision)
        elif not applied:
            _print_nothing(command)


@contextmanager
def _backed_up(command: CommandContext, database: "Database") -> "Iterator[None]":
    """Back up the database before the block, to the configured place."""
    from chatdb.backups.stores import open_store
    from chatdb.operations.backups.parts import BackupOptions
    from chatdb.operations.migrating.migrate import backed_up

    store = open_store(backup_place(command, None), writing_keys(command, None))
    options = BackupOptions(programs=dump_programs(command), file_store=command.file_store_of())
    with StageWatch(command) as watch, backed_up(database, store, options, watch):
        watch.end()
        yield


class CommandWatch:
    """Reports the progress of a migration: revisions on stdout, the rest on stderr."""

    def __init__(self, command: CommandContext) -> None:
        self._command = command
        self._told = command.output.is_table

    def note(self, text: str) -> None:
        """Write a note."""
        self._command.diagnostics.note(text)

    def warning(self, text: str) -> None:
        """Write a warning."""
        self._command.diagnostics.warning(text)

    def applied(self, revision: "AppliedRevision") -> None:
        """Write a line for a revision that has just been committed.

        A reader that closed the pipe (`| head`) does not stop the revisions after it.
        """
        if self._told:
            verb = "applied" if revision.direction == "up" else "reverted"
            with suppress(BrokenPipeError):
                self._command.output.text(
                    f"{verb} {revision.revision} in {revision.seconds:.2f} s: {revision.title}"
                )


def _print_nothing(command: CommandContext) -> None:
    if command.output.is_table:
        command.output.text(f"nothing to do: {command.url.redacted()} is up to date")
    elif command.output.format is OutputFormat.JSON:
        command.output.text("[]")


def _print_plan(command: CommandContext, revision: str | None) -> None:
    from chatdb.operations.schema.plan import PlannedStatement, plan_upgrade

    with command.open_database(any_schema=True, missing_ok=True) as database:
        planned = plan_upgrade(database, revision)
    command.output.rows(planned, PlannedStatement, words=plan_text(planned))


def plan_text(planned: "Sequence[PlannedStatement]") -> str:
    """Return a plan as SQL, each statement under comments with its lock and the tables' size."""
    lines: list[str] = []
    revision = None
    for item in planned:
        if item.revision != revision:
            revision = item.revision
            lines += [f"-- revision {revision}: {item.title}", ""]
        lines += [f"-- lock: {_lock_text(item)}", f"{item.statement};", ""]
    return "\n".join(lines).rstrip() or "-- nothing to do"


def _lock_text(item: "PlannedStatement") -> str:
    text = item.lock
    if item.tables:
        text += f" on {', '.join(item.tables)}"
    sizes = []
    if item.rows is not None:
        sizes.append(f"{item.rows:,} rows")
    elif item.bytes is not None:
        sizes.append("never analyzed")
    if item.bytes is not None:
        sizes.append(f"{item.bytes:,} bytes")
    return text + (f" ({', '.join(sizes)})" if sizes else "")
