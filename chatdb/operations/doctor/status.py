"""The state of a database at a glance: nothing heavy is loaded, and any schema works."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from chatdb.db.contract.overview import Overview
from chatdb.db.label import KEY as ENVIRONMENT
from chatdb.db.migrating.revision import Look, State, mismatch
from chatdb.db.migrating.scripts import head_revision
from chatdb.db.overview import DAYS, overview
from chatdb.db.url import DatabaseUrl
from chatdb.errors import ChatdbError
from chatdb.operations.kept.public import KeptSummary, summarise_kept
from chatdb.operations.smoke_test.public import SmokeRecord, read_record
from chatdb.records import organization_id_of

if TYPE_CHECKING:
    from chatdb.backups.last_backup import LastBackup


@dataclass(frozen=True, slots=True)
class DayCount:
    """The messages of one day, by their own time in UTC."""

    day: date
    messages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    """The report of `chatdb status`; None for values that do not exist or could not be read.

    `source` says where the redacted URL came from; `size` is in bytes; `estimated` names the counts
    that are estimates; `last_days` end with today; `notes` say what could not be read. `backups` is
    where they go; only a local folder is searched for the last one. `kept` is what restores,
    migrations and deletions kept. `row_security` is the key of the only organization whose rows
    this user sees.
    """

    database: str
    source: str
    reachable: bool
    server: str | None
    size: int | None
    schema: str | None
    schema_state: State | None
    revision: str | None
    head: str
    environment: str | None
    row_security: str | None
    organizations: int | None
    conversations: int | None
    messages: int | None
    estimated: tuple[str, ...]
    newest_message_at: datetime | None
    last_days: tuple[DayCount, ...]
    backups: str
    last_backup: "LastBackup | None"
    last_smoke_test: SmokeRecord | None
    kept: KeptSummary | None
    notes: tuple[str, ...]


def read_status(
    url: DatabaseUrl,
    *,
    source: str,
    schema: str | None = None,
    organization_key: str = "default",
    backups: str = "backups",
    now: datetime | None = None,
) -> tuple[StatusReport, ChatdbError | None]:
    """Return what is known about the database, and the error that other commands would raise.

    There is one if the database does not exist, cannot be reached or read, or its schema is not
    current.
    """
    today = (now or datetime.now(UTC)).astimezone(UTC).date()
    trouble: ChatdbError | None = None
    seen: Overview | None = None
    try:
        seen = overview(
            url,
            schema=schema,
            organization_id=organization_id_of(organization_key),
            today=today,
        )
    except ChatdbError as error:
        trouble = error
    else:
        if not _is_usable(url, seen.look):
            trouble = mismatch(seen.look, url)
    report = _report(url, source, schema, seen, today)
    if seen is not None and seen.row_security:
        report = replace(report, row_security=organization_key)
    try:
        last = _last_backup(url, backups)
    except ChatdbError as error:
        last = None
        report = replace(report, notes=(*report.notes, f"the last backup: {error.text}"))
    if report.reachable:
        try:
            report = replace(report, kept=summarise_kept(url, schema=schema))
        except (ChatdbError, OSError) as failure:
            report = replace(report, notes=(*report.notes, f"kept items: {failure}"))
    return replace(report, backups=_shown(backups), last_backup=last), trouble


def _is_usable(url: DatabaseUrl, look: Look) -> bool:
    """Tell whether other commands work: they create the tables of a new SQLite file themselves."""
    return look.state == "current" or (
        look.state == "empty" and not look.tables and url.path is not None
    )


def _report(
    url: DatabaseUrl, source: str, schema: str | None, seen: Overview | None, today: date
) -> StatusReport:
    amounts = {} if seen is None else seen.amounts
    settings = {} if seen is None else seen.settings
    counts = {name: amount.rows for name, amount in amounts.items()}
    label = settings.get(ENVIRONMENT)
    return StatusReport(
        database=url.redacted(),
        source=source,
        reachable=seen is not None,
        server=_server(url, seen),
        size=None if seen is None else seen.size,
        schema=schema,
        schema_state=None if seen is None else seen.look.state,
        revision=None if seen is None else seen.look.revision,
        head=head_revision(),
        environment=None if label is None else label.strip().lower(),
        row_security=None,
        organizations=counts.get("organizations"),
        conversations=counts.get("conversations"),
        messages=counts.get("messages"),
        estimated=tuple(name for name, amount in amounts.items() if amount.estimated),
        newest_message_at=None if seen is None else seen.newest_message_at,
        last_days=_days(seen, today),
        backups="",
        last_backup=None,
        last_smoke_test=read_record(settings),
        kept=None,
        notes=() if seen is None else tuple(seen.notes),
    )


_SYSTEM: dict[Literal["sqlite", "postgresql"], str] = {
    "sqlite": "SQLite",
    "postgresql": "PostgreSQL",
}


def _last_backup(url: DatabaseUrl, place: str) -> "LastBackup | None":
    """Look into an existing folder; asking a store on a network would take too long."""
    if not Path(place.removeprefix("file://")).expanduser().is_dir():
        return None
    from chatdb.backups.last_backup import last_backup
    from chatdb.backups.stores import open_store

    last = last_backup(open_store(place), url.name, url.dialect_name)
    return None if last.file is None else last


def _shown(place: str) -> str:
    """Return the redacted place; a folder contains no secret, so nothing need be loaded."""
    if "://" not in place:
        return place
    from chatdb.backups.store import redacted_url

    return redacted_url(place)


def _server(url: DatabaseUrl, seen: Overview | None) -> str | None:
    if seen is None or seen.version is None:
        return None
    return f"{_SYSTEM[url.dialect_name]} {seen.version}"


def _days(seen: Overview | None, today: date) -> tuple[DayCount, ...]:
    if seen is None or seen.days is None:
        return ()
    days = [today - timedelta(days=back) for back in reversed(range(DAYS))]
    return tuple(DayCount(day, seen.days.get(day, 0)) for day in days)
