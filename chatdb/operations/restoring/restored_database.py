"""Fixes applied to a restored database before it replaces the current one."""

from datetime import datetime

import sqlalchemy as sa

from chatdb.db.database import Database
from chatdb.db.label import KEY
from chatdb.db.schema import leases, log, settings
from chatdb.store.work_log import write_work


def settle(
    database: Database,
    *,
    subject: str,
    began_at: datetime,
    label: str | None,
    keeps_label: bool,
) -> None:
    """Give it the target's label, end old leases, and log the restore.

    With `keeps_label` its own label stays.
    """
    with database.transaction(write=True) as connection:
        there = set(database.dialect.existing_tables(connection))
        if settings.name in there and not keeps_label:
            connection.execute(sa.delete(settings).where(settings.c.key == KEY))
            if label is not None:
                connection.execute(sa.insert(settings).values(key=KEY, value=label))
        if leases.name in there:
            # The jobs that held them ended long ago; their leases would stop new ones.
            connection.execute(sa.delete(leases))
        if log.name in there:
            write_work(connection, "restore", subject, started_at=began_at)
