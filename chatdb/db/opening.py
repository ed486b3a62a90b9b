"""Opening the place of a database, on SQLite or on PostgreSQL, to put another one there."""

from collections.abc import Iterator
from contextlib import contextmanager

from chatdb.db.replacement import Note, Replacement
from chatdb.db.url import DatabaseUrl


@contextmanager
def open_replacement(url: DatabaseUrl, note: Note) -> Iterator[Replacement]:
    """Open the place of a database for this chatdb alone.

    Raises DatabaseLockedError while another chatdb is at it, RefusedError through a pooler, and
    the errors of `chatdb.errors` for a server or folder that cannot be reached.
    """
    if url.path is not None:
        from chatdb.db.replacement_sqlite import SqliteReplacement

        yield SqliteReplacement(url)
    else:
        from chatdb.db.replacement_postgresql import PostgresqlReplacement

        with PostgresqlReplacement.open(url, note) as replacement:
            yield replacement
