"""`chatdb users`: list, show and rename the users found on conversations."""

from typing import Annotated

import typer

from chatdb.cli.confirm import confirm
from chatdb.cli.context import CommandContext
from chatdb.cli.lazy_group import group_app
from chatdb.cli.next_page import whole_cursor
from chatdb.cli.options import (
    AllOrgsOption,
    DataCommand,
    DryRunOption,
    LimitOption,
    YesOption,
    argument,
    option,
)
from chatdb.cli.organizations_meant import (
    check_all_orgs,
    scope_of,
    tell_nothing,
    tell_who_has_some,
    telling_who_has_some,
)
from chatdb.cli.text import counted, one_line

app = group_app("List, show and rename the users of conversations.")

UserArgument = Annotated[str, argument("USER", "User id.")]


@app.command(name="list", cls=DataCommand)
def list_users(
    context: typer.Context,
    limit: LimitOption = 50,
    after: Annotated[
        str | None, option("--after USER", "Continue after this user.", callback=whole_cursor)
    ] = None,
    all_orgs: AllOrgsOption = False,
) -> None:
    """List the users of an organization, with counts.

    Users are the ids found on conversations. Conversations without a user come last, as one unnamed
    row.

    \b
    Example:
      chatdb users list --org acme
    """
    from chatdb.operations.organizations import users

    command = CommandContext.of(context)
    scope = scope_of(command, all_orgs=all_orgs)
    with command.open_database() as database:
        page = users.list_page(database, organization_key=scope, limit=limit, after=after)
        if not page.items:
            tell_nothing(command, "user")
            tell_who_has_some(command, database, scope)
    command.output.rows(
        page.items,
        users.UserSummary,
        organizations=page.organizations,
        shortened=("organization", "user_id"),
    )
    if page.next_user is not None:
        command.tell_more(page.next_user)


@app.command(cls=DataCommand)
def show(
    context: typer.Context,
    user: UserArgument,
    all_orgs: AllOrgsOption = False,
) -> None:
    """Summarize a user's conversations.

    With --all-orgs, prints one row for each organization that has the user.

    \b
    Example:
      chatdb users show ann
    """
    from chatdb.operations.organizations import users

    command = CommandContext.of(context)
    if all_orgs:
        check_all_orgs(command)
        with command.open_database() as database:
            everywhere = users.show_everywhere(database, user)
        keys, rows = [each.key for each, _ in everywhere], [row for _, row in everywhere]
        command.output.rows(rows, users.UserDetails, organizations=keys)
        return
    with (
        command.open_database() as database,
        telling_who_has_some(command, database, command.org),
    ):
        found = users.show(database, user, organization_key=command.org)
    command.output.record(found)


@app.command(cls=DataCommand)
def rename(
    context: typer.Context,
    user: UserArgument,
    new: Annotated[str, argument("NEW", "New user id.")],
    merge: Annotated[
        bool, option("--merge", "Allow it even if NEW already has conversations.")
    ] = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Change a user's id on all conversations.

    A later import of their source keeps the new id, but new conversations get the old one.

    \b
    Example:
      chatdb users rename ann ann@example.org --dry-run
    """
    from chatdb.operations.organizations import users

    command = CommandContext.of(context)
    with command.open_database() as database:
        planned = users.rename(
            database, user, new, organization_key=command.org, merge=merge, dry_run=True
        )
        if dry_run:
            command.output.record(planned)
            return
        what = f"{one_line(user)} becomes {one_line(planned.new_user_id)}"
        conversations = counted(planned.conversations, "conversation")
        plan = [f"{what} on {conversations} with {counted(planned.messages, 'message')}"]
        if planned.merged:
            plan.append(
                f"{one_line(planned.new_user_id)} already has "
                f"{counted(planned.merged, 'conversation')}: this cannot be undone"
            )
        confirm(command, plan, yes=yes, action="change")
        report = users.rename(database, user, new, organization_key=command.org, merge=merge)
    command.output.record(report)
