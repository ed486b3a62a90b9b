"""Counting all messages on SQLite."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import ClassVar, Literal
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from chatdb.db.connect import driver_connection
from chatdb.db.contract.statistics import MessageSource, Statistics, StoredObject
from chatdb.db.schema import TABLE_NAMES

# A look only lets Ctrl-C through, so they may be rare.
_STEPS_BETWEEN_LOOKS = 100_000
_LOCAL_HOUR = "chatdb_local_hour"
_SEARCH = "messages_search"
# Rows of one id range share pages: single random rows would read a page each.
_ROWS_TOGETHER = 200
_QUARTER = timedelta(minutes=15)
_OWNERS = "SELECT name, tbl_name, type FROM sqlite_master WHERE type IN ('table', 'index')"
_PAGES = "SELECT name, pgsize FROM dbstat WHERE aggregate = TRUE"


class SqliteStatistics(Statistics):
    """Local hours by a function of ours, samples by runs of row ids."""

    settings: ClassVar[Mapping[str, str]] = {}
    # Otherwise the planner merges the queries, and whole texts are sorted.
    read_barrier = "LIMIT -1"
    day = "substr(h, 1, 10)"
    week = "date(substr(h, 1, 10), '-6 days', 'weekday 1')"
    month = "substr(h, 1, 7)"
    year = "substr(h, 1, 4)"
    weekday = "CAST((strftime('%w', substr(h, 1, 10)) + 6) % 7 + 1 AS TEXT)"
    hour = "CAST(CAST(substr(h, 12, 2) AS INTEGER) AS TEXT)"

    def bucket(self, timezone: str) -> str:
        if timezone == "UTC":
            return "substr(m.created_at, 1, 13)"
        # Since 1972 no zone has differed by anything but quarters of an hour.
        return "substr(m.created_at, 1, 14) || (substr(m.created_at, 15, 2) / 15)"

    def local_hour(self, timezone: str) -> str:
        return "b" if timezone == "UTC" else f"{_LOCAL_HOUR}(b)"

    @contextmanager
    def reading(self, connection: sa.Connection, timezone: str) -> Iterator[None]:
        driver = driver_connection(connection)
        if timezone != "UTC":
            driver.create_function(_LOCAL_HOUR, 1, local_hours(timezone), deterministic=True)
        with _interruptible(driver):
            yield

    def all_messages(self, *, filtered: bool) -> MessageSource:
        # Every row is wanted: by an index each would be looked up once more in the table.
        return MessageSource("messages m" if filtered else "messages m NOT INDEXED")

    def sample(self, connection: sa.Connection, rows: int) -> MessageSource:
        first, last = (
            connection.exec_driver_sql(f"SELECT {end}(rid) FROM messages").scalar_one() or 0
            for end in ("min", "max")
        )
        runs = max(rows // _ROWS_TOGETHER, 1)
        step = (last - first + 1) / runs
        if step <= _ROWS_TOGETHER:
            return self.all_messages(filtered=False)
        return MessageSource(
            "(WITH RECURSIVE runs(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM runs"
            " WHERE n + 1 < :runs) SELECT CAST(:first + n * :step AS INTEGER) AS start FROM runs)"
            " AS run CROSS JOIN messages m"
            f" ON m.rid >= run.start AND m.rid < run.start + {_ROWS_TOGETHER}",
            factor=step / _ROWS_TOGETHER,
            values={"runs": runs, "first": first, "step": step},
        )

    def storage(self, connection: sa.Connection) -> list[StoredObject] | None:
        owners = {name: (table, kind) for name, table, kind in connection.exec_driver_sql(_OWNERS)}
        try:
            pages = connection.exec_driver_sql(_PAGES).fetchall()
        except sa.exc.OperationalError:  # A SQLite that was built without dbstat.
            return None
        found: dict[tuple[str, str, Literal["table", "index"]], int] = {}
        for name, size in pages:
            key = _object(name, *owners.get(name, (name, "table")))
            if key is not None:
                found[key] = found.get(key, 0) + size
        objects = [
            StoredObject(table=table, name=name, kind=kind, bytes=size)
            for (table, name, kind), size in found.items()
        ]
        return sorted(objects, key=lambda each: (-each.bytes, each.name))


def local_hours(timezone: str) -> Callable[[str], str | None]:
    """Return a function from a quarter of an hour in UTC (`2026-01-31T12:3`) to the local hour.

    Anything that is not a time becomes None.
    """
    zone = ZoneInfo(timezone)

    # Messages of one quarter of an hour share a conversion: 96 a day at most.
    @cache
    def local_hour(bucket: str) -> str | None:
        try:
            hour = datetime.fromisoformat(bucket[:13] + ":00").replace(tzinfo=UTC)
            local = (hour + int(bucket[14:]) * _QUARTER).astimezone(zone)
        except (TypeError, ValueError, OverflowError):
            return None
        return f"{local:%Y-%m-%dT%H}"

    return local_hour


def _object(name: str, table: str, kind: str) -> tuple[str, str, Literal["table", "index"]] | None:
    """Return what a name on disk is to chatdb: FTS5's tables are an index of messages."""
    if name.startswith(_SEARCH):
        return "messages", _SEARCH, "index"
    if table not in TABLE_NAMES:
        return None
    return table, name, "index" if kind == "index" else "table"


@contextmanager
def _interruptible(driver: sqlite3.Connection) -> Iterator[None]:
    """Let Ctrl-C end a long query: sqlite3 itself notices signals only between two rows.

    It turns a KeyboardInterrupt raised in a callback into SQLITE_INTERRUPT.
    """
    driver.set_progress_handler(lambda: False, _STEPS_BETWEEN_LOOKS)
    try:
        yield
    except sa.exc.DBAPIError as error:
        if getattr(error.orig, "sqlite_errorname", "") == "SQLITE_INTERRUPT":
            raise KeyboardInterrupt from error
        raise
    finally:
        driver.set_progress_handler(None, 0)
