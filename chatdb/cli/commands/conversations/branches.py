"""`chatdb conversations fork`, `split` and `merge`."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from chatdb.cli.added_columns import warn_of_added_columns
from chatdb.cli.commands.conversations.delete import tell_way_back
from chatdb.cli.commands.conversations.list import SHORT_ID
from chatdb.cli.confirm import confirm, would_be
from chatdb.cli.context import CommandContext
from chatdb.cli.options import (
    ConversationArgument,
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

    from chatdb.operations.conversations.branches import Mergeable
    from chatdb.store.deletion import DeletedConversation

AtOption = Annotated[str, option("--at MESSAGE", "Full id, its beginning or end, or: last.")]
TitleOption = Annotated[str | None, option("--title", "Title of the new conversation.")]


@dataclass(frozen=True, slots=True)
class MergeSummary:
    """What was moved into which conversation, for people and scripts."""

    id: UUID
    title: str | None
    from_id: UUID
    messages: int
    snapshots: int
    kept: str | None
    dry_run: bool


def fork(
    context: typer.Context,
    conversation: ConversationArgument,
    at: AtOption,
    title: TitleOption = None,
    user: UserOption = None,
) -> None:
    """Copy a conversation up to a message into a new one.

    Later messages, other branches and snapshots are not copied.

    \b
    Example:
      chatdb conversations fork last --at 9c0d1e2f
    """
    from chatdb.operations.conversations import branches as operation

    command = CommandContext.of(context)
    with command.open_database(user=user) as database:
        made = operation.fork(
            database, conversation, at, organization_key=command.org, user_id=user, title=title
        )
    command.output.record(made)


def split(
    context: typer.Context,
    conversation: ConversationArgument,
    at: AtOption,
    title: TitleOption = None,
    user: UserOption = None,
) -> None:
    """Move a message and those below it to a new conversation.

    Imports do not bring the moved messages back. merge joins the two again.

    \b
    Example:
      chatdb conversations split last --at 9c0d1e2f --title "Rye bread"
    """
    from chatdb.operations.conversations import branches as operation

    command = CommandContext.of(context)
    with command.open_database(user=user) as database:
        made = operation.split(
            database, conversation, at, organization_key=command.org, user_id=user, title=title
        )
    command.output.record(made)


def merge(
    context: typer.Context,
    into: Annotated[str, argument("INTO", "The conversation that stays: its id, or a part of it.")],
    other: Annotated[str, argument("ID", "The conversation whose messages are appended to it.")],
    user: UserOption = None,
    keep_to: KeepToOption = None,
    no_keep: NoKeepOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Move the messages of a conversation into another.

    They follow the end of its active branch. The emptied conversation is deleted, and imports do
    not bring it back; both are kept in a file as they were.

    \b
    Example:
      chatdb conversations merge 3f9a12bc 77ab01cd --dry-run
    """
    from chatdb.operations.conversations import branches as operation
    from chatdb.operations.kept.files import default_keep_path

    if no_keep and keep_to is not None:
        raise UsageError("--no-keep and --keep-to exclude each other", hint="leave one out")
    command = CommandContext.of(context)
    with command.open_database(user=user) as database:
        found = operation.find_mergeable(
            database, into, other, organization_key=command.org, user_id=user
        )
        path = None if no_keep else keep_to or default_keep_path(database, now=datetime.now(UTC))
        plan = _plan(found, path)
        if not dry_run:
            if path is not None:
                warn_of_added_columns(command, database, "what is kept")
            confirm(command, plan, yes=yes, action="merge conversations of")
            operation.merge(
                database,
                found.into.id,
                found.other.id,
                organization_key=command.org,
                keep_to=path,
            )
    summary = MergeSummary(
        id=found.into.id,
        title=found.into.title or found.other.title,
        from_id=found.other.id,
        messages=found.other.messages,
        snapshots=found.other.snapshots,
        kept=None if path is None else str(path),
        dry_run=dry_run,
    )
    command.output.record(summary, words=would_be("merged", plan) if dry_run else None)
    if path is not None and not dry_run:
        tell_way_back(command, path, "to restore the merged one beside it")


def _plan(found: "Mergeable", kept: "Path | None") -> list[str]:
    return [
        f"into  {_named(found.into)}",
        f"moves {_named(found.other)}, then deletes it",
        f"both are kept in {kept}" if kept is not None else "nothing is kept",
    ]


def _named(each: "DeletedConversation") -> str:
    title = one_line(each.title or "untitled", limit=40)
    return f"{each.id.hex[-SHORT_ID:]}  {title} ({counted(each.messages, 'message')})"
