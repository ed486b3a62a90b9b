"""Rows of `chatdb_log` for work of one transaction: deletions, labels, restores."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

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


def write_deletion(
    connection: sa.Connection,
    organization_key: str,
    organization_id: UUID,
    *,
    started_at: datetime,
    kept: Path | None,
    **amounts: Any,
) -> None:
    """Record what was deleted: `amounts` are counts and ids, `kept` is the file to restore from."""
    details = {"organization_id": str(organization_id), **amounts}
    details["kept"] = None if kept is None else str(kept)
    write_work(connection, "deletion", organization_key, started_at=started_at, details=details)
