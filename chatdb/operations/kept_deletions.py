"""What the log of a database tells of the files that its deletions kept."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from chatdb.db.database import Database
from chatdb.db.schema import log


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedDeletion:
    """A deletion that kept a file: whose it was, and how much went."""

    path: Path
    kept_at: datetime
    organization: str
    conversations: int
    messages: int


def logged_deletions(database: Database) -> list[LoggedDeletion]:
    """Return the deletions that kept a file, the oldest first; any revision will do."""
    statement = (
        sa.select(log.c.subject, log.c.finished_at, log.c.details)
        .where(log.c.kind == "deletion", log.c.outcome == "succeeded")
        .order_by(log.c.started_at)
    )
    with database.transaction() as connection:
        rows = connection.execute(statement).all()
    return [
        LoggedDeletion(
            path=Path(details["kept"]),
            kept_at=finished_at,
            organization=subject,
            conversations=_amount(details.get("conversations", 1)),
            messages=_amount(details.get("messages")),
        )
        for subject, finished_at, details in rows
        if isinstance(details, dict) and isinstance(details.get("kept"), str)
    ]


def _amount(value: Any) -> int:
    """Return a count that stands as a number, or as the list of what was counted."""
    return value if isinstance(value, int) else len(value) if isinstance(value, list) else 0
