"""`chatdb conversations create`, `rename`, `star`, `archive`, `touch` and their like."""

from collections.abc import Callable
from typing import Annotated

import typer

from chatdb.cli.commands.conversations.list import show_summaries
from chatdb.cli.context import CommandContext
from chatdb.cli.options import (
    ConversationArgument,
    ConversationArguments,
    NewMetaOption,
    UserOption,
    argument,
    option,
)


def create(
    context: typer.Context,
    title: Annotated[
        str | None, option("--title", "Conversation title.  [default: from the first user message]")
    ] = None,
    user: Annotated[str | None, option("--user ID", "User id of the owner.")] = None,
    message: Annotated[
        str | None, option("--message TEXT", "First user message; - reads stdin.")
    ] = None,
    meta: NewMetaOption = None,
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
    with command.open_database(create=True, user=user) as database:
        made = operation.create(database, new, organization_key=command.org)
    command.output.record(made)


def rename(
    context: typer.Context,
    conversation: ConversationArgument,
    title: Annotated[str, argument("TITLE", "New title.")],
    user: UserOption = None,
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
    command.output.record(renamed)


def touch(
    context: typer.Context,
    conversations: ConversationArguments,
    user: UserOption = None,
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
    show_summaries(command, touched, Sort.ACCESSED)


def _setting(flag: str, help_text: str, *, is_set: bool) -> Callable[..., None]:
    """Return a command that sets a flag of conversations or removes it."""

    def command_of_flag(
        context: typer.Context, conversations: ConversationArguments, user: UserOption = None
    ) -> None:
        from chatdb.operations.conversations import changes as operation

        command = CommandContext.of(context)
        with command.open_database(user=user) as database:
            changed = operation.set_flag(
                database,
                conversations,
                flag,
                is_set=is_set,
                organization_key=command.org,
                user_id=user,
            )
        show_summaries(command, changed)

    command_of_flag.__doc__ = help_text
    return command_of_flag


_EXAMPLE = "\n\n\b\nExample:\n  chatdb conversations "
SETTING_FLAGS = {
    "star": _setting("starred", f"Star conversations.{_EXAMPLE}star last", is_set=True),
    "unstar": _setting(
        "starred",
        f"Remove the stars of conversations.{_EXAMPLE}unstar 3f9a12bc 77ab01cd",
        is_set=False,
    ),
    "archive": _setting(
        "archived",
        f"Archive conversations: lists omit them.{_EXAMPLE}archive 3f9a12bc",
        is_set=True,
    ),
    "unarchive": _setting(
        "archived",
        f"Unarchive conversations: lists show them again.{_EXAMPLE}unarchive 3f9a12bc",
        is_set=False,
    ),
    "pin": _setting("pinned", f"Pin conversations.{_EXAMPLE}pin last", is_set=True),
    "unpin": _setting(
        "pinned", f"Unpin conversations.{_EXAMPLE}unpin 3f9a12bc 77ab01cd", is_set=False
    ),
}
"""The commands that set a flag of conversations or remove it, by name, in the order of the help."""
