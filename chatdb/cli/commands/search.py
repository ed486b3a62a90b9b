"""`chatdb search`: find messages by their words."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chatdb.cli.context import CommandContext
from chatdb.cli.lazy_group import command_app
from chatdb.cli.next_command import for_the_same_database
from chatdb.cli.options import AfterOption, Format, FormatOption, LimitOption
from chatdb.cli.text import one_line, safe
from chatdb.formats.times import is_known

if TYPE_CHECKING:
    from chatdb.operations.search import Hit, SearchPage

app = command_app()

_SHORT_ID = 8


@app.command()
def search(
    context: typer.Context,
    words: Annotated[
        list[str], typer.Argument(metavar="WORDS...", help="What to find; see below.")
    ],
    limit: LimitOption = 20,
    after: AfterOption = None,
    rank: Annotated[
        bool, typer.Option("--rank", help="Best first instead of newest first (newest 150 hits).")
    ] = False,
    user: Annotated[
        list[str] | None, typer.Option("--user", metavar="ID", help="Only of this user.")
    ] = None,
    role: Annotated[
        list[str] | None,
        typer.Option("--role", metavar="ROLE", help="Only user, assistant, system or tool."),
    ] = None,
    include_hidden: Annotated[
        bool, typer.Option("--include-hidden", help="Find messages that the source hid, too.")
    ] = False,
    raw: Annotated[
        bool, typer.Option("--raw", help="WORDS are in the database's own syntax.")
    ] = False,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.01, metavar="SECONDS", help="Give up after this.")
    ] = 30.0,
    output_format: FormatOption = Format.TABLE,
) -> None:
    """Find messages by their words.

    All words must be there: red car. Side by side: "red car". One of two: red OR blue.
    Not: -bus or -"red bus". Beginnings: auto*. Filters: role:user user:ann after:2025-01-31
    before:2025-06. In titles: in:title car. Quote the whole for the shell; before a word that
    starts with a minus write --.

    \b
    Examples:
      chatdb search docker compose
      chatdb search '"connection refused" -redis after:2025-01'
      chatdb search --rank -- migrate -alembic
    """
    from chatdb.operations import search as operation

    command = CommandContext.of(context)
    options = operation.SearchOptions(
        limit=limit,
        after=after,
        rank=rank,
        raw=raw,
        include_hidden=include_hidden,
        roles=frozenset(role or ()),
        users=frozenset(user or ()),
        timeout_seconds=timeout,
    )
    # Row-level security knows one user; the query knows all that are wanted.
    with command.open_database(user=user[0] if user and len(user) == 1 else None) as database:
        page = operation.search(
            database, " ".join(words), organization_key=command.org, options=options
        )
    if output_format is not Format.TABLE:
        command.output.rows(page.hits, operation.Hit, output_format)
    elif command.output.is_terminal:
        command.output.page(_renderables(page.hits))
    else:
        for line in _lines(page.hits):
            command.output.text(line)
    _tell(command, page, limit=limit)


def _tell(command: CommandContext, page: "SearchPage", *, limit: int) -> None:
    for note in page.notes:
        command.diagnostics.note(for_the_same_database(note, command.options))
    if not page.hits:
        titles = "" if page.in_titles else "; titles are searched by in:title"
        command.diagnostics.note(f"nothing found{titles}")
    elif page.next_cursor is not None:
        command.tell_more(page.next_cursor, than=limit)
    elif page.has_more:
        command.diagnostics.note(f"there are more than {limit}: --limit shows more")


def _grouped(hits: Sequence["Hit"]) -> Iterator[tuple[str, list["Hit"]]]:
    """Yield the hits under the heading of their conversation, neighbours together."""
    for _, group in groupby(hits, key=lambda hit: hit.conversation_id):
        found = list(group)
        first = found[0]
        who = f" · {one_line(first.user_id, limit=40)}" if first.user_id else ""
        title = one_line(first.title or "untitled", limit=80)
        yield f"{title}{who} · {first.conversation_id.hex[-_SHORT_ID:]}", found


def _place(hit: "Hit") -> str:
    time = f"{hit.created_at:%Y-%m-%d %H:%M}" if is_known(hit.created_at) else "time unknown"
    parts = [hit.role or "title", time]
    name = hit.model or hit.author
    return " ".join([*parts, one_line(name, limit=30)] if name else parts)


def _lines(hits: Sequence["Hit"]) -> Iterator[str]:
    for heading, group in _grouped(hits):
        yield heading
        for hit in group:
            yield f"  {_place(hit)}  {one_line(hit.snippet)}"


def _renderables(hits: Sequence["Hit"]) -> Iterator[Any]:
    from rich.padding import Padding
    from rich.text import Text

    for heading, group in _grouped(hits):
        yield Text(heading, style="bold")
        for hit in group:
            text = Text(_place(hit) + "  ", style="dim")
            text.append_text(_marked(hit))
            yield Padding(text, (0, 0, 0, 2))


def _marked(hit: "Hit") -> Any:
    """Return the snippet with its hits highlighted; each piece is made safe by itself."""
    from rich.text import Text

    marked, place = Text(style="not dim"), 0
    for start, end in hit.highlights:
        marked.append(safe(hit.snippet[place:start]))
        marked.append(safe(hit.snippet[start:end]), style="bold yellow")
        place = end
    marked.append(safe(hit.snippet[place:]))
    return marked
