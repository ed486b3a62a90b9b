"""`chatdb backup prune`: remove backups that no --keep rule covers."""

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chatdb.cli.backup_keys import NotifyOption, backed_up_database
from chatdb.cli.backup_options import PlaceArgument, backup_place
from chatdb.cli.backup_report import age_text
from chatdb.cli.commands.backup.notifying import notifying
from chatdb.cli.confirm import confirm_removal
from chatdb.cli.context import CommandContext
from chatdb.cli.options import DryRunOption, YesOption, option
from chatdb.cli.text import counted, one_line
from chatdb.errors import ExitCode
from chatdb.primitives.sizes import size_text

if TYPE_CHECKING:
    from chatdb.operations.backups.prune import PrunedBackup, PruneReport

_SHOWN = 20

KeepLastOption = Annotated[int, option("--keep-last N", "Keep the newest N.", min=0)]
KeepDailyOption = Annotated[
    int, option("--keep-daily N", "Keep the newest of each of N days.", min=0)
]
KeepWeeklyOption = Annotated[
    int, option("--keep-weekly N", "Keep the newest of each of N weeks.", min=0)
]
KeepMonthlyOption = Annotated[
    int, option("--keep-monthly N", "Keep the newest of each of N months.", min=0)
]


def prune(
    context: typer.Context,
    place: PlaceArgument = None,
    keep_last: KeepLastOption = 0,
    keep_daily: KeepDailyOption = 0,
    keep_weekly: KeepWeeklyOption = 0,
    keep_monthly: KeepMonthlyOption = 0,
    remove_broken: Annotated[
        bool,
        option(
            "--remove-broken", "Also remove backups that cannot be restored, if older than a day."
        ),
    ] = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    notify_url: NotifyOption = None,
) -> None:
    """Remove this database's backups that no --keep rule covers.

    Only backups of the configured database are removed. A day, week or month without a backup is
    not counted. The newest usable backup and the newest verified one are always kept. Broken
    backups are listed, not removed. The exit code is 7 if a backup could not be removed.

    \b
    Examples:
      chatdb backup prune --keep-daily 7 --keep-monthly 12 --dry-run
      chatdb backup prune s3://bucket/chat --keep-last 10 --yes
    """
    from chatdb.backups.retention import RetentionPolicy
    from chatdb.backups.stores import open_store
    from chatdb.operations.backups import prune as operation

    command = CommandContext.of(context)
    policy = RetentionPolicy(
        last=keep_last, daily=keep_daily, weekly=keep_weekly, monthly=keep_monthly
    )
    with notifying(command, "prune", notify_url) as told:
        name, kind = backed_up_database(command)
        store = open_store(backup_place(command, place))
        report = operation.plan_prune(store, name, kind, policy, remove_broken=remove_broken)
        if not dry_run and report.of("remove"):
            heading = f"This will remove from {report.place}:"
            confirm_removal(command, heading, _plan_lines(report), yes=yes)
            report = operation.carry_out(store, report)
        told.figures.update(_figures(report))
        cells = partial(_cells, report=report)
        command.output.rows(report.backups, operation.PrunedBackup, table=cells, shortened=("why",))
        _tell(command, report)
        if report.failed:
            raise typer.Exit(ExitCode.PARTIAL)


def _cells(backup: "PrunedBackup", report: "PruneReport") -> dict[str, Any]:
    return {
        "name": backup.name,
        "age": age_text(backup.made_at, datetime.now(UTC)),
        "size": backup.bytes,
        "action": _action(backup, report),
        "why": one_line(backup.problem or ", ".join(backup.reasons), limit=70),
    }


def _action(backup: "PrunedBackup", report: "PruneReport") -> str:
    if backup.problem is not None:
        return "not removed"
    if backup.action != "remove":
        return "left" if backup.action == "leave" else "keep"
    return "would remove" if report.dry_run else "removed"


def _plan_lines(report: "PruneReport") -> list[str]:
    going = report.of("remove")
    lines = [
        f"{backup.name} ({size_text(backup.bytes)}; {'; '.join(backup.reasons)})"
        for backup in going[:_SHOWN]
    ]
    if len(going) > _SHOWN:
        lines.append(f"and {len(going) - _SHOWN} more")
    kept = counted(len(report.of("keep")), "backup")
    size = size_text(report.removed_bytes)
    return [*lines, f"total {counted(len(going), 'backup')}, {size}; {kept} kept"]


def _tell(command: CommandContext, report: "PruneReport") -> None:
    """Print the notes: broken backups, and backups of other databases or tools."""
    broken = len(report.of("leave"))
    if broken:
        command.diagnostics.warning(
            f"{counted(broken, 'backup')} cannot be restored; inspect them, then remove them with "
            "--remove-broken"
        )
    if report.others:
        command.diagnostics.note(
            f"{counted(report.others, 'other backup')} in {report.place} of other databases or "
            "tools ignored"
        )
    if report.failed:
        command.diagnostics.warning(f"{counted(len(report.failed), 'backup')} could not be removed")
    if not report.backups:
        command.diagnostics.note(
            f"there are no backups of {report.database} in {report.place}; to make one: chatdb "
            "backup"
        )


def _figures(report: "PruneReport") -> dict[str, object]:
    return {
        "place": report.place,
        "kept": len(report.of("keep")),
        "removed": 0 if report.dry_run else len(report.of("remove")) - len(report.failed),
        "removed_bytes": 0 if report.dry_run else report.removed_bytes,
        "broken": len(report.of("leave")),
        "dry_run": report.dry_run,
    }
