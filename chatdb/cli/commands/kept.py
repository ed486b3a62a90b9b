"""`chatdb kept`: what restores, migrations and deletions kept, and how to bring it back."""

import os
import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chatdb import config as settings
from chatdb.cli.backup_check import an_age
from chatdb.cli.backup_report import age_text
from chatdb.cli.confirm import confirm
from chatdb.cli.context import CommandContext
from chatdb.cli.lazy_group import group_app
from chatdb.cli.options import DryRunOption, Format, FormatOption, YesOption
from chatdb.cli.progress import BYTES, amount_text
from chatdb.cli.text import counted, one_line
from chatdb.errors import ExitCode

if TYPE_CHECKING:
    from chatdb.db.url import DatabaseUrl
    from chatdb.workflows.kept_entries import KeptEntries, KeptEntry
    from chatdb.workflows.kept_prune import PrunedItem

app = group_app("List, show, bring back and remove what was kept.")

_SHOWN = 20
_MADE_BY = {
    "restore": "a restore replaced it",
    "migration": "before a migration",
    "deletion": "a deletion",
    "broken_off": "left by a run that was broken off",
}

NameArgument = Annotated[str, typer.Argument(help="Its name, as chatdb kept list shows it.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedKept:
    """Something that is kept, in a table."""

    name: str
    made_by: str
    age: str
    size: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPruned:
    """Something that is kept, in the table of a pruning."""

    name: str
    age: str
    size: str
    action: str
    why: str


@app.command(name="list")
def list_kept(context: typer.Context, output_format: FormatOption = Format.TABLE) -> None:
    """List what is kept of the database, the oldest first.

    The databases that restores replaced, the copies that migrations made, the files of what was
    deleted, and what runs left that were broken off.

    \b
    Example:
      chatdb kept list --format json
    """
    from chatdb.workflows.kept_entries import KeptEntry

    command = CommandContext.of(context)
    place = _place(command)
    kept = _entries(command, place)
    entries = kept.own
    if output_format is Format.TABLE:
        log_problem = kept.log_problem
        rows = [_listed(entry, log_problem=log_problem) for entry in entries]
        command.output.rows(rows, ListedKept, output_format)
    else:
        command.output.rows(entries, KeptEntry, output_format)
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
    size = amount_text(sum(entry.bytes for entry in entries), BYTES)
    command.diagnostics.note(
        f"{counted(len(entries), 'item')}, {size}; to bring one back: chatdb kept restore NAME",
    )


@app.command()
def show(
    context: typer.Context, name: NameArgument, output_format: FormatOption = Format.TABLE
) -> None:
    """Show one thing that is kept, and how to bring it back.

    \b
    Example:
      chatdb kept show deleted_20260131T120000_000000Z.jsonl
    """
    from chatdb.workflows.kept_entries import details, named

    command = CommandContext.of(context)
    url = _place(command)
    entry = named(_entries(command, url).all, name)
    command.output.record(details(entry, url, schema=_schema(command)), output_format)
    if entry.made_by == "broken_off":
        command.diagnostics.note("it is of no use to anybody; to remove it: chatdb kept prune")
    else:
        name = shlex.quote(_short(entry.name))
        command.diagnostics.note(f"to bring it back: chatdb kept restore {name}")


@app.command()
def restore(
    context: typer.Context,
    name: NameArgument,
    force: Annotated[
        bool, typer.Option("--force", help="End the sessions of who is connected.")
    ] = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    output_format: FormatOption = Format.TABLE,
) -> None:
    """Bring back something that is kept.

    A database takes the place of the one that is there, which is kept in its turn: as
    chatdb restore --undo does. What was deleted is imported again, as by
    chatdb import --restore-deleted, into the organization that it was deleted from.

    \b
    Examples:
      chatdb kept restore deleted_20260131T120000_000000Z.jsonl
      chatdb kept restore chat_before_restore_20260131T120000Z --dry-run
    """
    from chatdb.cli.commands.import_ import import_
    from chatdb.cli.commands.restore import restore as put_back
    from chatdb.errors import RefusedError, UsageError
    from chatdb.workflows.kept_entries import named

    command = CommandContext.of(context)
    kept = _entries(command, _place(command))
    entry = named(kept.all, name)
    if entry.made_by == "broken_off":
        raise UsageError(
            f"{entry.name} is not whole: the run that wrote it was broken off",
            hint="remove it: chatdb kept prune",
        )
    if entry.made_by != "deletion":
        put_back(
            context,
            file=entry.name,
            undo=True,
            force=force,
            yes=yes,
            dry_run=dry_run,
            output_format=output_format,
        )
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
        output_format=output_format,
    )


@app.command()
def prune(
    context: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME...]", help="These, and no others.")
    ] = None,
    older_than: Annotated[
        str | None, typer.Option("--older-than", metavar="AGE", help="All older: 26h, 30d, 8w.")
    ] = None,
    keep_last: Annotated[
        int | None,
        typer.Option("--keep-last", min=0, metavar="N", help="All but the newest N of each kind."),
    ] = None,
    others: Annotated[
        bool,
        typer.Option("--others", help="Also deletions that this database's log does not name."),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also the only way back from the last 7 days.")
    ] = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    output_format: FormatOption = Format.TABLE,
) -> None:
    """Remove what is kept, by age or number.

    With both rules only what neither keeps. What runs left that were broken off goes in any case.
    A deletion, and the newest of the other kinds, stays for 7 days: it may be the only way back.
    Exit code 7 when something could not be removed.

    \b
    Examples:
      chatdb kept prune --older-than 30d --dry-run
      chatdb kept prune --keep-last 3 --yes
    """
    from chatdb.workflows import kept_prune as workflow

    command = CommandContext.of(context)
    url = _place(command)
    kept = _entries(command, url)
    rules = workflow.KeptRules(
        older_than=None if older_than is None else an_age(older_than),
        keep_last=keep_last,
        names=frozenset(names or ()),
        force=force,
        others=others,
        log_problem=kept.log_problem,
    )
    entries = kept.all if others or names else kept.own
    plan = workflow.plan_prune(entries, rules, now=datetime.now(UTC))
    going = [item for item in plan if item.action == "remove"]
    if going and not dry_run:
        confirm(command, _plan_lines(going), yes=yes, action="remove what is kept of", url=url)
        plan = workflow.carry_out(url, plan)
    if output_format is Format.TABLE:
        rows = [_pruned(item, dry_run=dry_run) for item in plan]
        command.output.rows(rows, ListedPruned, output_format)
    else:
        command.output.rows(plan, workflow.PrunedItem, output_format)
    if not (names or older_than or keep_last is not None):
        command.diagnostics.note(
            "only what broken-off runs left goes without a rule: --older-than 30d"
        )
    if any(item.problem for item in plan):
        command.diagnostics.warning("not everything could be removed")
        raise typer.Exit(ExitCode.PARTIAL)


