"""Opens the place of a database, on SQLite or PostgreSQL, to replace the database there."""

from collections.abc import Iterator
from contextlib import contextmanager

from chatdb.db.contract.replacement import Note, Replacement
from chatdb.db.url import DatabaseUrl


@contextmanager
def open_replacement(url: DatabaseUrl, note: Note) -> Iterator[Replacement]:
    """Open the place of a database for this chatdb alone.

    Raises DatabaseLockedError while another chatdb is working on it, RefusedError through a pooler,
    and the errors of `chatdb.errors` for a server or folder that cannot be reached.
    """
    if url.path is not None:
        from chatdb.db.sqlite.replacement import SqliteReplacement

        yield SqliteReplacement(url)
    else:
        from chatdb.db.postgresql.replacement import PostgresqlReplacement

        with PostgresqlReplacement.open(url, note) as replacement:
            yield replacement
