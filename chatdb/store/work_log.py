"""Rows of `chatdb_log` for work of one transaction: deletions, labels, restores."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

import chatdb
from chatdb.db.schema import log


def write_work(
    connection: sa.Connection,
    kind: str,
    subject: str,
    *,
    started_at: datetime,
    details: dict[str, Any] | None = None,
) -> None:
    """Record work that succeeds when the transaction commits; `details` are plain JSON."""
    connection.execute(
        sa.insert(log).values(
            id=uuid4(),
            kind=kind,
            subject=subject,
            sha256=None,
            started_at=started_at,
            finished_at=datetime.now(UTC),
            outcome="succeeded",
            details={"chatdb": chatdb.__version__, **(details or {})},
        )
    )
