"""`chatdb search`: find messages by their words."""

import shlex
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chatdb.cli.context import CommandContext
from chatdb.cli.embedding_model import way_to_search
from chatdb.cli.lazy_group import command_app
from chatdb.cli.options import (
    AfterOption,
    AllOrgsOption,
    DataCommand,
    LimitOption,
    MessagesSinceOption,
    MessagesUntilOption,
    RolesOption,
    TimeoutOption,
    argument,
    option,
)
from chatdb.cli.organizations_meant import scope_of, tell_who_has_some
from chatdb.cli.text import one_line, safe, time_text
from chatdb.cli.times import read_between
from chatdb.formats.times import is_known

if TYPE_CHECKING:
    from datetime import tzinfo

    from chatdb.operations.searching.search import Hit, SearchPage

app = command_app()

_SHORT_ID = 8
_LONGEST_NEIGHBOUR = 100


@app.command(cls=DataCommand)
def search(
    context: typer.Context,
    words: Annotated[
        list[str] | None, argument("WORDS...", "Search query; syntax above.", show_default=False)
    ] = None,
    limit: LimitOption = 20,
    after: AfterOption = None,
    rank: Annotated[
        bool, option("--rank", "Sort the newest 150 hits by relevance, not by date.")
    ] = False,
    since: MessagesSinceOption = None,
    until: MessagesUntilOption = None,
    user: Annotated[list[str] | None, option("--user ID", "Only this user's messages.")] = None,
    role: RolesOption = None,
    include_hidden: Annotated[
        bool, option("--include-hidden", "Also find messages that the source hid.")
    ] = False,
    around: Annotated[
        int,
        option("--context -C N", "Messages to show before and after each hit.", min=0, max=20),
    ] = 0,
    raw: Annotated[
        bool, option("--raw", "Pass WORDS to the database in its native query syntax.")
    ] = False,
    like: Annotated[
        str | None, option("--like TEXT", "Find what is nearest in meaning; WORDS only filters.")
    ] = None,
    hybrid: Annotated[
        bool, option("--hybrid", "Sort by words and meaning together, best first.")
    ] = False,
    embeddings: Annotated[
        str | None, option("--embeddings MODEL", "The model of --like and --hybrid.")
    ] = None,
    all_orgs: AllOrgsOption = False,
    timeout: TimeoutOption = 30.0,
) -> None:
    """Find messages by their words.

    All words: red car. Phrase: "red car". Either word: red OR blue. Exclude: -bus or -"red bus".
    Prefix: auto*. Filters: role:user user:ann since:2025-01-31 until:2025-06 source:chatgpt
    model:gpt-4o kind:document is:starred (archived, pinned) has:code (attachment, tool); a minus
    excludes: -is:archived. In titles: in:title car. Times are those of --since, such as since:30d,
    in UTC or the time zone that is set. Quote the whole query for the shell; write -- before a word
    that starts with a minus. To read a hit in its place: chatdb show ID --at MESSAGE.

    \b
    Examples:
      chatdb search docker compose
      chatdb search '"connection refused" -redis' --since 2025-01
      chatdb search --rank -C 2 -- migrate -alembic
      chatdb search --like "how do I keep the starter alive" role:assistant
    """
    from chatdb.operations.searching import search as operation

    command = CommandContext.of(context)
    scope = scope_of(command, all_orgs=all_orgs)
    first, after_last = read_between(since, until, zone=command.zone)
    options = operation.SearchOptions(
        limit=limit,
        after=after,
        rank=rank,
        raw=raw,
        include_hidden=include_hidden,
        roles=frozenset(role or ()),
        users=frozenset(user or ()),
        since=first,
        before=after_last,
        zone=command.zone,
        timeout_seconds=timeout,
        context=around,
    )
    find = way_to_search(command, like=like, hybrid=hybrid, model=embeddings)
    # Row-level security knows one user; the query may name several.
    with command.open_database(user=user[0] if user and len(user) == 1 else None) as database:
        text = " ".join(words or ())
        page = find(database, text, organization_key=scope, options=options)
        _show(command, page)
        _tell(command, page, limit=limit)
        _tell_how_to_read(command, page, user)
        if not page.hits:
            tell_who_has_some(command, database, scope)


def _show(command: CommandContext, page: "SearchPage") -> None:
    from chatdb.operations.searching.search import Hit

    if not command.output.is_table:
        command.output.rows(page.hits, Hit, organizations=page.organizations)
    elif (width := command.output.width) is not None:
        command.output.page(_renderables(page, command.zone, width))
    else:
        for line in _lines(page, command.zone):
            command.output.text(line)


