"""A database whose owner is no superuser, as on most servers that others look after."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from chatdb.db.database import Database
from chatdb.db.migrating.migrations import upgrade
from chatdb.db.url import DatabaseUrl
from tests.operations.restoring import fill, kept_removed
from tests.postgres_server import PostgresServer


@contextmanager
def owned_database(server: PostgresServer) -> Iterator[tuple[DatabaseUrl, DatabaseUrl]]:
    """Make a migrated database with three conversations; yield its owner's URL and the other one.

    The owner may make databases and nothing else; the other is a superuser.
    """
    with server.new_database() as admin:
        role = f"owner_{admin.database}"
        server.execute(
            f"CREATE ROLE {role} LOGIN CREATEDB PASSWORD 'abc'",
            f"ALTER DATABASE {admin.database} OWNER TO {role}",
        )
        owner = replace(admin, user=role, password="abc")
        try:
            with Database.open(owner) as database:
                upgrade(database)
            fill(owner)
            with kept_removed(admin):
                yield owner, admin
        finally:
            # What is left of the role's is in the database, which is dropped after it.
            server.execute(f"DROP DATABASE {admin.database} WITH (FORCE)")
            server.execute(f"DROP ROLE {role}", f"CREATE DATABASE {admin.database}")
