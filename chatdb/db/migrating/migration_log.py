"""The rows of `chatdb_log` that record which revision was run when, from which script."""

import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import sqlalchemy as sa

import chatdb
from chatdb.db.migrating.scripts import Script
from chatdb.db.schema import log

KIND = "migration"


@dataclass(frozen=True, slots=True)
class LoggedRun:
    """One run of a script: `direction` is up or down, `outcome` succeeded or failed."""

    id: UUID
    revision: str
    direction: str
    outcome: str
    sha256: str
    started_at: datetime
    finished_at: datetime


def write_run(
    connection: sa.Connection,
    script: Script,
    *,
    direction: str,
    started_at: datetime,
    error: str | None = None,
) -> None:
    """Write one run; `error` is None for one that succeeded."""
    connection.execute(
        log.insert().values(
            id=_new_id(),
            kind=KIND,
            subject=script.revision,
            sha256=script.sha256,
            started_at=started_at,
            finished_at=datetime.now(UTC),
            outcome="succeeded" if error is None else "failed",
            details={"chatdb": chatdb.__version__, "direction": direction}
            | ({} if error is None else {"error": error}),
        )
    )


def read_runs(connection: sa.Connection) -> list[LoggedRun]:
    """Return every run, oldest first; the log must exist."""
    rows = connection.execute(
        sa.select(log).where(log.c.kind == KIND).order_by(log.c.finished_at, log.c.id)
    )
    return [
        LoggedRun(
            id=row.id,
            revision=row.subject,
            direction=str((row.details or {}).get("direction", "up")),
            outcome=row.outcome,
            sha256=row.sha256 or "",
            started_at=row.started_at,
            finished_at=row.finished_at,
        )
        for row in rows
    ]


def _new_id() -> UUID:
    """Return a UUIDv7: milliseconds, then random bits (RFC 9562, 5.7)."""
    value = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    return UUID(int=value & ~(0x3 << 62) | 0x2 << 62)
