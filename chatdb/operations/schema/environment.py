"""The label of a database: development, staging or production, stored in `chatdb_settings`."""

from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from chatdb.db.database import Database
from chatdb.db.label import ENVIRONMENTS, KEY, PRODUCTION
from chatdb.db.schema import settings
from chatdb.errors import RefusedError, UsageError
from chatdb.store.work_log import write_work


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentChange:
    """The new label and the previous one, None if there was none."""

    environment: str
    before: str | None
    dry_run: bool = False


def label(database: Database) -> str | None:
    """Return the database's label; None if it has none."""
    with database.transaction() as connection:
        return _label(connection)


def set_label(
    database: Database, environment: str, *, may_lower: bool = False
) -> EnvironmentChange:
    """Label the database and log it; returns the change.

    Production is removed only with `may_lower`: otherwise RefusedError. UsageError for an unknown
    label.
    """
    if environment not in ENVIRONMENTS:
        raise UsageError(
            f"unknown label {environment!r}", hint=f"use one of: {', '.join(ENVIRONMENTS)}"
        )
    now = datetime.now(UTC)
    with database.transaction(write=True) as connection:
        before = _label(connection)
        change = EnvironmentChange(environment=environment, before=before)
        if before == environment:
            return change
        if before == PRODUCTION and not may_lower:
            raise RefusedError(
                f"{database.url.redacted()} was labelled {PRODUCTION} in the meantime; nothing "
                "was changed",
                hint="chatdb environment show",
            )
        connection.execute(sa.delete(settings).where(settings.c.key == KEY))
        connection.execute(sa.insert(settings).values(key=KEY, value=environment))
        write_work(
            connection, "environment", environment, started_at=now, details={"before": before}
        )
    return change


def refuse_on_production(database: Database, what: str) -> None:
    """Raise RefusedError if the database is labelled production; `what` is not allowed there."""
    if label(database) == PRODUCTION:
        raise RefusedError(
            f"{database.url.redacted()} is labelled {PRODUCTION}, where {what} is not allowed",
            hint="use another database: --database-url URL",
        )


def _label(connection: sa.Connection) -> str | None:
    value = connection.scalar(sa.select(settings.c.value).where(settings.c.key == KEY))
    return None if value is None else str(value).strip().lower()
