"""`chatdb conversations show`: one conversation, as a transcript or as a record."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

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
from chatdb.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chatdb.records import Conversation, Message

_BEFORE = 2
"""Messages that are shown before the one that was asked for."""
_MOST_DIGITS = 3
"""Of the number of a branch: ids have four or more."""


@dataclass(frozen=True, slots=True)
class _Wish:
    """What to show: one branch by `branch`, or that of the message `at`; everything by `every`."""

    at: str | None
    branch: str | None
    every: bool
    hidden: bool

    @property
    def message(self) -> str | None:
        """The message that has to be found, if any."""
        return self.at if self.branch is None or self.number is not None else self.branch

    @property
    def number(self) -> int | None:
        """The number of the branch, if it is given by one."""
        text = self.branch or ""
        return int(text) if text.isdecimal() and len(text) <= _MOST_DIGITS else None


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
    at: Annotated[
        str | None, option("--at MESSAGE", "Start near this message, on its branch, and mark it.")
    ] = None,
    branch: Annotated[
        str | None,
        option("--branch BRANCH", "Show this branch: its number in --tree, or a message on it."),
    ] = None,
    ids: Annotated[bool, option("--ids", "Show the end of each message's id.")] = False,
    include_hidden: Annotated[
        bool, option("--include-hidden", "Also show messages that the source hid.")
    ] = False,
    all_orgs: AllOrgsOption = False,
) -> None:
    """Show a conversation as a readable transcript.

    Shows the active branch, without messages that the source hid. This does not count as an access;
    chatdb conversations touch does. --format json and jsonl print the whole record
    (docs/formats.md), csv its messages; --at and --branch limit both to a branch.

    \b
    Examples:
      chatdb show last
      chatdb conversations show 3f9a12bc --at 9c0d1e2f
    """
    from chatdb.operations.conversations import lists as conversations

    if sum([at is not None, branch is not None, all_branches, tree]) > 1:
        raise UsageError(
            "--at, --branch, --all-branches and --tree exclude each other",
            hint="leave out all but one",
        )
    wish = _Wish(at=at, branch=branch, every=all_branches, hidden=include_hidden)
    command = CommandContext.of(context)
    scope = scope_of(command, all_orgs=all_orgs)
    marked: UUID | None = None
    with (
        command.open_database(user=user) as database,
        telling_who_has_some(command, database, scope),
    ):
        if wish.message is None:
            record = conversations.read_conversation(
                database, conversation, organization_key=scope, user_id=user
            )
        else:
            record, marked = conversations.read_conversation_with(
                database, conversation, wish.message, organization_key=scope, user_id=user
            )
    if all_orgs and command.output.is_table:
        command.diagnostics.note(f"of the organization {one_line(record.organization or '')}")
    if not command.output.is_table:
        _print_record(command, record, wish, marked, all_orgs=all_orgs)
    elif tree:
        _show_tree(command, record, include_hidden=include_hidden)
    else:
        _show_transcript(command, record, wish, marked, full=full, ids=ids)


def _print_record(
    command: CommandContext,
    record: "Conversation",
    wish: _Wish,
    marked: UUID | None,
    *,
    all_orgs: bool,
) -> None:
    from chatdb.records import Message

    if wish.at is not None or wish.branch is not None:
        record.messages = _path(record, wish, marked)
    if command.output.format is OutputFormat.CSV:
        keys = [record.organization or ""] * len(record.messages) if all_orgs else None
        command.output.rows(record.messages, Message, organizations=keys)
    else:
        command.output.record(record)


def _show_tree(command: CommandContext, record: "Conversation", *, include_hidden: bool) -> None:
    from chatdb.cli.commands.conversations.transcript import TranscriptStyle, tree_lines
    from chatdb.formats.branches import tree
    from chatdb.records import is_hidden

    every = list(tree(record))
    nodes = [node for node in every if include_hidden or not is_hidden(node.message)]
    look = TranscriptStyle(digits=_digits([node.message for node in every]), zone=command.zone)
    numbered = sum(node.branch is not None for node in every) > 1
    if command.output.is_terminal:
        width = command.output.width
        command.output.page(tree_lines(nodes, look, numbered=numbered, width=width))
        return
    for line in tree_lines(nodes, look, numbered=numbered):
        command.output.text(line)


def _digits(messages: "Sequence[Message]") -> int:
    from chatdb.cli.commands.conversations.list import digits_that_differ

    return digits_that_differ([message.id for message in messages])


def _path(record: "Conversation", wish: _Wish, marked: UUID | None) -> "list[Message]":
    """Return the messages of the branch that is meant; raises NotFoundError for its number."""
    from chatdb.formats.branches import active_path, branch_through, tree

    if wish.every:
        return record.messages
    if wish.number is not None:
        ends = {node.branch: node.message.id for node in tree(record) if node.branch is not None}
        if wish.number not in ends:
            raise NotFoundError(
                f"there is no branch {wish.number}; there is "
                + ("only one" if len(ends) == 1 else f"1 to {len(ends)}"),
                hint="to see them: chatdb show ID --tree",
            )
        marked = ends[wish.number]
    return active_path(record) if marked is None else branch_through(record, marked)


def _show_transcript(
    command: CommandContext,
    record: "Conversation",
    wish: _Wish,
    marked: UUID | None,
    *,
    full: bool,
    ids: bool,
) -> None:
    from chatdb.cli.commands.conversations import transcript
    from chatdb.records import is_hidden

    path = _path(record, wish, marked)
    at = marked if wish.at is not None else None
    shown = [
        message for message in path if wish.hidden or message.id == at or not is_hidden(message)
    ]
    hidden = len(path) - len(shown)
    place = next((number for number, each in enumerate(shown) if each.id == at), 0)
    earlier = max(place - _BEFORE, 0)
    digits = _digits(record.messages) if ids and record.messages else 0
    look = transcript.TranscriptStyle(full=full, digits=digits, marked=at, zone=command.zone)
    if command.output.is_terminal:
        command.output.page(transcript.rendered(record, shown[earlier:], look))
    else:
        for line in transcript.plain(record, shown[earlier:], look):
            command.output.text(line)
    if earlier and at is not None:
        whole = f"--branch {at.hex[-_digits(record.messages) :]}"
        command.diagnostics.note(f"{counted(earlier, 'earlier message')} left out: {whole}")
    _note_left_out(command, hidden=hidden, elsewhere=len(record.messages) - len(path))


def _note_left_out(command: CommandContext, *, hidden: int, elsewhere: int) -> None:
    if hidden:
        command.diagnostics.note(f"{counted(hidden, 'hidden message')} left out: --include-hidden")
    if elsewhere:
        command.diagnostics.note(
            f"{counted(elsewhere, 'message')} on other branches left out: --all-branches, --tree"
        )
