"""Who is told that a statement waits for somebody else's lock: one listener a process.

A wait can begin in any statement of any connection, the bare ones too: no caller could hand a
listener down to all of them.
"""

from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chatdb.db.lock_holders import Holder
    from chatdb.db.url import DatabaseUrl

SAY_AFTER_SECONDS = 2.0
"""How long a statement waits before anybody is told."""

LOCK_SECONDS = 30
"""How long a statement waits for a lock, where its command has no limit of its own."""


def _say_nothing(_text: str) -> None:
    """Be the listener where nobody listens."""


_listeners: list[Callable[[str], None]] = [_say_nothing]


def listen(note: Callable[[str], None]) -> None:
    """Have `note` told of every wait from now on, in place of whoever was told before."""
    _listeners[:] = [note]


def tell(holders: "Sequence[Holder]") -> None:
    """Say who holds the lock that is waited for."""
    from chatdb.db.lock_holders import described

    say(f"waiting for a lock held by {described(holders)}")


def say(text: str) -> None:
    """Say what is waited for."""
    _listeners[0](text)


def tell_of_program(url: "DatabaseUrl", application: str) -> bool:
    """Say for whom the sessions of this application name wait; tell whether they do."""
    import psycopg

    from chatdb.db.connect import connect_postgresql
    from chatdb.db.lock_holders import blockers_of_program
    from chatdb.errors import ChatdbError

    with (
        suppress(psycopg.Error, ChatdbError),
        closing(connect_postgresql(url, autocommit=True, settled=False)) as connection,
    ):
        holders = blockers_of_program(connection, application)
        if holders:
            tell(holders)
            return True
    return False
