"""Who is told that a statement waits for somebody else's lock: one listener a process.

A wait can begin in any statement of any connection, the bare ones too: no caller could hand a
listener down to all of them.
"""

import re
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chatdb.db.lock_holders import Holder

SAY_AFTER_SECONDS = 2.0
"""How long a statement waits before anybody is told."""

LOCK_SECONDS = 30
"""How long a statement waits for a lock, where its command has no limit of its own."""


AGAIN_SECONDS = 60.0
"""How soon the same is not said again: a command may wait for one holder in statement after
statement."""

_AGE = re.compile(r", for \d+ s")


def _say_nothing(_text: str) -> None:
    """Be the listener where nobody listens."""


_listeners: list[Callable[[str], None]] = [_say_nothing]
_said: dict[str, float] = {}


def listen(note: Callable[[str], None]) -> None:
    """Have `note` told of every wait from now on, in place of whoever was told before."""
    _listeners[:] = [note]
    _said.clear()


def tell(holders: "Sequence[Holder]") -> None:
    """Say who holds the lock that is waited for."""
    from chatdb.db.lock_holders import described

    say(f"waiting for a lock held by {described(holders)}")


def say(text: str) -> None:
    """Say what is waited for; who holds it is the same for any time that it has been held."""
    what, now = _AGE.sub("", text), time.monotonic()
    if what in _said and now - _said[what] < AGAIN_SECONDS:
        return
    _said[what] = now
    _listeners[0](text)
