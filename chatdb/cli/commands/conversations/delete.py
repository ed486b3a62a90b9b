"""`chatdb conversations delete`: by ids, or all that match the options."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from chatdb.cli import completion
from chatdb.cli.added_columns import warn_of_added_columns
from chatdb.cli.commands.conversations.list import SHORT_ID
from chatdb.cli.confirm import confirm, would_be
from chatdb.cli.context import CommandContext
from chatdb.cli.erasing import attached_digests, erase_attachments, tell_erased
from chatdb.cli.flag_options import with_flags
from chatdb.cli.kinds import OnlyKindsOption, kinds_wanted
from chatdb.cli.options import (
    DryRunOption,
    KeepToOption,
    NoKeepOption,
    UserOption,
    YesOption,
    argument,
    option,
)
from chatdb.cli.text import counted, one_line
from chatdb.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from chatdb.operations.conversations.delete import DeletionReport
    from chatdb.store.selecting import ConversationFilter

_PLANNED_TITLES = 10


@dataclass(frozen=True, slots=True)
class DeletionSummary:
    """What was deleted, for people and scripts."""

    conversations: int
    messages: int
    snapshots: int
    kept: str | None
    dry_run: bool
    ids: tuple[UUID, ...]


@with_flags("All {} conversations, or all others.")
def delete(
    context: typer.Context,
    conversations: Annotated[
        list[str] | None,
        argument(
            "[ID...]",
            "Ids, or the beginning or end of each, or: last.",
            autocompletion=completion.conversations,
        ),
    ] = None,
    user: UserOption = None,
    before: Annotated[
        str | None, option("--before TIME", "All last updated before then; 2025-06: before June.")
    ] = None,
    since: Annotated[
        str | None, option("--since TIME", "All updated then or later: 2025-06, 30d, yesterday.")
    ] = None,
    until: Annotated[
        str | None, option("--until TIME", "All last updated then or earlier; 2025-06: with June.")
    ] = None,
    source: Annotated[
        str | None, option("--source NAME", "All from this source, such as chatgpt.")
    ] = None,
    *,
    flags: Mapping[str, bool],
    kind: OnlyKindsOption = None,
    meta: Annotated[list[str] | None, option("--meta KEY=VALUE", "All with this metadata.")] = None,
    keep_to: KeepToOption = None,
    no_keep: NoKeepOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Delete conversations, keeping them in a file.

    Give ids, or options to delete all matches; several options must all match. Times are UTC,
    or in the time zone that is set: chatdb config show. Importing their source again does not
    restore them; importing the kept file with --restore-deleted does.

    \b
    Examples:
      chatdb conversations delete 3f9a12bc --dry-run
      chatdb conversations delete --before 2024-01-01 --no-starred
    """
    from chatdb.operations.conversations import delete as operation
    from chatdb.operations.kept.files import default_keep_path

    if no_keep and keep_to is not None:
        raise UsageError("--no-keep and --keep-to exclude each other", hint="leave one out")
    command = CommandContext.of(context)
    first, after = _times(command, since, before, until)
    wanted = replace(_wanted(user, source, flags, kind, meta), since=first, before=after)
    _check(conversations, wanted, user)
    erased = True
    with command.open_database(user=user) as database:
        if conversations:
            found = operation.find_deletable(
                database, conversations, organization_key=command.org, user_id=user
            )
        else:
            found = operation.find_matching(database, wanted, organization_key=command.org)
        path = None if no_keep else keep_to or default_keep_path(database, now=datetime.now(UTC))
        report = operation.report_of(found, kept=path if found else None, dry_run=dry_run)
        words = would_be("deleted", _plan(report)) if dry_run and found else None
        if found and not dry_run:
            if path is not None:
                warn_of_added_columns(command, database, "what is kept")
            confirm(command, _plan(report), yes=yes)
            ids = [each.id for each in found]
            digests = attached_digests(command, database, command.org, ids, keeps=path is not None)
            report = operation.delete_conversations(
                database, ids, organization_key=command.org, keep_to=path
            )
            erased = erase_attachments(command, database, command.org, digests)
    command.output.record(_summary(report), words=words, table=_cells)
    if not found:
        command.diagnostics.note("no matching conversations; nothing deleted")
    elif report.kept is not None and not dry_run:
        tell_way_back(command, report.kept)
    tell_erased(erased)


def _cells(summary: DeletionSummary) -> dict[str, Any]:
    """Return all but the ids, of which there may be thousands."""
    return {
        "conversations": summary.conversations,
        "messages": summary.messages,
        "snapshots": summary.snapshots,
        "kept": summary.kept,
    }


def tell_way_back(command: CommandContext, kept: "Path", what: str = "to restore them") -> None:
    """Print the command that restores the kept conversations."""
    org = "" if command.org == "default" else f" --org {quote(command.org)}"
    back = f"{what}: chatdb import {quote(str(kept))} --restore-deleted{org}"
    command.diagnostics.note(back)


def _wanted(
    user: str | None,
    source: str | None,
    flags: Mapping[str, bool],
    kind: list[str] | None,
    meta: list[str] | None,
) -> "ConversationFilter":
    from chatdb.operations.conversations.metadata_words import condition
    from chatdb.store.selecting import ConversationFilter

    return ConversationFilter(
        user_id=user,
        source=source,
        flags=flags,
        kinds=kinds_wanted(kind),
        metadata=tuple(map(condition, meta or ())),
    )


def _times(
    command: CommandContext, since: str | None, before: str | None, until: str | None
) -> tuple[datetime | None, datetime | None]:
    """Return the limits of the filter: `--before` ends where its time begins, `--until` after."""
    from chatdb.cli.times import read_between, read_time

    if before is not None and until is not None:
        raise UsageError("--before and --until exclude each other", hint="leave one out")
    first, after = read_between(since, until, zone=command.zone)
    if before is not None:
        after = read_time(before, "--before", zone=command.zone)
    return first, after


def _check(ids: list[str] | None, wanted: "ConversationFilter", user: str | None) -> None:
    """Raise UsageError unless ids or options select conversations; --user goes with both."""
    from chatdb.store.selecting import ConversationFilter

    if ids and wanted != ConversationFilter(user_id=user):
        raise UsageError(
            "ids and --before, --archived ... exclude each other", hint="use one or the other"
        )
    if not ids and wanted.is_everything:
        raise UsageError(
            "nothing to delete was specified",
            hint="give conversation ids, or select by option: --before 2024-01-01",
        )


def _plan(report: "DeletionReport") -> list[str]:
    lines = [
        f"{each.id.hex[-SHORT_ID:]}  {one_line(each.title or 'untitled', limit=50)}"
        f" ({counted(each.messages, 'message')})"
        for each in report.conversations[:_PLANNED_TITLES]
    ]
    more = len(report.conversations) - _PLANNED_TITLES
    if more > 0:
        lines.append(f"and {counted(more, 'more conversation')}")
    lines.append(
        f"total {counted(len(report.conversations), 'conversation')}, "
        f"{counted(report.messages, 'message')}, {counted(report.snapshots, 'snapshot')}"
    )
    lines.append(f"kept in {report.kept}" if report.kept is not None else "nothing is kept")
    return lines


def _summary(report: "DeletionReport") -> DeletionSummary:
    return DeletionSummary(
        conversations=len(report.conversations),
        messages=report.messages,
        snapshots=report.snapshots,
        kept=None if report.kept is None else str(report.kept),
        dry_run=report.dry_run,
        ids=tuple(each.id for each in report.conversations),
    )
