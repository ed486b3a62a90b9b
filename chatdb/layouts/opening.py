"""Opens the database of another system, on SQLite or PostgreSQL."""

from contextlib import AbstractContextManager

from chatdb.db.url import DatabaseUrl
from chatdb.layouts.foreign import ForeignDatabase, OnRows


def open_foreign(
    url: DatabaseUrl, on_rows: OnRows | None = None
) -> AbstractContextManager[ForeignDatabase]:
    """Open a database for reading, in one state, for the duration of the context.

    `on_rows` receives the number of rows as they are read. Raises the errors of `chatdb.errors` for
    one that cannot be reached or read, also within the context.
    """
    if url.path is not None:
        from chatdb.layouts.foreign_sqlite import open_sqlite

        return open_sqlite(url, on_rows)
    from chatdb.layouts.foreign_postgresql import open_postgresql

    return open_postgresql(url, on_rows)
