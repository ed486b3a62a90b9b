"""`chatdb conversations list`: pages of conversations, in several orders."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from chatdb.cli.context import CommandContext
from chatdb.cli.flag_options import with_flags
from chatdb.cli.kinds import KindsOption, kinds_wanted
from chatdb.cli.options import (
    AfterOption,
    AllOrgsOption,
    LimitOption,
    MetaOption,
    TimeoutOption,
    UpdatedSinceOption,
    UpdatedUntilOption,
    UserOption,
    option,
)
from chatdb.cli.organizations_meant import scope_of, tell_nothing, tell_who_has_some
from chatdb.cli.text import one_line, short_ago
from chatdb.cli.times import read_between
from chatdb.errors import UsageError

if TYPE_CHECKING:
    from chatdb.db.database import Database
    from chatdb.operations.conversations.lists import ConversationSummary
    from chatdb.operations.conversations.narrowing import Narrowing
    from chatdb.store.every_organization import Scope
    from chatdb.store.selecting import ConversationFilter

SHORT_ID = 8


class Sort(StrEnum):
    """The sort order of a list."""

    UPDATED = "updated"
    CREATED = "created"
    ACCESSED = "accessed"
    MESSAGES = "messages"
    TITLE = "title"


_TIMES = {Sort.CREATED: "created_at", Sort.ACCESSED: "last_accessed_at"}
"""The time that a table shows, where it is not that of the last update."""


@with_flags("Only {} conversations, or none.", off=("archived",))
def list_conversations(
    context: typer.Context,
    limit: LimitOption = 50,
    after: AfterOption = None,
    user: UserOption = None,
    since: UpdatedSinceOption = None,
    until: UpdatedUntilOption = None,
    source: Annotated[
        str | None, option("--source NAME", "Only those from this source, such as chatgpt.")
    ] = None,
    model: Annotated[
        str | None, option("--model NAME", "Only those with a message by this model.")
    ] = None,
    title: Annotated[
        str | None, option("--title WORDS", "Only those with these words in the title.")
    ] = None,
    query: Annotated[
        str | None, option("--query WORDS", "Only those with a message that this search finds.")
    ] = None,
    sort: Annotated[
        Sort | None,
        option(
            "--sort",
            "Sort order: newest first, most messages first, or A to Z.  [default: updated]",
        ),
    ] = None,
    recent: Annotated[
        bool, option("--recent", "Only those accessed, most recently accessed first.")
    ] = False,
    *,
    flags: Mapping[str, bool],
    everything: Annotated[bool, option("--all", "Include archived conversations.")] = False,
    kind: KindsOption = None,
    meta: MetaOption = None,
    all_orgs: AllOrgsOption = False,
    timeout: TimeoutOption = 30.0,
) -> None:
    """List conversations, last updated first.

    Chats, unless --kind says otherwise. The table shows the end of each id, which is enough to
    name the conversation. Times are UTC, or in the time zone that is set: chatdb config show. For
    nested metadata: --meta shop.order=17.

    \b
    Examples:
      chatdb list --user ann --limit 20
      chatdb list --since 30d --title "bread OR dough"
      chatdb conversations list --starred --sort title --meta lang=de
    """
    from chatdb.operations.conversations import lists as conversations
    from chatdb.operations.conversations.metadata_words import condition
    from chatdb.store.selecting import ConversationFilter

    if everything and "archived" in flags:
        raise UsageError("--all and --archived exclude each other", hint="leave one out")
    if recent and sort is not None:
        raise UsageError("--recent and --sort exclude each other", hint="leave one out")
    order = Sort.ACCESSED if recent else sort or Sort.UPDATED
    command = CommandContext.of(context)
    scope = scope_of(command, all_orgs=all_orgs)
    first, after_last = read_between(since, until, zone=command.zone)
    wanted = ConversationFilter(
        user_id=user,
        since=first,
        before=after_last,
        source=source,
        model=model,
        accessed=recent,
        flags=flags if everything else {"archived": False, **flags},
        kinds=kinds_wanted(kind, default="chat"),
        metadata=tuple(map(condition, meta or ())),
    )
    with command.open_database(user=user) as database:
        narrowed = _narrowing(command, database, scope, title, query, timeout)
        page = conversations.list_page(
            database,
            organization_key=scope,
            limit=limit,
            after=after,
            wanted=wanted,
            sort=order.value,
            narrowing=narrowed,
            timeout_seconds=timeout,
        )
        if not page.items:
            tell_nothing(command, "conversation")
            _tell_of_left_out(command, database, scope, wanted, narrowed)
            tell_who_has_some(command, database, scope)
    show_summaries(command, page.items, order, organizations=page.organizations)
    if page.next_cursor is not None:
        command.tell_more(page.next_cursor)


def _narrowing(
    command: CommandContext,
    database: "Database",
    scope: "Scope",
    title: str | None,
    query: str | None,
    timeout: float,
) -> "Narrowing | None":
    if title is None and query is None:
        return None
    from chatdb.operations.conversations.narrowing import narrowing
    from chatdb.operations.searching.public import SearchOptions

    options = SearchOptions(zone=command.zone, timeout_seconds=timeout)
    found = narrowing(database, organization_key=scope, title=title, query=query, options=options)
    for note in found.notes if found is not None else ():
        command.diagnostics.note(note)
    return found


def _tell_of_left_out(
    command: CommandContext,
    database: "Database",
    scope: "Scope",
    wanted: "ConversationFilter",
    narrowed: "Narrowing | None",
) -> None:
    """Note which option of the list hides conversations that it would have otherwise."""
    from chatdb.operations.conversations.lists import list_page

    wider: dict[str, ConversationFilter] = {}
    if wanted.accessed:
        never = "there are some that were never accessed: leave out --recent"
        wider[never] = replace(wanted, accessed=False)
    if wanted.kinds is not None:
        wider["there are some of another kind: --kind all"] = replace(wanted, kinds=None)
    if wanted.flags.get("archived") is False:
        rest = {name: value for name, value in wanted.flags.items() if name != "archived"}
        wider["there are archived ones: --all"] = replace(wanted, flags=rest)
    for note, other in wider.items():
        found = list_page(
            database, organization_key=scope, limit=1, wanted=other, narrowing=narrowed
        )
        if found.items:
            command.diagnostics.note(note)


def show_summaries(
    command: CommandContext,
    items: Sequence["ConversationSummary"],
    order: Sort = Sort.UPDATED,
    *,
    organizations: Sequence[str] | None = None,
) -> None:
    """Print conversations as rows: few columns in a table, all of them in the other formats."""
    from chatdb.operations.conversations.lists import ConversationSummary

    digits = digits_that_differ([item.id for item in items])
    kinds = ("kind",) if any(item.kind != "chat" for item in items) else ()
    names = ("title", *kinds, "user_id", "message_count", _TIMES.get(order, "updated_at"))

    now = datetime.now(UTC)

    def cells(item: "ConversationSummary") -> dict[str, object]:
        row = {"id": item.id.hex[-digits:]} | {name: getattr(item, name) for name in names}
        if item.title is not None:
            row["title"] = one_line(item.title, limit=60)
        if order is Sort.ACCESSED and item.last_accessed_at is not None:
            row["last_accessed_at"] = short_ago(item.last_accessed_at, now, command.zone)
        return row

    command.output.rows(
        items,
        ConversationSummary,
        organizations=organizations,
        table=cells,
        shortened=("user_id", "organization", "title"),
    )


def digits_that_differ(ids: Sequence[UUID]) -> int:
    """Return how many digits from the end tell these ids apart."""
    different = len(set(ids))
    return next(
        digits
        for digits in (SHORT_ID, 12, 16, 32)
        if len({identifier.hex[-digits:] for identifier in ids}) == different
    )
