"""A glance at a PostgreSQL database."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg
from psycopg import sql

from chatdb.db.contract.overview import (
    COUNTED_ROWS,
    FIGURE_SECONDS,
    LOCK_SECONDS,
    READABLE,
    Amount,
    Overview,
)

if TYPE_CHECKING:
    from typing import LiteralString

    from chatdb.db.postgresql.patient_connection import PatientConnection

_LIMITS = {
    "statement_timeout": f"{FIGURE_SECONDS:g}s",
    "lock_timeout": f"{LOCK_SECONDS * 1000:g}ms",
    # Without statistics the planner would read whole tables instead of using an index.
    "enable_seqscan": "off",
    # Compiling takes longer than these queries.
    "jit": "off",
}
_ABOUT = "SELECT current_setting('server_version'), pg_database_size(current_database())"
_SETTINGS = "SELECT key, value FROM chatdb_settings"
_COUNT = "SELECT count(*) FROM (SELECT FROM {table} LIMIT {limit}) AS counted"
# The planner scales its last count to the table's size today; pg_class holds the old one.
_GUESS = "EXPLAIN (FORMAT JSON) SELECT FROM {table}"
_NEWEST = """
SELECT max((SELECT m.created_at FROM messages m WHERE m.organization_id = o.id
            ORDER BY m.created_at DESC LIMIT 1)) FROM organizations o
"""
_DAYS = """
SELECT (m.created_at AT TIME ZONE 'UTC')::date, count(*) FROM organizations o
CROSS JOIN LATERAL (SELECT created_at FROM messages WHERE organization_id = o.id
                    AND created_at >= %s OFFSET 0) m GROUP BY 1
"""
_HIDDEN = "SELECT row_security_active('messages')"


class ServerGlance:
    """Fills an overview figure by figure, each in a read-only transaction with a time limit."""

    def __init__(
        self,
        connection: "PatientConnection",
        seen: Overview,
        *,
        schema: str | None,
        organization_id: UUID,
    ) -> None:
        self._connection = connection
        self._schema = schema
        self._limits = {**_LIMITS, "app.organization_id": str(organization_id)}
        self._seen = seen

    def read(self, since: datetime) -> None:
        """Read every figure; `since` is when the days begin. Raises psycopg's lost connection."""
        self._figure("version and size", self._about)
        if self._seen.look.state not in READABLE:
            return
        self._figure("settings", self._settings)
        for table in ("organizations", "conversations", "messages"):
            self._figure(table, partial(self._count, table))
        self._figure("the newest message", self._newest)
        self._figure("messages by day", partial(self._days, since))
        self._figure("row-level security", self._hidden)

    def _figure(self, name: str, read: Callable[[], None]) -> None:
        try:
            with self._connection.reading(self._limits, schema=self._schema):
                read()
        except psycopg.errors.QueryCanceled:
            self._seen.notes.append(f"{name}: not available within {FIGURE_SECONDS:g} s")
        except psycopg.errors.LockNotAvailable:
            self._seen.notes.append(f"{name}: another session holds a lock")
        except psycopg.Error as error:
            # Without a connection every further figure would fail the same way.
            if error.sqlstate is None or self._connection.broken:
                raise
            reason = error.diag.message_primary or str(error)
            self._seen.notes.append(f"{name}: {reason}")

    def _rows(self, query: "LiteralString", *values: Any, **names: Any) -> list[Any]:
        return self._connection.execute(sql.SQL(query).format(**names), values).fetchall()

    def _about(self) -> None:
        version, self._seen.size = self._rows(_ABOUT)[0]
        self._seen.version = version.split()[0]

    def _settings(self) -> None:
        self._seen.settings = dict(self._rows(_SETTINGS))

    def _count(self, table: str) -> None:
        name = sql.Identifier(table)
        rows = self._rows(_COUNT, table=name, limit=COUNTED_ROWS + 1)[0][0]
        if rows > COUNTED_ROWS:
            plan = self._rows(_GUESS, table=name)[0][0]
            guess = int(plan[0]["Plan"]["Plan Rows"])
            self._seen.amounts[table] = Amount(max(guess, rows), estimated=True)
        else:
            self._seen.amounts[table] = Amount(rows)

    def _newest(self) -> None:
        newest = self._rows(_NEWEST)[0][0]
        if newest is not None:
            self._seen.newest_message_at = newest.astimezone(UTC)

    def _days(self, since: datetime) -> None:
        self._seen.days = dict(self._rows(_DAYS, since))

    def _hidden(self) -> None:
        self._seen.row_security = self._rows(_HIDDEN)[0][0]
