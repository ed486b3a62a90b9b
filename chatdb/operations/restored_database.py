"""What is set right in a database that comes out of a backup, before it takes another's place."""

from datetime import UTC, datetime
from uuid import uuid4

import sqlalchemy as sa

import chatdb
from chatdb.db.database import Database
from chatdb.db.label import KEY
from chatdb.db.schema import leases, log, settings


def settle(
    database: Database,
    *,
    subject: str,
    began_at: datetime,
    label: str | None,
    keeps_label: bool,
) -> None:
    """Give it the label of its place, end the leases of long ago, and log the restore.

    With `keeps_label` its own label stays.
    """
    with database.transaction(write=True) as connection:
        there = set(database.dialect.existing_tables(connection))
        if settings.name in there and not keeps_label:
            connection.execute(sa.delete(settings).where(settings.c.key == KEY))
            if label is not None:
                connection.execute(sa.insert(settings).values(key=KEY, value=label))
        if leases.name in there:
            connection.execute(sa.delete(leases))
        if log.name in there:
            connection.execute(
                sa.insert(log).values(
                    id=uuid4(),
                    kind="restore",
                    subject=subject,
                    started_at=began_at,
                    finished_at=datetime.now(UTC),
                    outcome="succeeded",
                    details={"chatdb": chatdb.__version__},
                )
            )
