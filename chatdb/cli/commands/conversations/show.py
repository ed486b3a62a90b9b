"""`chatdb conversations show`: one conversation, as a transcript or as a record."""

from typing import TYPE_CHECKING, Annotated

import typer

from chatdb.cli.context import CommandContext
from chatdb.cli.options import (
    AllOrgsOption,
    ConversationArgument,
    OutputFormat,
    UserOption,
    option,
)
from chatdb.cli.organizations_meant import scope_of, telling_who_has_some
from chatdb.cli.text import counted, one_line

if TYPE_CHECKING:
    from chatdb.records import Conversation


def show(
    context: typer.Context,
    conversation: ConversationArgument,
    user: UserOption = None,
    full: Annotated[
        bool, option("--full", "Show tool calls, tool output and reasoning in full.")
    ] = False,
    tree: Annotated[
        bool, option("--tree", "Show the branches, one line for each message.")
    ] = False,
    all_branches: Annotated[
        bool, option("--all-branches", "Show the messages of every branch.")
    ] = False,
    include_hidden: Annotated[
        bool, option("--include-hidden", "Also show messages that the source hid.")
    ] = False,
    all_orgs: AllOrgsOption = False,
) -> None:
    """Show a conversation as a readable transcript.

    Shows the active branch, without messages that the source hid. This does not count as an access;
    chatdb conversations touch does. --format json and jsonl print the whole record
    (docs/formats.md), csv its messages.

    \b
    Examples:
      chatdb show last
      chatdb conversations show 3f9a12bc
    """
    from chatdb.operations.conversations import lists as conversations
    from chatdb.records import Message

    command = CommandContext.of(context)
    scope = scope_of(command, all_orgs=all_orgs)
    with (
        command.open_database(user=user) as database,
        telling_who_has_some(command, database, scope),
    ):
        record = conversations.read_conversation(
            database, conversation, organization_key=scope, user_id=user
        )
    if all_orgs and command.output.is_table:
        command.diagnostics.note(f"of the organization {one_line(record.organization or '')}")
    if command.output.format is OutputFormat.CSV:
        keys = [record.organization or ""] * len(record.messages) if all_orgs else None
        command.output.rows(record.messages, Message, organizations=keys)
    elif not command.output.is_table:
        command.output.record(record)
    elif tree:
        _show_tree(command, record, include_hidden=include_hidden)
    else:
        _show_transcript(
            command, record, full=full, all_branches=all_branches, include_hidden=include_hidden
        )


def _show_tree(command: CommandContext, record: "Conversation", *, include_hidden: bool) -> None:
    from chatdb.cli.commands.conversations.transcript import tree_lines
    from chatdb.formats.branches import tree
    from chatdb.records import is_hidden

    nodes = (node for node in tree(record) if include_hidden or not is_hidden(node.message))
    if command.output.is_terminal:
        command.output.page(tree_lines(nodes, width=command.output.width))
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
    from chatdb.cli.commands.conversations import transcript
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
