"""`chatdb conversations create`, `rename`, `star`, `archive`, `touch` and their like."""

from typing import Annotated

import typer

from chatdb.cli.commands.conversations.list import show_summaries
from chatdb.cli.context import CommandContext
from chatdb.cli.options import (
    ConversationArgument,
    ConversationArguments,
    FormatOption,
    OutputFormat,
    UserOption,
)


def create(
    context: typer.Context,
    title: Annotated[
        str | None,
        typer.Option("--title", help="Conversation title.  [default: from the first user message]"),
    ] = None,
    user: Annotated[
        str | None, typer.Option("--user", metavar="ID", help="User id of the owner.")
    ] = None,
    message: Annotated[
        str | None,
        typer.Option("--message", metavar="TEXT", help="First user message; - reads stdin."),
    ] = None,
    meta: Annotated[
        list[str] | None,
        typer.Option("--meta", metavar="KEY=VALUE", help="Metadata to store; repeatable."),
    ] = None,
    output_format: FormatOption = OutputFormat.TABLE,
) -> None:
    """Create a conversation.

    \b
    Example:
      chatdb conversations create --user ann --message "How do I bake bread?"
    """
    from chatdb.cli.input import read_text
    from chatdb.operations.conversations import changes as operation
    from chatdb.operations.conversations.messages import NewMessage, check
    from chatdb.operations.conversations.metadata_words import object_of

    command = CommandContext.of(context)
    metadata = object_of(meta or ())
    messages = []
    if message is not None:
        messages.append(NewMessage(content=read_text(command, message)))
        check(messages[0])
    new = operation.NewConversation(title=title, user_id=user, metadata=metadata, messages=messages)
    with command.open_database(user=user) as database:
        made = operation.create(database, new, organization_key=command.org)
    command.output.record(made, output_format)


def rename(
    context: typer.Context,
    conversation: ConversationArgument,
    title: Annotated[str, typer.Argument(metavar="TITLE", help="New title.")],
    user: UserOption = None,
    output_format: FormatOption = OutputFormat.TABLE,
) -> None:
    """Rename a conversation; imports keep the new title.

    \b
    Example:
      chatdb conversations rename 3f9a12bc "Sourdough"
    """
    from chatdb.operations.conversations import changes as operation

    command = CommandContext.of(context)
    with command.open_database(user=user) as database:
        renamed = operation.rename(
            database, conversation, title, organization_key=command.org, user_id=user
        )
    command.output.record(renamed, output_format)


def star(
    context: typer.Context,
    conversations: ConversationArguments,
    user: UserOption = None,
    output_format: FormatOption = OutputFormat.TABLE,
) -> None:
    """Star conversations.

    \b
    Example:
      chatdb conversations star last
    """
    _set_flag(context, conversations, user, output_format, starred=True)


def unstar(
    context: typer.Context,
    conversations: ConversationArguments,
    user: UserOption = None,
    output_format: FormatOption = OutputFormat.TABLE,
) -> None:
    """Remove the stars of conversations.

    \b
    Example:
      chatdb conversations unstar 3f9a12bc 77ab01cd
    """
    _set_flag(context, conversations, user, output_format, starred=False)


def archive(
    context: typer.Context,
    conversations: ConversationArguments,
    user: UserOption = None,
    output_format: FormatOption = OutputFormat.TABLE,
) -> None:
    """Archive conversations: lists omit them.

    \b
    Example:
      chatdb conversations archive 3f9a12bc
    """
    _set_flag(context, conversations, user, output_format, archived=True)


def unarchive(
    context: typer.Context,
    conversations: ConversationArguments,
    user: UserOption = None,
    output_format: FormatOption = OutputFormat.TABLE,
) -> None:
    """Unarchive conversations: lists show them again.

    \b
    Example:
      chatdb conversations unarchive 3f9a12bc
    """
    _set_flag(context, conversations, user, output_format, archived=False)


def pin(
    context: typer.Context,
    conversations: ConversationArguments,
    user: UserOption = None,
    output_format: FormatOption = OutputFormat.TABLE,
) -> None:
    """Pin conversations.

    \b
    Example:
      chatdb conversations pin last
    """
    _set_flag(context, conversations, user, output_format, pinned=True)


def unpin(
    context: typer.Context,
    conversations: ConversationArguments,
    user: UserOption = None,
    output_format: FormatOption = OutputFormat.TABLE,
) -> None:
    """Unpin conversations.

    \b
    Example:
      chatdb conversations unpin 3f9a12bc 77ab01cd
    """
    _set_flag(context, conversations, user, output_format, pinned=False)


def touch(
    context: typer.Context,
    conversations: ConversationArguments,
    user: UserOption = None,
    output_format: FormatOption = OutputFormat.TABLE,
) -> None:
    """Mark conversations as accessed now, for list --recent.

    \b
    Example:
      chatdb conversations touch last
    """
    from chatdb.cli.commands.conversations.list import Sort
    from chatdb.operations.conversations import changes as operation

    command = CommandContext.of(context)
    with command.open_database(user=user) as database:
        touched = operation.touch(
            database, conversations, organization_key=command.org, user_id=user
        )
    show_summaries(command, touched, output_format, Sort.ACCESSED)


def _set_flag(
    context: typer.Context,
    conversations: list[str],
    user: str | None,
    output_format: OutputFormat,
    **wanted: bool,
) -> None:
    """Set or remove the flag that is named."""
    from chatdb.operations.conversations import changes as operation

    command = CommandContext.of(context)
    ((flag, is_set),) = wanted.items()
    with command.open_database(user=user) as database:
        changed = operation.set_flag(
            database,
            conversations,
            flag,
            is_set=is_set,
            organization_key=command.org,
            user_id=user,
        )
    show_summaries(command, changed, output_format)


SETTING_FLAGS = (star, unstar, archive, unarchive, pin, unpin)
"""The commands that set a flag of conversations or remove it, in the order of the help."""
