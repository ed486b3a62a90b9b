"""Whether a database can hold every letter, asked before anything goes into it."""

from contextlib import suppress

from chatdb.db.connect import connect_postgresql
from chatdb.db.migrating.revision import translated
from chatdb.db.postgresql.place import require_utf8
from chatdb.db.url import DatabaseUrl
from chatdb.errors import DatabaseUnreachableError


def require_utf8_database(url: DatabaseUrl) -> None:
    """Raise RefusedError for a PostgreSQL database that cannot hold every letter.

    One that is not there yet can: it is made so.
    """
    if url.path is not None:
        return
    with (
        suppress(DatabaseUnreachableError),  # the next step reports it
        translated(url),
        connect_postgresql(url, autocommit=True) as connection,
    ):
        row = connection.execute("SELECT current_setting('server_encoding')").fetchall()[0]
        require_utf8(url.database, row[0])
