"""The database that a development server exists for, created if it is missing."""

from chatdb.db.postgresql.unreachable import Diagnosis
from chatdb.errors import ServerFailedError
from chatdb.servers.base import DevServer, Note

_MAINTENANCE_DATABASE = "postgres"


def tls_missing(found: Diagnosis) -> ServerFailedError:
    """Return the error for a URL that requires TLS: a development server has none."""
    return ServerFailedError(
        found.text, hint="PGSSLMODE requires it: unset it, or use PGSSLMODE=prefer"
    )


def make_database(server: DevServer, note: Note) -> None:
    """Create the target database if it is missing, over the server's maintenance database.

    Raises psycopg.Error.
    """
    from psycopg import errors, sql

    from chatdb.db.connect import connect_postgresql

    url = server.url.with_database(_MAINTENANCE_DATABASE)
    with connect_postgresql(url, autocommit=True) as connection:
        query = "SELECT 1 FROM pg_database WHERE datname = %s"
        if connection.execute(query, (server.database,)).fetchone() is not None:
            return
        note(f"creating the database {server.database}")
        name = sql.Identifier(server.database)
        try:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
        except (errors.DuplicateDatabase, errors.UniqueViolation):
            return  # Another session was quicker: it created the database, or is doing so.
