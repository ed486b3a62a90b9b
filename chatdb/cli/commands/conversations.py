"""`chatdb conversations`: list, show and delete conversations."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from chatdb.cli.confirm import confirm
from chatdb.cli.context import CommandContext
from chatdb.cli.lazy_group import group_app
from chatdb.cli.options import (
    AfterOption,
    DryRunOption,
    Format,
    FormatOption,
    LimitOption,
    YesOption,
)
from chatdb.cli.text import counted, one_line
from chatdb.errors import UsageError

if TYPE_CHECKING:
    from chatdb.operations.conversations import ConversationSummary
    from chatdb.records import Conversation
    from chatdb.workflows.delete_conversations import DeletionReport

app = group_app("List, show and delete conversations.")

SHORT_ID = 8
_PLANNED_TITLES = 10

ConversationArgument = Annotated[
    str,
    typer.Argument(metavar="ID", help="Its id, the beginning or end of it, or last."),
]


@dataclass(frozen=True, slots=True)
class ListedConversation:
    """A row of the table: `id` is the end of the id, which names it wherever an id is asked for."""

    id: str
    title: str | None
    user_id: str | None
    message_count: int
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class DeletionSummary:
    """What went, for people and scripts."""

    conversations: int
    messages: int
    snapshots: int
    kept: str | None
    dry_run: bool
    ids: tuple[UUID, ...]


@app.command(name="list")
def list_conversations(
    context: typer.Context,
    limit: LimitOption = 50,
    after: AfterOption = None,
    user: Annotated[
        str | None, typer.Option("--user", metavar="ID", help="Only those of this user.")
    ] = None,
    archived: Annotated[
        bool | None,
        typer.Option(
            "--archived/--no-archived", help="Only archived ones, or none.  [default: no]"
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Archived ones and the others.")
    ] = False,
    output_format: FormatOption = Format.TABLE,
) -> None:
    """List conversations, last updated first.

    The table shows the end of each id; it is enough to name the conversation.

    \b
    Example:
      chatdb conversations list --user ann --limit 20
    """
    from chatdb.operations import conversations

    if everything and archived is not None:
        raise UsageError("--all and --archived exclude each other", hint="leave one out")
    command = CommandContext.of(context)
    with command.open_database() as database:
        page = conversations.list_page(
            database,
            organization_key=command.org,
            limit=limit,
            after=after,
            user_id=user,
            archived=None if everything else bool(archived),
        )
    if output_format is Format.TABLE:
        digits = _digits_that_differ([item.id for item in page.items])
        rows = [_listed(item, digits) for item in page.items]
        command.output.rows(rows, ListedConversation, output_format)
    else:
        row_type = conversations.ConversationSummary
        command.output.rows(page.items, row_type, output_format)
    if page.next_cursor is not None:
        command.diagnostics.note(
            f"there are more: --limit shows more at once, "
            f"--after {page.next_cursor} goes on from here"
        )


@app.command()
def show(
    context: typer.Context,
    conversation: ConversationArgument,
    full: Annotated[
        bool, typer.Option("--full", help="Write out tool calls, tool output and reasoning.")
    ] = False,
    tree: Annotated[
        bool, typer.Option("--tree", help="Show the branches, a line for each message.")
    ] = False,
    all_branches: Annotated[
        bool, typer.Option("--all-branches", help="Show the messages of every branch.")
    ] = False,
    include_hidden: Annotated[
        bool, typer.Option("--include-hidden", help="Show messages that the source hid, too.")
    ] = False,
    output_format: FormatOption = Format.TABLE,
) -> None:
    """Show a conversation as a readable transcript.

    The active branch, without what its source hid. --format json and jsonl give the whole record
    (docs/formats.md), csv its messages.

    \b
    Example:
      chatdb conversations show last
    """
    from chatdb.operations import conversations
    from chatdb.records import Message

    command = CommandContext.of(context)
    with command.open_database() as database:
        record = conversations.read_conversation(
            database, conversation, organization_key=command.org
        )
    if output_format is Format.CSV:
        command.output.rows(record.messages, Message, output_format)
    elif output_format is not Format.TABLE:
        command.output.record(record, output_format)
    elif tree:
        _show_tree(command, record, include_hidden=include_hidden)
    else:
        _show_transcript(
            command, record, full=full, all_branches=all_branches, include_hidden=include_hidden
        )


@app.command()
def delete(
    context: typer.Context,
    conversations: Annotated[
        list[str],
        typer.Argument(metavar="ID...", help="Their ids, beginnings or ends of them, or last."),
    ],
    keep_to: Annotated[
        Path | None,
        typer.Option("--keep-to", metavar="FILE", help="Keep what goes in this new file."),
    ] = None,
    no_keep: Annotated[
        bool, typer.Option("--no-keep", help="Keep nothing: erase them for good.")
    ] = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    output_format: FormatOption = Format.TABLE,
) -> None:
    """Delete conversations, keeping them in a file.

    Importing their source again does not bring them back; importing the kept file with
    --restore-deleted does.

    \b
    Example:
      chatdb conversations delete 3f9a12bc --dry-run
    """
    from chatdb.operations.conversations import find_deletable
    from chatdb.workflows import delete_conversations as workflow
    from chatdb.workflows.kept_files import default_keep_path

    if no_keep and keep_to is not None:
        raise UsageError("--no-keep and --keep-to exclude each other", hint="leave one out")
    command = CommandContext.of(context)
    with command.open_database(create=not dry_run) as database:
        found = find_deletable(database, conversations, organization_key=command.org)
        kept = keep_to or default_keep_path(database, now=datetime.now(UTC))
        path = None if no_keep else kept
        report = workflow.report_of(found, kept=path, dry_run=dry_run)
        if dry_run:
            command.diagnostics.block("\n".join(["This would be deleted:", *_plan(report)]))
        else:
            confirm(command, _plan(report), yes=yes)
            report = workflow.delete_conversations(
                database, [each.id for each in found], organization_key=command.org, keep_to=path
            )
    command.output.record(_summary(report), output_format)
    if report.kept is not None and not dry_run:
        org = "" if command.org == "default" else f" --org {quote(command.org)}"
        command.diagnostics.note(
            f"to bring them back: chatdb import {quote(str(report.kept))} --restore-deleted{org}"
        )


def _digits_that_differ(ids: Sequence[UUID]) -> int:
    """Return how many digits from the end tell these ids apart."""
    different = len(set(ids))
    return next(
        digits
        for digits in (SHORT_ID, 12, 16, 32)
        if len({identifier.hex[-digits:] for identifier in ids}) == different
    )


def _listed(item: "ConversationSummary", digits: int) -> ListedConversation:
    return ListedConversation(
        id=item.id.hex[-digits:],
        title=None if item.title is None else one_line(item.title, limit=60),
        user_id=item.user_id,
        message_count=item.message_count,
        updated_at=item.updated_at,
    )


def _show_tree(command: CommandContext, record: "Conversation", *, include_hidden: bool) -> None:
    from chatdb.cli.transcript import tree_lines
    from chatdb.formats.branches import tree
    from chatdb.records import is_hidden

    nodes = (node for node in tree(record) if include_hidden or not is_hidden(node.message))
    if command.output.is_terminal:
        command.output.page(tree_lines(nodes))
        return
    for line in tree_lines(nodes):
        command.output.text(line)


def _show_transcript(
    command: CommandContext,
    record: "Conversation",
    *,
    full: bool,
    all_branches: bool,
    include_hidden: bool,
) -> None:
    from chatdb.cli import transcript
    from chatdb.formats.branches import active_path
    from chatdb.records import is_hidden

    path = record.messages if all_branches else active_path(record)
    shown = [message for message in path if include_hidden or not is_hidden(message)]
    if command.output.is_terminal:
        command.output.page(transcript.rendered(record, shown, full=full))
    else:
        for line in transcript.plain(record, shown, full=full):
            command.output.text(line)
    _note_left_out(
        command, hidden=len(path) - len(shown), elsewhere=len(record.messages) - len(path)
    )


def _note_left_out(command: CommandContext, *, hidden: int, elsewhere: int) -> None:
    if hidden:
        command.diagnostics.note(f"{counted(hidden, 'hidden message')} left out: --include-hidden")
    if elsewhere:
        command.diagnostics.note(
            f"{counted(elsewhere, 'message')} on other branches left out: --all-branches, --tree"
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
        f"in all {counted(len(report.conversations), 'conversation')},"
        f" {counted(report.messages, 'message')}, {counted(report.snapshots, 'snapshot')}"
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
