"""The label of a database: development, staging or production, kept in `chatdb_settings`."""

import sqlalchemy as sa

from chatdb.db.database import Database
from chatdb.db.schema import settings
from chatdb.errors import RefusedError

KEY = "environment"
PRODUCTION = "production"


def label(database: Database) -> str | None:
    """Return what the database is labelled as; None when nobody labelled it."""
    with database.transaction() as connection:
        value = connection.scalar(sa.select(settings.c.value).where(settings.c.key == KEY))
    return None if value is None else str(value).strip().lower()


def refuse_on_production(database: Database, what: str) -> None:
    """Raise RefusedError when the database is labelled production; `what` is not done there."""
    if label(database) == PRODUCTION:
        raise RefusedError(
            f"{database.url.redacted()} is labelled {PRODUCTION}: {what} is never done there",
            hint="name another database: --database-url URL",
        )
