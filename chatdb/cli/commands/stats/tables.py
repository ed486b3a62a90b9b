"""The report of `chatdb stats` for people: tables with bars, and a heat map of the week."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from chatdb.cli.charts import WEEKDAYS, bar, heat_map, scale
from chatdb.cli.commands.stats.periods import TIMES, gap
from chatdb.cli.table import table_lines
from chatdb.cli.text import counted, one_line
from chatdb.primitives.sizes import size_text

if TYPE_CHECKING:
    from chatdb.operations.searching.stats import StatsReport

SHOWN = ("groups", "longest", "hours")
"""The parts of the report that are printed if none is asked for."""
_WIDEST_BAR = 30
_NARROWEST_BAR = 6
_NOBODY = "(none)"
_KEY_LIMIT = 40
_TITLE_LIMIT = 50


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
            yield from _storage(report, width, color=color)


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
    rows = list(_group_rows(report))
    if totals.conversations is None:
        names.remove("conversations")
        rows = [[row[0], *row[2:]] for row in rows]
    room = _bar_room(names, rows, width)
    if room < _NARROWEST_BAR:
        yield from table_lines(names[:-1], rows, width=width, color=color, shortened=names[:1])
        return
    most = max((group.messages for group in report.groups), default=0)
    for row in rows:
        row.append(bar(row[-2], most, room))
    yield from table_lines(names, rows, width=width, color=color)


def _group_rows(report: "StatsReport") -> Iterator[list[Any]]:
    """Yield key, conversations, messages and characters; times without any messages too."""
    before: str | None = None
    for group in report.groups:
        if report.by in TIMES and before is not None and group.key is not None:
            yield from ([key, 0, 0, 0] for key in gap(report.by, before, group.key))
        before = group.key
        key = _NOBODY if group.key is None else one_line(group.key, limit=_KEY_LIMIT)
        yield [key, group.conversations, group.messages, group.characters]


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
    yield "Longest conversations"
    yield ""
    names = ["id", "title", "user_id", "organization", "messages", "characters"]
    rows = [
        [
            each.id.hex[-8:],
            None if each.title is None else one_line(each.title, limit=_TITLE_LIMIT),
            each.user_id,
            # Who chose an organization knows which it is.
            each.organization if report.organization is None else None,
            each.messages,
            each.characters,
        ]
        for each in report.longest_conversations
    ]
    shortened = ("user_id", "organization", "title")
    yield from table_lines(names, rows, width=width, color=color, shortened=shortened)


def _hours(report: "StatsReport", *, color: bool) -> Iterator[str]:
    yield f"Messages by the hour of the week ({report.timezone})"
    yield ""
    values = {(each.weekday, each.hour): each.messages for each in report.busiest_hours}
    yield from heat_map(values, color=color)
    if report.busiest_hours:
        most = max(report.busiest_hours, key=lambda each: each.messages)
        yield ""
        yield scale(most.messages, color=color)
        hour = f"{WEEKDAYS[most.weekday - 1]} {most.hour:02}:00"
        yield f"busiest: {hour}, {counted(most.messages, 'message')}"


def _storage(report: "StatsReport", width: int | None, *, color: bool) -> Iterator[str]:
    stored = report.storage or ()
    yield f"Storage: {size_text(sum(each.bytes for each in stored))}"
    yield ""
    names = ["table", "name", "kind", "bytes", "rows"]
    rows = [[each.table, each.name, each.kind, each.bytes, each.rows] for each in stored]
    yield from table_lines(names, rows, width=width, color=color)
