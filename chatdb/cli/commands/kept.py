"""`chatdb kept`: what restores, migrations and deletions kept, and how to restore it."""

import os
import shlex
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chatdb import config as settings
from chatdb.cli.backup_report import age_text
from chatdb.cli.confirm import confirm
from chatdb.cli.context import CommandContext
from chatdb.cli.lazy_group import group_app
from chatdb.cli.options import (
    DataCommand,
    DisconnectOption,
    DryRunOption,
    YesOption,
    argument,
    option,
)
from chatdb.cli.text import counted, one_line
from chatdb.cli.times import read_age
from chatdb.errors import ExitCode
from chatdb.primitives.sizes import size_text

if TYPE_CHECKING:
    from chatdb.db.url import DatabaseUrl
    from chatdb.operations.kept.entries import KeptEntries, KeptEntry
    from chatdb.operations.kept.prune import PrunedItem

app = group_app("List, show, restore and remove kept files and databases.")

_SHOWN = 20
_MADE_BY = {
    "restore": "replaced by a restore",
    "migration": "copied before a migration",
    "deletion": "saved by a deletion",
    "broken_off": "left by an interrupted run",
}

NameArgument = Annotated[str, argument(None, "Name, as printed by chatdb kept list.")]


@app.command(name="list", cls=DataCommand)
def list_kept(context: typer.Context) -> None:
    """List kept files and databases, oldest first.

    These are the databases replaced by restores, the copies made before migrations, the files saved
    by deletions, and the remains of interrupted runs.

    \b
    Example:
      chatdb kept list --format json
    """
    from chatdb.operations.kept.entries import KeptEntry

    command = CommandContext.of(context)
    place = _place(command)
    kept = _entries(command, place)
    entries = kept.own
    cells = partial(_cells, log_problem=kept.log_problem)
    command.output.rows(entries, KeptEntry, table=cells, shortened=("what", "made_by"))
    if kept.log_problem is not None and any(entry.made_by == "deletion" for entry in entries):
        command.diagnostics.warning(
            f"the log could not be read, so whose deletions these are is not known:"
            f" {kept.log_problem}"
        )
    if kept.others:
        folder = _short(str(Path(kept.others[0].name).parent))
        count = counted(len(kept.others), "file")
        command.diagnostics.note(f"{folder} has {count} of deletions from other databases")
    if not entries:
        command.diagnostics.note(f"nothing is kept of {place.redacted()}")
        return
    size = size_text(sum(entry.bytes for entry in entries))
    command.diagnostics.note(
        f"{counted(len(entries), 'item')}, {size}; to restore one: chatdb kept restore NAME",
    )


@app.command(cls=DataCommand)
def show(context: typer.Context, name: NameArgument) -> None:
    """Show a kept item and how to restore it.

    \b
    Example:
      chatdb kept show deleted_20260131T120000_000000Z.jsonl
    """
    from chatdb.operations.kept.entries import details, named

    command = CommandContext.of(context)
    url = _place(command)
    entry = named(_entries(command, url).all, name)
    command.output.record(details(entry, url, schema=command.schema))
    if entry.made_by == "broken_off":
        command.diagnostics.note("it cannot be used; to remove it: chatdb kept prune")
    else:
        name = shlex.quote(_short(entry.name))
        command.diagnostics.note(f"to restore it: chatdb kept restore {name}")


