"""A database at a glance, by the bare driver: counts, sizes, the last days.

Every figure is read in a separate short transaction, within a second or not at all: a missing one
is named in `notes` and does not stop the others.
"""

from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from chatdb.db.connect import connect_postgresql, connect_sqlite
from chatdb.db.contract.overview import FIGURE_SECONDS, Overview
from chatdb.db.migrating.revision import look_into_file, look_into_server, translated
from chatdb.db.url import DatabaseUrl

ANSWER_SECONDS = 10.0
"""How long a server that accepted the login may take to answer."""

DAYS = 7


def overview(
    url: DatabaseUrl, *, schema: str | None = None, organization_id: UUID, today: date
) -> Overview:
    """Look at the database; for a schema that is not chatdb's, return only its state.

    `organization_id` is whose rows a user under row-level security sees.

    Raises the errors of `chatdb.errors` for one that cannot be reached or read.
    """
    since = datetime.combine(today - timedelta(days=DAYS - 1), time(), UTC)
    with translated(url):
        if url.path is not None:
            return _of_file(url, since)
        return _of_server(url, schema, organization_id, since)


def _of_file(url: DatabaseUrl, since: datetime) -> Overview:
    from chatdb.db.sqlite.overview import FileGlance

    with closing(connect_sqlite(url, busy_seconds=FIGURE_SECONDS)) as connection:
        seen = Overview(look=look_into_file(connection))
        FileGlance(connection, url.sqlite_path, seen).read(since)
    return seen


def _of_server(
    url: DatabaseUrl, schema: str | None, organization_id: UUID, since: datetime
) -> Overview:
    from chatdb.db.postgresql.overview import ServerGlance
    from chatdb.db.reachable import select_one

    # Settings are one more message: a pooler without a server behind it would leave it unanswered.
    with closing(connect_postgresql(url, autocommit=True, settled=False)) as connection:
        select_one(connection, ANSWER_SECONDS)
        connection.settle()
        seen = Overview(look=look_into_server(connection, schema=schema))
        ServerGlance(connection, seen, schema=schema, organization_id=organization_id).read(since)
    return seen
