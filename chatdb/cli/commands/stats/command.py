"""`chatdb stats`: count messages in groups."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chatdb.cli.context import CommandContext
from chatdb.cli.kinds import EVERY_KIND, KindsOption, kinds_wanted
from chatdb.cli.lazy_group import command_app
from chatdb.cli.options import (
    AllOrgsOption,
    DataCommand,
    LimitOption,
    MessagesSinceOption,
    MessagesUntilOption,
    OutputFormat,
    option,
)
from chatdb.cli.organizations_meant import check_all_orgs, tell_who_has_some
from chatdb.cli.times import read_between

if TYPE_CHECKING:
    from chatdb.operations.searching.stats import StatsOptions, StatsReport

app = command_app()


class By(StrEnum):
    """What messages are grouped by."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"
    MODEL = "model"
    ROLE = "role"
    USER = "user"
    SOURCE = "source"
    KIND = "kind"
    ORGANIZATION = "organization"


class Section(StrEnum):
    """A part of the report that can be printed alone."""

    GROUPS = "groups"
    LONGEST = "longest"
    HOURS = "hours"
    STORAGE = "storage"


@app.command(cls=DataCommand)
def stats(
    context: typer.Context,
    by: Annotated[By, option("--by", "Group messages by this.", show_default=True)] = By.DAY,
    since: MessagesSinceOption = None,
    until: MessagesUntilOption = None,
    timezone: Annotated[
        str | None,
        option(
            "--timezone NAME",
            "Time zone for days, hours and --since.  [default: the one set, or UTC]",
        ),
    ] = None,
    kind: KindsOption = None,
    limit: LimitOption = 30,
    approximate: Annotated[
        bool, option("--approximate", "Estimate from a sample of about 200,000 messages.")
    ] = False,
    all_orgs: AllOrgsOption = False,
    section: Annotated[
        Section | None, option("--section", "Print only this part of the report.")
    ] = None,
) -> None:
    """Count messages by day, model, user and more.

    Counts and characters, the longest conversations and the busiest hours of the week, from one
    pass over the messages; disk usage with --section storage. Covers all organizations, or the one
    given by --org or CHATDB_ORG; --all-orgs always covers all. Shows the newest days, weeks,
    months and years, and the largest of other groups. CSV and JSON Lines contain the groups, or
    the part given by --section.

    \b
    Examples:
      chatdb stats
      chatdb stats --by month --since 2025-01-01 --until 2025-12-31
      chatdb stats --by model --since 2026-01-01 --timezone Europe/Berlin
      chatdb stats --by user --org acme --section groups --format csv
    """
    from chatdb.operations.searching.stats import StatsOptions
    from chatdb.primitives.time_words import zone_of

    command = CommandContext.of(context)
    if all_orgs:
        check_all_orgs(command)
    is_whole_report = section is None and command.output.format is OutputFormat.JSON
    org = command.config.org
    of_all = all_orgs or org.source == "default"
    zone = command.zone if timezone is None else zone_of(timezone)
    first, after = read_between(since, until, zone=zone)
    options = StatsOptions(
        by=by.value,
        organization_key=None if of_all else org.value,
        kinds=kinds_wanted(kind, default=EVERY_KIND if by is By.KIND else "chat"),
        since=first,
        until=after,
        timezone=timezone or command.config.timezone.value,
        limit=limit,
        approximate=approximate,
        storage=is_whole_report or section is Section.STORAGE,
    )
    report = _count(command, options, all_orgs=all_orgs)
    if is_whole_report:
        command.output.record(report)
    elif command.output.is_table:
        _print_tables(command, report, section)
    else:
        rows, row_type = _rows(report, section or Section.GROUPS)
        command.output.rows(rows, row_type)
    _say(command, report, section, asked_for_storage=options.storage)


def _count(command: CommandContext, options: "StatsOptions", *, all_orgs: bool) -> "StatsReport":
    from chatdb.operations.searching.stats import stats as count
    from chatdb.store.every_organization import require_unbound

    key = options.organization_key
    with command.open_database() as database:
        if key is None:
            with database.transaction() as connection:
                if all_orgs:
                    require_unbound(connection, database.dialect)
                elif database.dialect.is_bound(connection):
                    command.diagnostics.note(
                        f"row-level security shows this role only the organization {command.org}"
                    )
        with command.diagnostics.progress("counting", unit="messages"):
            report = count(database, options)
        if key is not None and not report.totals.messages:
            tell_who_has_some(command, database, key)
    return report


def _rows(report: "StatsReport", section: Section) -> tuple[Any, type[Any]]:
    from chatdb.db.contract.statistics import StoredObject
    from chatdb.operations.searching.stats import BusyHour, LongConversation, StatsGroup

    if section is Section.GROUPS:
        return report.groups, StatsGroup
    if section is Section.LONGEST:
        return report.longest_conversations, LongConversation
    if section is Section.HOURS:
        return report.busiest_hours, BusyHour
    return report.storage or (), StoredObject


def _print_tables(command: CommandContext, report: "StatsReport", section: Section | None) -> None:
    from chatdb.cli.commands.stats.tables import SHOWN, report_lines

    output = command.output
    parts = SHOWN if section is None else (section.value,)
    output.lines(report_lines(report, parts, width=output.width, color=output.color))


def _say(
    command: CommandContext,
    report: "StatsReport",
    section: Section | None,
    *,
    asked_for_storage: bool,
) -> None:
    from chatdb.cli.commands.stats.periods import TIMES

    note = command.diagnostics.note
    if section is None and command.output.format in (OutputFormat.CSV, OutputFormat.JSONL):
        note("these are the groups; --section selects another part, --format json has all of it")
    if report.has_more and section in (None, Section.GROUPS):
        which = "newest" if report.by in TIMES else "largest"
        note(f"the {which} {len(report.groups)}; --limit shows more")
    if report.approximate:
        note(
            f"estimated from {report.sampled:.2%} of the messages;"
            " conversations are not counted from a sample"
        )
    if asked_for_storage and report.storage is None:
        note("this SQLite cannot report the size of its tables (it was built without dbstat)")