@app.command(cls=DataCommand)
def restore(
    context: typer.Context,
    name: NameArgument,
    force: DisconnectOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Restore a kept file or database.

    A kept database replaces the current one, which is kept in turn, like chatdb restore --undo.
    Deleted conversations are imported again, like chatdb import --restore-deleted, into the
    organization they were deleted from.

    \b
    Examples:
      chatdb kept restore deleted_20260131T120000_000000Z.jsonl
      chatdb kept restore chat_before_restore_20260131T120000Z --dry-run
    """
    from chatdb.cli.commands.import_.command import import_
    from chatdb.cli.commands.restore.command import restore as put_back
    from chatdb.errors import RefusedError, UsageError
    from chatdb.operations.kept.entries import named

    command = CommandContext.of(context)
    kept = _entries(command, _place(command))
    entry = named(kept.all, name)
    if entry.made_by == "broken_off":
        raise UsageError(
            f"{entry.name} is incomplete: the run that wrote it was interrupted",
            hint="to remove it: chatdb kept prune",
        )
    if entry.made_by != "deletion":
        put_back(context, file=entry.name, undo=True, force=force, yes=yes, dry_run=dry_run)
        return
    as_its_file_says = entry.organization is None and command.config.org.source == "default"
    if as_its_file_says and kept.log_problem is not None:
        raise RefusedError(
            f"the organization of this deletion stands in the log, which could not be read:"
            f" {kept.log_problem}",
            hint=f"name it: chatdb kept restore {shlex.quote(name)} --org KEY",
        )
    if command.options.org is None:
        command.options.org = entry.organization
    import_(
        context,
        paths=[entry.name],
        restore_deleted=True,
        all_orgs=as_its_file_says,
        dry_run=dry_run,
    )


@app.command(cls=DataCommand)
def prune(
    context: typer.Context,
    names: Annotated[list[str] | None, argument("[NAME...]", "Remove only these items.")] = None,
    older_than: Annotated[
        str | None, option("--older-than AGE", "Remove items older than this: 26h, 30d, 2025-06.")
    ] = None,
    keep_last: Annotated[
        int | None, option("--keep-last N", "Remove all but the newest N of each kind.", min=0)
    ] = None,
    others: Annotated[
        bool, option("--others", "Also remove deletions that are not in this database's log.")
    ] = False,
    force: Annotated[
        bool, option("--force", "Also remove the only way back from the last 7 days.")
    ] = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Remove kept items by age or number.

    With both rules, only items that neither keeps are removed. Remains of interrupted runs are
    always removed. Deletions, and the newest item of each other kind, are kept for 7 days: they may
    be the only way back. The exit code is 7 if an item could not be removed.

    \b
    Examples:
      chatdb kept prune --older-than 30d --dry-run
      chatdb kept prune --keep-last 3 --yes
    """
    from chatdb.operations.kept import prune as operation

    command = CommandContext.of(context)
    url = _place(command)
    kept = _entries(command, url)
    age = None if older_than is None else read_age(older_than, "--older-than", zone=command.zone)
    rules = operation.KeptRules(
        older_than=age,
        keep_last=keep_last,
        names=frozenset(names or ()),
        force=force,
        others=others,
        log_problem=kept.log_problem,
    )
    entries = kept.all if others or names else kept.own
    plan = operation.plan_prune(entries, rules, now=datetime.now(UTC))
    going = [item for item in plan if item.action == "remove"]
    if going and not dry_run:
        confirm(command, _plan_lines(going), yes=yes, action="remove what is kept of", url=url)
        plan = operation.carry_out(url, plan)
    cells = partial(_pruned_cells, dry_run=dry_run)
    command.output.rows(plan, operation.PrunedItem, table=cells, shortened=("why",))
    if not (names or older_than or keep_last is not None):
        command.diagnostics.note(
            "without a rule, only the remains of interrupted runs are removed: --older-than 30d"
        )
    if any(item.problem for item in plan):
        command.diagnostics.warning("some items could not be removed")
        raise typer.Exit(ExitCode.PARTIAL)


def _place(command: CommandContext) -> "DatabaseUrl":
    """Return the URL of the database, the direct one if it is known."""
    settings.export_libpq(command.config)
    url = command.direct_url or command.url
    if url.name:
        return url
    from chatdb.db.label import look_at_label

    return url.with_database(look_at_label(url).name)


def _entries(command: CommandContext, url: "DatabaseUrl") -> "KeptEntries":
    from chatdb.operations.kept.entries import kept_entries

    return kept_entries(url, schema=command.schema)


def _cells(entry: "KeptEntry", *, log_problem: str | None) -> dict[str, Any]:
    what = ""
    if entry.conversations is not None and entry.organization is not None:
        count = counted(entry.conversations, "conversation")
        what = f"{count} of {one_line(entry.organization, limit=40)}"
    elif entry.made_by == "deletion":
        what = "not in the log of this database" if log_problem is None else "not known"
    return {
        "name": _short(entry.name),
        "made_by": _MADE_BY[entry.made_by],
        "age": age_text(entry.kept_at, datetime.now(UTC)),
        "size": entry.bytes,
        "what": what,
    }


def _pruned_cells(item: "PrunedItem", *, dry_run: bool) -> dict[str, Any]:
    action: str = item.action
    if item.problem is not None:
        action = "not removed"
    elif item.action == "remove":
        action = "would remove" if dry_run else "removed"
    return {
        "name": _short(item.name),
        "age": age_text(item.kept_at, datetime.now(UTC)),
        "size": item.bytes,
        "action": action,
        "why": one_line(item.problem or item.reason, limit=100),
    }


def _plan_lines(going: "list[PrunedItem]") -> list[str]:
    now = datetime.now(UTC)
    lines = [
        f"{_short(item.name)} ({age_text(item.kept_at, now)} old, {size_text(item.bytes)};"
        f" {item.reason})"
        for item in going[:_SHOWN]
    ]
    if len(going) > _SHOWN:
        lines.append(f"and {len(going) - _SHOWN} more")
    size = size_text(sum(item.bytes for item in going))
    return [*lines, f"total {counted(len(going), 'item')}, {size}; none of it is kept"]


def _short(name: str) -> str:
    """Return a path as the user would type it in this directory."""
    beside = os.path.relpath(name) if os.sep in name else name
    return one_line(name if beside.startswith("..") else beside)
