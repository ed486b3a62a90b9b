"""A glance at a SQLite file."""

import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

from chatdb.db.contract.overview import COUNTED_ROWS, FIGURE_SECONDS, READABLE, Amount, Overview

# Instructions of SQLite's virtual machine: each look is a call into Python.
_STEPS_BETWEEN_LOOKS = 10_000
# SQLite keeps no row count: counting all reads a whole index.
_COUNT = "SELECT count(*) FROM (SELECT 1 FROM {table} LIMIT {limit})"
_GUESS = "SELECT (SELECT max(rowid) FROM {table}) - (SELECT min(rowid) FROM {table}) + 1"
_NEWEST = """
SELECT max((SELECT m.created_at FROM messages m WHERE m.organization_id = o.id
            ORDER BY m.created_at DESC LIMIT 1)) FROM organizations o
"""
# CROSS JOIN fixes the order: organizations are few, and each is a range of the index on times.
_DAYS = """
SELECT substr(m.created_at, 1, 10), count(*) FROM organizations o
CROSS JOIN messages m ON m.organization_id = o.id AND m.created_at >= ? GROUP BY 1
"""


class FileGlance:
    """Fills an overview one figure at a time; the connection is read-only from then on."""

    def __init__(self, connection: sqlite3.Connection, path: Path, seen: Overview) -> None:
        self._connection = connection
        self._path = path
        self._seen = seen

    def read(self, since: datetime) -> None:
        """Read every figure; `since` is when the days begin."""
        seen = self._seen
        # A file that is only looked at must not change, whatever a later query does.
        self._connection.execute("PRAGMA query_only=ON")
        seen.version = sqlite3.sqlite_version
        seen.size = sum(
            path.stat().st_size
            for path in (self._path, self._path.with_name(self._path.name + "-wal"))
            if path.exists()
        )
        if seen.look.state not in READABLE:
            return
        self._figure("settings", self._settings)
        for table in ("organizations", "conversations", "messages"):
            self._figure(table, partial(self._count, table))
        self._figure("the newest message", self._newest)
        self._figure("messages by day", partial(self._days, since))

    def _figure(self, name: str, read: Callable[[], None]) -> None:
        ends = time.monotonic() + FIGURE_SECONDS
        self._connection.set_progress_handler(lambda: time.monotonic() > ends, _STEPS_BETWEEN_LOOKS)
        try:
            read()
        except (sqlite3.Error, ValueError) as error:
            late = getattr(error, "sqlite_errorname", "") == "SQLITE_INTERRUPT"
            reason = f"not available within {FIGURE_SECONDS:g} s" if late else str(error)
            self._seen.notes.append(f"{name}: {reason}")
        finally:
            self._connection.set_progress_handler(None, 0)

    def _rows(self, query: str, *values: Any) -> list[Any]:
        return self._connection.execute(query, values).fetchall()

    def _settings(self) -> None:
        self._seen.settings = dict(self._rows("SELECT key, value FROM chatdb_settings"))

    def _count(self, table: str) -> None:
        rows = self._rows(_COUNT.format(table=table, limit=COUNTED_ROWS + 1))[0][0]
        if rows > COUNTED_ROWS:
            # Ids of deleted rows count too, so it is an estimate.
            guess = self._rows(_GUESS.format(table=table))[0][0]
            self._seen.amounts[table] = Amount(max(guess, rows), estimated=True)
        else:
            self._seen.amounts[table] = Amount(rows)

    def _newest(self) -> None:
        text = self._rows(_NEWEST)[0][0]
        if text is not None:
            newest = datetime.fromisoformat(text)
            self._seen.newest_message_at = newest.replace(tzinfo=newest.tzinfo or UTC)

    def _days(self, since: datetime) -> None:
        rows = self._rows(_DAYS, f"{since:%Y-%m-%d}")
        self._seen.days = {date.fromisoformat(day): count for day, count in rows}