def _place(command: CommandContext) -> "DatabaseUrl":
    """Return the address of the database: without its pooler where one is known."""
    settings.export_libpq(command.config)
    url = command.direct_url or command.url
    if url.name:
        return url
    from chatdb.db.label import look_at_label

    return url.with_database(look_at_label(url).name)


def _schema(command: CommandContext) -> str | None:
    schema = command.config.schema
    return None if schema is None else schema.value


def _entries(command: CommandContext, url: "DatabaseUrl") -> "KeptEntries":
    from chatdb.workflows.kept_entries import kept_entries

    return kept_entries(url, schema=_schema(command))


def _listed(entry: "KeptEntry", *, log_problem: str | None) -> ListedKept:
    what = ""
    if entry.conversations is not None and entry.organization is not None:
        count = counted(entry.conversations, "conversation")
        what = f"{count} of {one_line(entry.organization, limit=40)}"
    elif entry.made_by == "deletion":
        what = "not in the log of this database" if log_problem is None else "not known"
    return ListedKept(
        name=_short(entry.name),
        made_by=_MADE_BY[entry.made_by],
        age=_age(entry.kept_at),
        size=amount_text(entry.bytes, BYTES),
        what=what,
    )


def _pruned(item: "PrunedItem", *, dry_run: bool) -> ListedPruned:
    action: str = item.action
    if item.problem is not None:
        action = "not removed"
    elif item.action == "remove":
        action = "would remove" if dry_run else "removed"
    return ListedPruned(
        name=_short(item.name),
        age=_age(item.kept_at),
        size=amount_text(item.bytes, BYTES),
        action=action,
        why=one_line(item.problem or item.reason, limit=100),
    )


def _plan_lines(going: "list[PrunedItem]") -> list[str]:
    lines = [
        f"{_short(item.name)} ({_age(item.kept_at)} old, {amount_text(item.bytes, BYTES)};"
        f" {item.reason})"
        for item in going[:_SHOWN]
    ]
    if len(going) > _SHOWN:
        lines.append(f"and {len(going) - _SHOWN} more")
    size = amount_text(sum(item.bytes for item in going), BYTES)
    return [*lines, f"in all {counted(len(going), 'item')}, {size}; nothing of it is kept"]


def _age(time: datetime) -> str:
    return age_text((datetime.now(UTC) - time).total_seconds())


def _short(name: str) -> str:
    """Return a path as one would type it from here."""
    beside = os.path.relpath(name) if os.sep in name else name
    return one_line(name if beside.startswith("..") else beside)
