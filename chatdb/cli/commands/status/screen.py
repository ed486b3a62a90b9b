"""`chatdb status` for people: everything on one screen of 80 by 24, or 60 columns."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING

from chatdb.cli.charts import bar
from chatdb.cli.table import record_lines
from chatdb.cli.text import ago, counted, time_text
from chatdb.formats.times import is_known
from chatdb.primitives.sizes import size_text

if TYPE_CHECKING:
    from chatdb.operations.doctor.status import StatusReport
    from chatdb.operations.kept.items import KeptSummary
    from chatdb.operations.smoke_test.record import SmokeRecord

_BAR_WIDTH = 32
_SCHEMA = {
    "current": "at the newest revision ({revision})",
    "behind": "behind: at revision {revision}, the newest is {head}",
    "ahead": "ahead: at revision {revision}, this chatdb knows {head}",
    "unknown_revision": "unknown: at revision {revision}, which no chatdb version created",
    "not_chatdb": "not chatdb's: the tables belong to another program",
    "empty": "empty: no chatdb tables yet",
}

_READABLE = ("current", "behind", "ahead")


def screen_lines(
    report: "StatusReport",
    *,
    now: datetime,
    zone: tzinfo = UTC,
    width: int | None,
    color: bool,
    complete: Callable[[str], str] = str,
) -> Iterator[str]:
    """Yield the lines; `width` None is no limit, `complete` makes commands work as typed."""
    fields = {name: complete(text) for name, text in _fields(report, now, zone)}
    yield from record_lines(list(fields), list(fields.values()), width=width, color=color)
    if report.last_days:
        yield from _chart(report)


def _fields(report: "StatusReport", now: datetime, zone: tzinfo) -> Iterator[tuple[str, str]]:
    yield "database", f"{report.database} ({report.source})"
    if not report.reachable:
        yield "reachable", "no"
        return
    if report.server is not None:
        size = "" if report.size is None else f", {size_text(report.size)}"
        yield "server", report.server + size
    if report.schema is not None:
        yield "in schema", report.schema
    if report.schema_state is not None:
        text = _SCHEMA[report.schema_state]
        yield "schema", text.format(revision=report.revision, head=report.head)
    if report.schema_state not in _READABLE:
        return
    yield "environment", report.environment or "not labelled"
    if report.row_security is not None:
        yield "tenant", f"only {report.row_security} (row-level security applies to this role)"
    for name in ("organizations", "conversations", "messages"):
        count = getattr(report, name)
        if count is not None:
            yield name, ("about " if name in report.estimated else "") + f"{count:,}"
    if report.newest_message_at is not None:
        time = report.newest_message_at
        told = f"{ago(time, now)} ({time_text(time, zone)})"
        yield "newest message", told if is_known(time) else "time unknown"
    yield from _safety(report, now)


def _safety(report: "StatusReport", now: datetime) -> Iterator[tuple[str, str]]:
    yield "backup", _backup_text(report, now)
    if report.kept is not None:
        yield "kept", _kept_text(report.kept, now)
    record = report.last_smoke_test
    if record is not None:
        yield "smoke test", _smoke_text(record, now)
    elif report.row_security is None:
        yield "smoke test", "never run"


def _backup_text(report: "StatusReport", now: datetime) -> str:
    last = report.last_backup
    if last is None or last.made_at is None:
        where = f"none in {report.backups}"
        return where if "://" not in report.backups else f"in {report.backups}: chatdb backup list"
    verified = "never verified"
    if last.verified_at is not None:
        other = "" if last.verified_file == last.file else "an earlier one "
        verified = f"{other}verified {ago(last.verified_at, now)}"
    return f"{ago(last.made_at, now)}, {verified} ({last.file})"


def _kept_text(kept: "KeptSummary", now: datetime) -> str:
    oldest = ago(kept.oldest, now)
    items = counted(kept.items, "item")
    return f"{items}, {size_text(kept.bytes)}, oldest {oldest}: chatdb kept list"


def _smoke_text(record: "SmokeRecord", now: datetime) -> str:
    when = ago(record.finished_at, now)
    if record.outcome == "passed":
        return f"passed {when} ({counted(record.passed, 'check')} in {record.seconds:.2f} s)"
    return f"failed {when}: {', '.join(record.failed)}"


def _chart(report: "StatusReport") -> Iterator[str]:
    days = report.last_days
    most = max(day.messages for day in days)
    total = sum(day.messages for day in days)
    yield ""
    yield f"{counted(total, 'message')} in the last {len(days)} days (UTC)"
    if not total:
        return
    for day in days:
        drawn = bar(day.messages, most, _BAR_WIDTH)
        yield f"  {day.day:%a %d}  {drawn}{' ' if drawn else ''}{day.messages:,}"
