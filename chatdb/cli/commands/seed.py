"""`chatdb seed`: fill a database with made-up chats."""

import shlex
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from chatdb.cli.context import CommandContext
from chatdb.cli.lazy_group import command_app
from chatdb.cli.options import DataCommand, DryRunOption, option
from chatdb.cli.text import counted
from chatdb.cli.times import read_time
from chatdb.errors import ExitCode, UsageError
from chatdb.seeds.plan import UNTIL, SeedOptions, Size

if TYPE_CHECKING:
    from chatdb.operations.seeding.seed import SeedReport

app = command_app()

SKIPPED_SHOWN = 20


@app.command(cls=DataCommand)
def seed(
    context: typer.Context,
    size: Annotated[
        Size | None, option("--size", "50, 2,000 or 8,000 conversations.  [default: small]")
    ] = None,
    conversations: Annotated[
        int | None, option("--conversations", "Number of conversations, instead of --size.", min=1)
    ] = None,
    messages: Annotated[
        int | None, option("--messages", "Exact total number of messages.", min=1)
    ] = None,
    number: Annotated[
        int,
        option(
            "--seed", "Random seed; a different number makes different chats.", show_default=True
        ),
    ] = 42,
    until: Annotated[
        str | None,
        option("--until TIME", "The chats fill the year before this day.  [default: 2026-11-01]"),
    ] = None,
    dry_run: DryRunOption = False,
) -> None:
    """Fill a database with made-up chats.

    They go to the organization demo and four more demonstration organizations, or all to the one
    given by --org. The same command makes the same rows everywhere and on any day; running it again
    adds nothing. A database labelled production is refused.

    \b
    Examples:
      chatdb seed
      chatdb seed --size large --until 2026-12-31
      chatdb seed --conversations 200 --messages 5000 --seed 7 --org acme
    """
    command = CommandContext.of(context)
    options = _options(command, size, conversations, messages, number, until)
    report = _preview(command, options) if dry_run else _seed(command, options)
    command.output.record(report)
    _say(command, report)


def _options(
    command: CommandContext,
    size: Size | None,
    conversations: int | None,
    messages: int | None,
    number: int,
    until: str | None,
) -> SeedOptions:
    if size is not None and (conversations is not None or messages is not None):
        raise UsageError("--size excludes --conversations and --messages")
    org = command.config.org
    day = UNTIL
    if until is not None:
        # The last day meant, in UTC whatever the settings say: the same rows everywhere.
        day = (read_time(until, "--until", ending=True) - timedelta(microseconds=1)).date()
    return SeedOptions(
        size=size or Size.SMALL,
        conversations=conversations,
        messages=messages,
        seed=number,
        until=day,
        organization_key=None if org.source == "default" else org.value,
    )


def _seed(command: CommandContext, options: SeedOptions) -> "SeedReport":
    from chatdb.operations.seeding.seed import planned_conversations, seed

    total = planned_conversations(options)
    diagnostics = command.diagnostics
    with command.open_database(create=True) as database:
        try:
            with diagnostics.progress("seeding", total=total, unit="conversations") as progress:
                return seed(
                    database,
                    options,
                    on_progress=progress.advance,
                    on_index=lambda: progress.describe("building the search index"),
                )
        except KeyboardInterrupt:
            diagnostics.warning(
                "everything made so far is saved; run the same command again for the rest"
            )
            raise


def _preview(command: CommandContext, options: SeedOptions) -> "SeedReport":
    from chatdb.operations.seeding.seed import planned_conversations, preview_seed

    total = planned_conversations(options)
    path = command.url.path
    with command.diagnostics.progress("making", total=total, unit="conversations") as progress:
        if path is not None and not path.exists():
            return preview_seed(None, options, on_progress=progress.advance)
        with command.open_database() as database:
            return preview_seed(database, options, on_progress=progress.advance)


def _say(command: CommandContext, report: "SeedReport") -> None:
    """Print notes beside the numbers, and the next command."""
    note = command.diagnostics.note
    if report.new and not report.dry_run:
        keys = report.organizations
        where = "--all-orgs" if len(keys) > 1 else f"--org {shlex.quote(keys[0])}"
        made = counted(report.new, "new conversation")
        note(f"{made}; to see what is there: chatdb list {where}")
    elif not report.new:
        note("nothing new: everything is here already")
    if report.deleted_here:
        note(f"{counted(report.deleted_here, 'conversation')} deleted here stayed deleted")
    for item in report.skipped[:SKIPPED_SHOWN]:
        command.diagnostics.warning(f"skipped {item.place}: {item.reason}")
    if report.skipped:
        raise typer.Exit(ExitCode.PARTIAL)
