"""`chatdb organizations`: list, create, rename and delete tenants."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chatdb.cli.added_columns import warn_of_added_columns
from chatdb.cli.confirm import confirm, would_be
from chatdb.cli.context import CommandContext
from chatdb.cli.erasing import attached_digests, erase_attachments, tell_erased
from chatdb.cli.lazy_group import group_app
from chatdb.cli.next_page import whole_cursor
from chatdb.cli.options import (
    DataCommand,
    DryRunOption,
    KeepToOption,
    LimitOption,
    NoKeepOption,
    YesOption,
    argument,
    option,
)
from chatdb.cli.text import counted, one_line
from chatdb.errors import UsageError
from chatdb.primitives.filled import filled

if TYPE_CHECKING:
    from chatdb.db.database import Database
    from chatdb.operations.organizations.delete import OrganizationDeletion
    from chatdb.operations.organizations.organizations import (
        OrganizationRemoval,
        OrganizationSummary,
    )

app = group_app("List, create, rename and delete organizations (tenants).")

KeyArgument = Annotated[str, argument("KEY", "Key of the organization.")]


@dataclass(frozen=True, slots=True)
class OrganizationDeletionSummary:
    """What was deleted; `organization_kept` says whether the organization itself still exists."""

    key: str
    users: int
    conversations: int
    messages: int
    snapshots: int
    organization_kept: bool
    kept: Path | None
    dry_run: bool


@app.command(name="list", cls=DataCommand)
def list_organizations(
    context: typer.Context,
    limit: LimitOption = 50,
    after: Annotated[
        str | None, option("--after KEY", "Continue after this key.", callback=whole_cursor)
    ] = None,
) -> None:
    """List organizations by key, with counts.

    \b
    Example:
      chatdb organizations list --format json
    """
    from chatdb.operations.organizations import organizations

    command = CommandContext.of(context)
    with command.open_database() as database:
        page = organizations.list_page(database, limit=limit, after=after)
    command.output.rows(
        page.items, organizations.OrganizationSummary, table=_cells, shortened=("name",)
    )
    if page.next_key is not None:
        command.tell_more(page.next_key)


@app.command(cls=DataCommand)
def create(
    context: typer.Context,
    key: KeyArgument,
    name: Annotated[str | None, option("--name", "Display name.  [default: the key]")] = None,
    if_missing: Annotated[
        bool, option("--if-missing", "If it already exists, change nothing and exit with 0.")
    ] = False,
) -> None:
    """Create an organization.

    The id is derived from the key, identical in every database, so the key never changes.

    \b
    Example:
      chatdb organizations create acme --name 'Acme Ltd.'
    """
    from chatdb.operations.organizations import organizations

    command = CommandContext.of(context)
    with command.open_database(create=True) as database:
        made = organizations.create(database, key, name=name, if_missing=if_missing)
    command.output.record(made)


@app.command(cls=DataCommand)
def rename(
    context: typer.Context,
    key: KeyArgument,
    name: Annotated[str, argument("NAME", "New display name.")],
) -> None:
    """Rename an organization; its key stays the same.

    \b
    Example:
      chatdb organizations rename acme 'Acme Incorporated'
    """
    from chatdb.operations.organizations import organizations

    command = CommandContext.of(context)
    with command.open_database() as database:
        renamed = organizations.rename(database, key, name)
    command.output.record(renamed)


@app.command(cls=DataCommand)
def delete(
    context: typer.Context,
    key: KeyArgument,
    keep_organization: Annotated[
        bool, option("--keep-organization", "Delete its contents but keep the organization.")
    ] = False,
    keep_to: KeepToOption = None,
    no_keep: NoKeepOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Delete an organization and its contents, kept in a file.

    All of it is deleted in one transaction. Importing the kept file restores it.

    \b
    Example:
      chatdb organizations delete acme --dry-run
    """
    from chatdb.operations.organizations import delete as operation
    from chatdb.operations.organizations import organizations

    if no_keep and keep_to is not None:
        raise UsageError("--no-keep and --keep-to exclude each other", hint="leave one out")
    command = CommandContext.of(context)
    operation.refuse_default(key, keep_row=keep_organization)
    erased = True
    with command.open_database() as database:
        found = organizations.contents(database, key)
        kept = keep_to or operation.keep_path(database, key, now=datetime.now(UTC))
        path = None if no_keep else kept
        report = operation.OrganizationDeletion(
            contents=found, kept=path, row_kept=keep_organization
        )
        words = would_be("deleted", _plan(report)) if dry_run else None
        if not dry_run:
            if path is not None:
                warn_of_added_columns(command, database, "what is kept")
            confirm(command, _plan(report), yes=yes)
            digests = attached_digests(command, database, key, None, keeps=path is not None)
            report = _delete(command, database, report)
            erased = erase_attachments(command, database, key, digests)
    summary = filled(
        OrganizationDeletionSummary,
        report,
        report.contents,
        organization_kept=report.row_kept,
        dry_run=dry_run,
    )
    command.output.record(summary, words=words)
    if report.kept is not None and not dry_run:
        back = f"to restore it: {_way_back(report.contents, report.kept)}"
        command.diagnostics.note(back)
    tell_erased(erased)


def _cells(item: "OrganizationSummary") -> dict[str, Any]:
    """Return the columns that fit a terminal."""
    return {
        "key": item.key,
        "name": item.name,
        "users": item.users,
        "conversations": item.conversations,
        "messages": item.messages,
        "last_activity_at": item.last_activity_at,
    }


def _delete(
    command: CommandContext, database: "Database", plan: "OrganizationDeletion"
) -> "OrganizationDeletion":
    from chatdb.operations.organizations.delete import DeletionWatch, delete_organization

    count = plan.contents.conversations
    steps = count if plan.kept is None else 2 * count
    label = "deleting" if plan.kept is None else "keeping and deleting"
    with command.diagnostics.progress(label, total=steps, unit="conversations") as progress:
        return delete_organization(
            database,
            plan.contents.key,
            keep_to=plan.kept,
            keep_row=plan.row_kept,
            watch=DeletionWatch(on_kept=progress.advance, on_deleted=progress.advance),
        )


def _plan(report: "OrganizationDeletion") -> list[str]:
    contents = report.contents
    what = "the contents of the organization {}" if report.row_kept else "the organization {}"
    users = counted(contents.users, "user")
    conversations = counted(contents.conversations, "conversation")
    snapshots = counted(contents.snapshots, "snapshot")
    return [
        f"{what.format(one_line(contents.key))} ({one_line(contents.name, limit=60)}):",
        f"{conversations} of {users}, {counted(contents.messages, 'message')}, {snapshots}",
        f"kept in {report.kept}" if report.kept is not None else "nothing is kept",
    ]


def _way_back(contents: "OrganizationRemoval", kept: Path) -> str:
    """Return the command that restores it; the file does not contain the display name."""
    org = "" if contents.key == "default" else f" --org {quote(contents.key)}"
    back = f"chatdb import {quote(str(kept))} --restore-deleted{org}"
    if contents.name in (contents.key, "Default"):
        return back
    name = quote(one_line(contents.name))
    return f"{back} && chatdb organizations rename {quote(contents.key)} {name}"
