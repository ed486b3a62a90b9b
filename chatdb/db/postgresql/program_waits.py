"""Whether a program started by chatdb waits for a lock: asked over a separate connection."""

from contextlib import closing, suppress

from chatdb.db import lock_waits
from chatdb.db.connect import connect_postgresql
from chatdb.db.lock_holders import blockers_of_program
from chatdb.db.url import DatabaseUrl
from chatdb.errors import ChatdbError


def tell_whom_it_waits_for(url: DatabaseUrl, application: str) -> bool:
    """Report what sessions of this application name wait for; tell whether they do."""
    import psycopg

    with (
        suppress(psycopg.Error, ChatdbError),
        closing(connect_postgresql(url, autocommit=True, settled=False)) as connection,
    ):
        holders = blockers_of_program(connection, application)
        if holders:
            lock_waits.tell(holders)
            return True
    return False