def _tell(command: CommandContext, page: "SearchPage", *, limit: int) -> None:
    for note in page.notes:
        command.diagnostics.note(note)
    if page.next_cursor is not None:
        # Fewer hits than fit: only some of the messages were looked through.
        is_full = len(page.hits) >= limit
        command.tell_more(page.next_cursor, than=limit if is_full else None, are_sure=is_full)
    elif not page.hits:
        titles = "" if page.in_titles else "; to search titles: in:title"
        command.diagnostics.note(f"nothing found{titles}")
        if page.longer is not None:
            command.diagnostics.hint(f"{page.longer} finds longer words")
    elif page.has_more:
        command.diagnostics.note(f"there are more than {limit}: --limit shows more")


def _tell_how_to_read(command: CommandContext, page: "SearchPage", users: list[str] | None) -> None:
    """Tell a person at the terminal the command that opens the first hit in its place."""
    if not (page.hits and command.output.is_table and command.diagnostics.is_terminal):
        return
    hit = page.hits[0]
    words = ["chatdb", "show", hit.conversation_id.hex[-_SHORT_ID:]]
    if hit.message_id is not None:
        words += ["--at", hit.message_id.hex[-_SHORT_ID:]]
    organization = page.organizations[0] if page.organizations else command.options.org
    words += [] if organization is None else ["--org", organization]
    # Row-level security may show nothing but this user's.
    words += ["--user", users[0]] if users and len(users) == 1 else []
    command.diagnostics.command("to read a hit in its place", shlex.join(words))


def _grouped(page: "SearchPage") -> Iterator[tuple[str, list["Hit"]]]:
    """Yield the hits grouped under the title of their conversation."""
    owned = zip(page.organizations or [""] * len(page.hits), page.hits, strict=True)
    for (key, _), group in groupby(owned, key=lambda pair: (pair[0], pair[1].conversation_id)):
        found = [hit for _, hit in group]
        first = found[0]
        whose = [one_line(each, limit=40) for each in (key, first.user_id) if each]
        title = one_line(first.title or "untitled", limit=80)
        kind = [] if first.kind == "chat" else [first.kind]
        yield " · ".join([title, *kind, *whose, first.conversation_id.hex[-_SHORT_ID:]]), found


def _place(hit: "Hit", zone: "tzinfo") -> str:
    time = time_text(hit.created_at, zone) if is_known(hit.created_at) else "time unknown"
    identifier = "" if hit.message_id is None else hit.message_id.hex[-_SHORT_ID:]
    parts = [*filter(None, [identifier]), hit.role or "title", time]
    name = hit.model or hit.author
    place = " ".join([*parts, one_line(name, limit=30)] if name else parts)
    return place if hit.number is None else f"{place}, {hit.number:,} of {hit.messages:,}"


def _lines(page: "SearchPage", zone: "tzinfo") -> Iterator[str]:
    for heading, group in _grouped(page):
        yield heading
        for number, hit in enumerate(group):
            if number and hit.context:
                yield ""
            yield from _neighbours(hit, before=True)
            yield f"  {_place(hit, zone)}  {one_line(hit.snippet)}"
            yield from _neighbours(hit, before=False)


def _neighbours(hit: "Hit", *, before: bool) -> Iterator[str]:
    for each in hit.context:
        if (each.distance < 0) is before:
            yield f"    {each.role}: {one_line(each.excerpt, limit=_LONGEST_NEIGHBOUR)}"


def _renderables(page: "SearchPage", zone: "tzinfo", width: int) -> Iterator[Any]:
    from rich.padding import Padding
    from rich.text import Text

    from chatdb.cli.table import cut_to

    for heading, group in _grouped(page):
        yield Text(heading, style="bold")
        for number, hit in enumerate(group):
            if number and hit.context:
                yield Text("")
            text = Text(_place(hit, zone) + "  ", style="dim")
            text.append_text(_marked(hit))
            for line in _neighbours(hit, before=True):
                yield Text(cut_to(line, width), style="dim")
            yield Padding(text, (0, 0, 0, 2))
            for line in _neighbours(hit, before=False):
                yield Text(cut_to(line, width), style="dim")


def _marked(hit: "Hit") -> Any:
    """Return the snippet with its hits highlighted; each piece is made safe separately."""
    from rich.text import Text

    marked, place = Text(style="not dim"), 0
    for start, end in hit.highlights:
        marked.append(safe(hit.snippet[place:start]))
        marked.append(safe(hit.snippet[start:end]), style="bold yellow")
        place = end
    marked.append(safe(hit.snippet[place:]))
    return marked
