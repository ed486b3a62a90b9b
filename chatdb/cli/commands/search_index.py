"""`chatdb search-index`: inspect the full-text index, check it, rebuild it."""

from typing import TYPE_CHECKING

import typer

from chatdb.cli.context import CommandContext
from chatdb.cli.lazy_group import group_app
from chatdb.cli.options import DataCommand
from chatdb.errors import ExitCode

if TYPE_CHECKING:
    from chatdb.operations.searching.search_index import SearchIndexReport

app = group_app("Inspect the full-text index, check it and rebuild it.")


@app.command(cls=DataCommand)
def status(context: typer.Context) -> None:
    """Show the state of the full-text index.

    The state is present, damaged, deferred (left out by an import, to be built later) or off (by
    request). Counts whatever two seconds allow; takes no locks.

    \b
    Example:
      chatdb search-index status --format json
    """
    from chatdb.operations.searching.search_index import look_at_search_index

    command = CommandContext.of(context)
    with command.open_database() as database:
        report = look_at_search_index(database)
    command.output.record(report)
    _advise(command, report)


@app.command(cls=DataCommand)
def check(context: typer.Context) -> None:
    """Compare the whole full-text index with the messages.

    Exits with 1 if it is damaged, incomplete, invalid or not built yet. SQLite reads every message
    for this, and other programs cannot write meanwhile. On PostgreSQL 18 or newer, the extension
    amcheck reads the whole index if it is installed.

    \b
    Example:
      chatdb search-index check
    """
    from chatdb.operations.searching.search_index import check_search_index

    command = CommandContext.of(context)
    with (
        command.open_database() as database,
        command.diagnostics.progress("checking the search index", total=None),
    ):
        report = check_search_index(database)
    command.output.record(report, words="\n".join(_lines(report)))
    _advise(command, report)
    if not report.is_whole:
        raise typer.Exit(ExitCode.FAILED)


@app.command()
def rebuild(context: typer.Context) -> None:
    """Rebuild the full-text index from the messages.

    SQLite: in one transaction; other programs can read but not write meanwhile. PostgreSQL: beside
    the old index, while reading and writing continue; through a pooler without --direct-url,
    writers wait. If it is interrupted, run it again.

    \b
    Example:
      chatdb search-index rebuild
    """
    from chatdb.cli.backup_options import StageWatch
    from chatdb.operations.searching.search_index import rebuild_search_index

    command = CommandContext.of(context)
    with command.open_database() as database, StageWatch(command) as watch:
        rebuild_search_index(database, watch)
    command.diagnostics.note(f"built the search index of {command.url.redacted()}")


def _lines(report: "SearchIndexReport") -> list[str]:
    if report.problems:
        return ["the search index is not intact:", *(f"  {text}" for text in report.problems)]
    if report.state == "off":
        return ["the search index is off by request"]
    counted = "" if report.messages is None else f" ({report.messages:,} messages)"
    return [f"the search index is intact{counted}"]


def _advise(command: CommandContext, report: "SearchIndexReport") -> None:
    from chatdb.db.contract.search_index import COMPLETE_HINT

    for text in report.unchecked:
        command.diagnostics.note(text)
    if report.state != "present":
        command.diagnostics.note(f"to build it: {COMPLETE_HINT}")
