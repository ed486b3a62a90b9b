"""Who is told that a statement waits for somebody else's lock: one listener a process.

A wait can begin in any statement of any connection, the bare ones too: no caller could hand a
listener down to all of them.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chatdb.db.lock_holders import Holder

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
