"""`chatdb schema`: inspect and change the schema and its revisions."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chatdb.cli.context import CommandContext
from chatdb.cli.lazy_group import group_app
from chatdb.cli.options import DataCommand, DryRunOption, YesOption, argument, option
from chatdb.errors import ExitCode

if TYPE_CHECKING:
    from chatdb.operations.schema.plan import Loss
    from chatdb.operations.schema.schema import RevisionHistory

app = group_app("Inspect and change the schema and its revisions.")


@app.command(cls=DataCommand)
def status(
    context: typer.Context,
    exit_code: Annotated[
        bool, option("--exit-code", "Exit with 4 unless the schema is current.")
    ] = False,
) -> None:
    """Show which revision the database is at.

    The state is current, behind, ahead (of a newer chatdb), unknown_revision, not_chatdb (another
    program's tables have chatdb's table names) or empty.

    \b
    Example:
      chatdb schema status --exit-code --format json
    """
    from chatdb.db.migrating.other_schemas import in_schemas
    from chatdb.operations.schema import schema

    command = CommandContext.of(context)
    with command.open_database(any_schema=True) as database:
        answer = schema.status(database)
    command.output.record(answer)
    if answer.elsewhere:
        command.diagnostics.warning(
            f"chatdb's tables are {in_schemas(answer.elsewhere)}; to use another schema: --schema"
        )
    if exit_code and answer.state != "current":
        raise typer.Exit(ExitCode.SCHEMA)


@app.command(cls=DataCommand)
def history(context: typer.Context) -> None:
    """List the revisions and when they were applied.

    A revision whose script has changed since then is marked.

    \b
    Example:
      chatdb schema history
    """
    from chatdb.operations.schema import schema

    command = CommandContext.of(context)
    with command.open_database(any_schema=True) as database:
        entries = schema.history(database)
    command.output.rows(entries, schema.RevisionHistory, table=_history_cells, shortened=("title",))


@app.command(cls=DataCommand)
def check(context: typer.Context) -> None:
    """Compare the live schema with the one the migrations create.

    Exits with 1 and lists the differences if there are any, including those of the full-text index.

    \b
    Example:
      chatdb schema check --format json
    """
    from chatdb.db.contract.search_index import COMPLETE_HINT
    from chatdb.db.migrating.catalogue import Difference
    from chatdb.operations.schema import check as schema_check

    command = CommandContext.of(context)
    with command.open_database(any_schema=True) as database:
        report = schema_check.check(database)
    for note in report.notes:
        command.diagnostics.note(note)
    if report.differences or not command.output.is_table:
        command.output.rows(report.differences, Difference)
    if report.differences:
        command.diagnostics.warning(
            f"{schema_check.problems(report.differences)} in {command.url.redacted()}"
        )
        if any(map(schema_check.is_of_search_index, report.differences)):
            command.diagnostics.note(f"to rebuild the search index: {COMPLETE_HINT}")
        raise typer.Exit(ExitCode.FAILED)
    if command.output.is_table:
        command.output.text(
            f"no differences: {command.url.redacted()} matches revision {report.revision}"
        )


@app.command()
def dump(
    context: typer.Context,
    output: Annotated[Path | None, option("--output -o FILE", "Output file.")] = None,
) -> None:
    """Write the DDL of the live schema.

    Run in an empty database, it creates the same schema.

    \b
    Example:
      chatdb schema dump --output schema.sql
    """
    from chatdb.operations.schema import check as schema_check

    command = CommandContext.of(context)
    with command.open_database(any_schema=True) as database:
        if output is None:
            command.output.text(schema_check.dump(database).rstrip("\n"))
        else:
            schema_check.write_dump(database, output)
            command.diagnostics.note(f"wrote {output}")


@app.command(cls=DataCommand)
def downgrade(
    context: typer.Context,
    revision: Annotated[str, argument(None, "Revision to go back to; base reverts everything.")],
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    no_keep: Annotated[bool, option("--no-keep", "Do not keep a copy of the SQLite file.")] = False,
) -> None:
    """Revert revisions, dropping the data they hold.

    A copy of a SQLite file is kept beside it. On PostgreSQL the data is lost: back up first.

    \b
    Example:
      chatdb schema downgrade 0002 --dry-run
    """
    from chatdb.cli.commands.migrate import CommandWatch
    from chatdb.cli.confirm import confirm
    from chatdb.operations.migrating.migrate import plan_back, take_back
    from chatdb.operations.schema.plan import Loss

    command = CommandContext.of(context)
    with command.open_database(any_schema=True) as database:
        planned = plan_back(database, revision, keep_copy=not no_keep)
        if planned.pending and not dry_run:
            kept = "a copy of the file" if planned.keeps_copy else "none of it"
            lines = [_loss_text(item) for item in planned.losses]
            confirm(command, [*lines, f"({kept} is kept)"], yes=yes)
            take_back(database, planned, watch=CommandWatch(command))
    if not planned.pending and command.output.is_table:
        command.output.text(f"nothing to do: {command.url.redacted()} is not above {revision}")
    elif dry_run or not command.output.is_table:
        command.output.rows(planned.losses, Loss)
        if not planned.losses:
            command.diagnostics.note("nothing would be lost")


def _history_cells(entry: "RevisionHistory") -> dict[str, Any]:
    return {
        "revision": entry.revision,
        "title": entry.title,
        "applied_at": entry.applied_at or entry.applied,
        "script": entry.checksum,
    }


def _loss_text(item: "Loss") -> str:
    text = f"{item.kind} {item.name}"
    if item.rows is None:
        return text
    return f"{text} with {item.rows:,} row{'' if item.rows == 1 else 's'}"


@app.command()
def new(
    context: typer.Context,
    title: Annotated[str, argument(None, 'What the migration does, e.g. "add tags".')],
) -> None:
    """Write a migration for changes in db/schema.py.

    Works only in a source checkout. Read the new file before you commit it.

    \b
    Example:
      chatdb schema new "add tags"
    """
    from chatdb.operations.schema.new import new_revision

    command = CommandContext.of(context)
    path = new_revision(title)
    command.output.text(str(path))
    command.diagnostics.note("read it, then update the catalogue: make catalogue")
