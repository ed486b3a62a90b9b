"""`chatdb snapshots`: states of a conversation that its application saved."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from chatdb.cli.context import CommandContext
from chatdb.cli.lazy_group import group_app
from chatdb.cli.options import (
    AfterOption,
    AllOrgsOption,
    DataCommand,
    LimitOption,
    UserOption,
    WithinConversation,
    argument,
)
from chatdb.cli.organizations_meant import locate, scope_of, tell_nothing, telling_who_has_some
from chatdb.cli.text import counted

if TYPE_CHECKING:
    from chatdb.operations.conversations.snapshots import ListedSnapshot
    from chatdb.records import Snapshot

app = group_app("List, show and save snapshots of a conversation.")


@app.command(name="list", cls=DataCommand)
def list_snapshots(
    context: typer.Context,
    conversation: WithinConversation,
    limit: LimitOption = 50,
    after: AfterOption = None,
    user: UserOption = None,
    all_orgs: AllOrgsOption = False,
) -> None:
    """List the snapshots of a conversation, newest first.

    \b
    Example:
      chatdb snapshots list last
    """
    from chatdb.cli.commands.conversations.list import digits_that_differ
    from chatdb.operations.conversations import snapshots

    command = CommandContext.of(context)
    scope = scope_of(command, all_orgs=all_orgs)
    with (
        command.open_database(user=user) as database,
        telling_who_has_some(command, database, scope),
    ):
        key, named = locate(database, conversation, scope, user=user)
        page = snapshots.list_page(
            database,
            named,
            organization_key=key,
            user_id=user,
            limit=limit,
            after=after,
        )
    keys = [key] * len(page.items) if all_orgs else None
    digits = digits_that_differ([item.id for item in page.items]) if page.items else 0

    def cells(item: "ListedSnapshot") -> dict[str, Any]:
        return {
            "id": item.id.hex[-digits:],
            "created_at": item.created_at,
            "characters": item.characters,
        }

    command.output.rows(page.items, snapshots.ListedSnapshot, organizations=keys, table=cells)
    if not page.items:
        tell_nothing(command, "snapshot")
    if page.next_cursor is not None:
        command.tell_more(page.next_cursor)


@app.command(cls=DataCommand)
def show(
    context: typer.Context,
    conversation: WithinConversation,
    snapshot: Annotated[
        str, argument("[SNAPSHOT]", "Snapshot id, a part of it, or: last (the newest).")
    ] = "last",
    user: UserOption = None,
    all_orgs: AllOrgsOption = False,
) -> None:
    """Show a snapshot with its state.

    \b
    Example:
      chatdb snapshots show last --format json
    """
    from chatdb.operations.conversations import snapshots

    command = CommandContext.of(context)
    scope = scope_of(command, all_orgs=all_orgs)
    with (
        command.open_database(user=user) as database,
        telling_who_has_some(command, database, scope),
    ):
        key, named = locate(database, conversation, scope, user=user)
        found = snapshots.read(database, named, snapshot, organization_key=key, user_id=user)
    command.output.record(found, organization=key if all_orgs else None, table=_cells)


def _cells(snapshot: "Snapshot") -> dict[str, Any]:
    from chatdb.cli.cells import json_text

    return {
        "id": snapshot.id,
        "created_at": snapshot.created_at,
        # A state is the application's own: it is shown as it stands.
        "state": json_text(snapshot.state),
    }


@app.command(cls=DataCommand)
def save(
    context: typer.Context,
    conversation: WithinConversation,
    state: Annotated[
        str | None, argument("[JSON]", "State as JSON; if omitted or -, read from standard input.")
    ] = None,
    user: UserOption = None,
) -> None:
    """Save a state, any JSON value, as the newest snapshot.

    \b
    Example:
      chatdb snapshots save last < state.json
    """
    from chatdb.cli.input import read_text
    from chatdb.operations.conversations import snapshots
    from chatdb.operations.conversations.message_words import json_of

    command = CommandContext.of(context)
    value = json_of(read_text(command, state), "the state")
    with command.open_database(user=user) as database:
        saved = snapshots.save(
            database, conversation, value, organization_key=command.org, user_id=user
        )
    command.output.record(saved)
    if saved.replaced_characters:
        command.diagnostics.warning(
            f"{counted(saved.replaced_characters, 'character')} that no database can store replaced"
        )
