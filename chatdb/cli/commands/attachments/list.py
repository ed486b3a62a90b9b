"""`chatdb attachments list`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from chatdb.cli.commands.conversations.list import SHORT_ID
from chatdb.cli.context import CommandContext
from chatdb.cli.options import AfterOption, AllOrgsOption, LimitOption, UserOption, option
from chatdb.cli.organizations_meant import scope_of, tell_nothing, telling_who_has_some
from chatdb.cli.text import one_line

if TYPE_CHECKING:
    from chatdb.operations.attachments.lists import ListedAttachment

SHORT_DIGEST = 12

ConversationOption = Annotated[
    str | None, option("--conversation ID", "Only this conversation's: its id, a part of it, last.")
]
TypeOption = Annotated[
    str | None, option("--type TYPE", "Only media types that begin so: image/, application/pdf.")
]


def list_attachments(
    context: typer.Context,
    conversation: ConversationOption = None,
    media_type: TypeOption = None,
    limit: LimitOption = 50,
    after: AfterOption = None,
    user: UserOption = None,
    all_orgs: AllOrgsOption = False,
) -> None:
    """List kept attachments by conversation and message.

    \b
    Examples:
      chatdb attachments list --type image/
      chatdb attachments list --conversation last --format json
    """
    from chatdb.operations.attachments import lists

    command = CommandContext.of(context)
    scope = scope_of(command, all_orgs=all_orgs)
    wanted = lists.AttachmentFilter(conversation=conversation, user_id=user, media_type=media_type)
    with (
        command.open_database(user=user) as database,
        telling_who_has_some(command, database, scope),
    ):
        page = lists.list_page(
            database, organization_key=scope, wanted=wanted, limit=limit, after=after
        )
    command.output.rows(
        page.items,
        lists.ListedAttachment,
        organizations=page.organizations,
        table=_cells,
        shortened=("organization", "media_type", "name"),
    )
    if not page.items:
        tell_nothing(command, "attachment")
    if page.next_cursor is not None:
        command.tell_more(page.next_cursor)


def _cells(item: "ListedAttachment") -> dict[str, Any]:
    """Return what fits in a line: the ends of ids, which every command accepts."""
    return {
        "conversation": item.conversation_id.hex[-SHORT_ID:],
        "message": item.message_id.hex[-SHORT_ID:],
        "name": None if item.name is None else one_line(item.name, limit=40),
        "media_type": item.media_type,
        "size": item.size,
        "digest": item.digest[:SHORT_DIGEST],
    }
