"""Which organizations a command covers: one, or all; and which others have conversations."""

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
    """Raise UsageError if --org is given as well."""
    if command.options.org is not None:
        raise UsageError("--org and --all-orgs exclude each other", hint="leave one out")


def scope_of(command: CommandContext, *, all_orgs: bool) -> "Scope":
    """Return the key in use, or all organizations; raises UsageError."""
    if not all_orgs:
        return command.org
    from chatdb.store.every_organization import EVERY

    check_all_orgs(command)
    return EVERY


def locate(
    database: "Database", conversation: str, scope: "Scope", *, user: str | None
) -> tuple[str, str]:
    """Return the organization's key and the conversation for an operation on one.

    With all organizations, finds the one that has it. Raises NotFoundError, and UsageError if
    several have it.
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
    """Name other organizations that have conversations if the block finds nothing."""
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
    """Name the other organizations that have conversations, because this one has no match.

    `or_all` adds how to include all of them, if the command can. Says nothing if row-level security
    hides them, and no error here hides the command's result.
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
            f"this covers only the organization {one_line(scope, limit=_LONGEST_KEY)}; others "
            f"have conversations: {named}{more}; to choose one: --org {first}{or_all}"
        )


def tell_nothing(command: CommandContext, what: str) -> None:
    """Say that a list has nothing in it, for then no table is shown."""
    command.diagnostics.note(f"there is no {what} to list")


def tell_who_has_none(command: CommandContext, database: "Database") -> None:
    """Name organizations without conversations: files of conversations cannot contain them."""
    from chatdb.operations.organizations.organizations import DEFAULT
    from chatdb.store.every_organization import NAMED, empty_organizations

    with suppress(ChatdbError):
        empty = empty_organizations(database, but=DEFAULT)
        if empty:
            named = ", ".join(one_line(key, limit=_LONGEST_KEY) for key in empty[:NAMED])
            more = " and others" if len(empty) > NAMED else ""
            command.diagnostics.note(
                f"organizations without conversations are not included: {named}{more}"
            )
