"""The report of `chatdb stats` for people: tables with bars, and a heat map of the week."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from chatdb.cli.charts import bar, heat_map
from chatdb.cli.table import table_lines
from chatdb.cli.text import counted, one_line, size_text

if TYPE_CHECKING:
    from chatdb.operations.searching.stats import StatsReport

PARTS = ("groups", "longest", "hours", "storage")
_WIDEST_BAR = 30
_NARROWEST_BAR = 6
_NOBODY = "(none)"
_KEY_LIMIT = 40
_TITLE_LIMIT = 50
_SHORT_TITLE_LIMIT = 24
_WIDE = 100
_STORED_SHOWN = 10


def report_lines(
    report: "StatsReport", parts: Sequence[str], *, width: int | None, color: bool
) -> Iterator[str]:
    """Yield the lines of the parts asked for; `width` None is no limit."""
    shown = [part for part in parts if part not in _empty_parts(report)]
    for number, part in enumerate(shown):
        if number:
            yield ""
        if part == "groups":
            yield from _groups(report, width, color=color)
        elif part == "longest":
            yield from _longest(report, width, color=color)
        elif part == "hours":
            yield from _hours(report, color=color)
        else:
            yield from _storage(report, len(parts) > 1, width, color=color)


def _empty_parts(report: "StatsReport") -> Iterator[str]:
    """Yield the parts that would be a heading alone."""
    if not report.longest_conversations:
        yield "longest"
    if not report.busiest_hours:
        yield "hours"


def _groups(report: "StatsReport", width: int | None, *, color: bool) -> Iterator[str]:
    totals = report.totals
    words = [counted(totals.messages, "message"), counted(totals.characters, "character")]
    if totals.conversations is not None:
        words.insert(0, counted(totals.conversations, "conversation"))
    yield ", ".join(words)
    yield ""
    names = [report.by, "conversations", "messages", "characters", ""]
    rows: list[list[Any]] = [
        [
            _NOBODY if group.key is None else one_line(group.key, limit=_KEY_LIMIT),
            group.conversations,
            group.messages,
            group.characters,
        ]
        for group in report.groups
    ]
    if totals.conversations is None:
        names.remove("conversations")
        rows = [[row[0], *row[2:]] for row in rows]
    room = _bar_room(names, rows, width)
    if room < _NARROWEST_BAR:
        yield from table_lines(names[:-1], rows, width=width, color=color)
        return
    most = max((group.messages for group in report.groups), default=0)
    for row, group in zip(rows, report.groups, strict=True):
        row.append(bar(group.messages, most, room))
    yield from table_lines(names, rows, width=width, color=color)


def _bar_room(names: Sequence[str], rows: Sequence[Sequence[Any]], width: int | None) -> int:
    from rich.cells import cell_len

    if width is None:
        return _WIDEST_BAR
    columns = range(len(names) - 1)
    taken = sum(
        max(len(names[index]), *(cell_len(str(row[index])) for row in rows), 0) + 2
        for index in columns
    )
    return min(_WIDEST_BAR, width - taken)


def _longest(report: "StatsReport", width: int | None, *, color: bool) -> Iterator[str]:
    """With little room the title is shorter, and the user is left out."""
    yield "longest conversations"
    yield ""
    is_wide = width is None or width >= _WIDE
    limit = _TITLE_LIMIT if is_wide else _SHORT_TITLE_LIMIT
    names = ["id", "title", "user_id", "organization", "messages", "characters"]
    rows = [
        [
            each.id.hex[-8:],
            None if each.title is None else one_line(each.title, limit=limit),
            each.user_id,
            each.organization,
            each.messages,
            each.characters,
        ]
        for each in report.longest_conversations
    ]
    if not is_wide:
        names, rows = [*names[:2], *names[4:]], [[*row[:2], *row[4:]] for row in rows]
    yield from table_lines(names, rows, width=width, color=color)


def _hours(report: "StatsReport", *, color: bool) -> Iterator[str]:
    yield f"messages by the hour of the week ({report.timezone})"
    yield ""
    values = {(each.weekday, each.hour): each.messages for each in report.busiest_hours}
    yield from heat_map(values, color=color)
    if report.busiest_hours:
        most = max(report.busiest_hours, key=lambda each: each.messages)
        yield (
            f"darkest: {counted(most.messages, 'message')}"
            if not color
            else (f"brightest: {counted(most.messages, 'message')}")
        )


def _storage(
    report: "StatsReport", shortened: bool, width: int | None, *, color: bool
) -> Iterator[str]:
    stored = report.storage or ()
    shown = stored[:_STORED_SHOWN] if shortened else stored
    yield f"storage: {size_text(sum(each.bytes for each in stored))}"
    yield ""
    names = ["table", "name", "kind", "size", "rows"]
    rows = [[each.table, each.name, each.kind, size_text(each.bytes), each.rows] for each in shown]
    yield from table_lines(names, rows, width=width, color=color)
    rest = stored[len(shown) :]
    if rest:
        size = size_text(sum(each.bytes for each in rest))
        yield f"and {len(rest)} more of {size}: --section storage"
