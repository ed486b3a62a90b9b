"""Which organizations a command is about: one, or by --all-orgs all; and who else has some."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from shlex import quote
from typing import TYPE_CHECKING

from chatdb.cli.context import CommandContext
from chatdb.cli.text import one_line
from chatdb.errors import ChatdbError, NotFoundError, UsageError

if TYPE_CHECKING:
    from chatdb.db.database import Database
    from chatdb.store.every_organization import Scope

_LONGEST_KEY = 40


def check_all_orgs(command: CommandContext) -> None:
    """Raise UsageError when an organization is named by --org as well."""
    if command.options.org is not None:
        raise UsageError("--org and --all-orgs exclude each other", hint="leave one out")


def scope_of(command: CommandContext, *, all_orgs: bool) -> "Scope":
    """Return what operations take: the key in use, or every organization; raises UsageError."""
    if not all_orgs:
        return command.org
    from chatdb.store.every_organization import EVERY

    check_all_orgs(command)
    return EVERY


def locate(
    database: "Database", conversation: str, scope: "Scope", *, user: str | None
) -> tuple[str, str]:
    """Return the organization's key and the conversation for an operation on one.

    Of every organization it is the one that has it. Raises NotFoundError, UsageError for a
    conversation that several have.
    """
    if isinstance(scope, str):
        return scope, conversation
    from chatdb.store.naming import find_conversation

    found = find_conversation(database, conversation, organization_key=scope, user_id=user)
    return found.organization.key, str(found.id)


@contextmanager
def telling_who_has_some(
    command: CommandContext, database: "Database", scope: "Scope"
) -> Iterator[None]:
    """Name other organizations that have conversations when the block finds nothing."""
    try:
        yield
    except NotFoundError:
        tell_who_has_some(command, database, scope)
        raise


def tell_who_has_some(
    command: CommandContext,
    database: "Database",
    scope: "Scope",
    *,
    or_all: str = ", or --all-orgs",
) -> None:
    """Name the other organizations that have conversations, for nothing was found in the one.

    `or_all` says how to have all of them, where that goes.
    Nothing is said where row-level security hides them, and no error hides what was found out.
    """
    from chatdb.store.every_organization import NAMED, other_holders

    if not isinstance(scope, str):
        return
    with suppress(ChatdbError):
        holders = other_holders(database, scope)
        if not holders:
            return
        named = ", ".join(
            f"{one_line(each.key, limit=_LONGEST_KEY)}"
            f" ({'more than ' if each.more else ''}{each.conversations:,})"
            for each in holders[:NAMED]
        )
        more = " and others" if len(holders) > NAMED else ""
        first = quote(one_line(holders[0].key, limit=_LONGEST_KEY))
        command.diagnostics.note(
            f"this is about the organization {one_line(scope, limit=_LONGEST_KEY)} only; others"
            f" have conversations: {named}{more}; name one, as in --org {first}{or_all}"
        )


def tell_nothing(command: CommandContext, what: str) -> None:
    """Say that a list has nothing in it, for then no table is shown."""
    command.diagnostics.note(f"there is no {what} to list")


def tell_who_has_none(command: CommandContext, database: "Database") -> None:
    """Name organizations without conversations: no file of conversations has them."""
    from chatdb.operations.organizations import DEFAULT
    from chatdb.store.every_organization import NAMED, empty_organizations

    with suppress(ChatdbError):
        empty = empty_organizations(database, but=DEFAULT)
        if empty:
            named = ", ".join(one_line(key, limit=_LONGEST_KEY) for key in empty[:NAMED])
            more = " and others" if len(empty) > NAMED else ""
            command.diagnostics.note(
                f"organizations without conversations are not in it: {named}{more}"
            )
