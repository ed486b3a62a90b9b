"""Who is told that a statement waits for another session's lock: one listener per process.

Any statement of any connection may wait, even of bare ones: no caller could pass a listener to all
of them.
"""

import re
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chatdb.db.lock_holders import LockHolder

SAY_AFTER_SECONDS = 2.0
"""How long a statement waits before the listener is told."""

# Without any limit a command would hang behind one forgotten transaction.
LOCK_SECONDS = 30
"""How long a statement waits for a lock if its command sets no limit."""


AGAIN_SECONDS = 60.0
"""How soon the same is not said again: a command may wait for one holder in statement after
statement."""

_AGE = re.compile(r", for \d+ s")


def _say_nothing(_text: str) -> None:
    """The listener if there is none."""


_listeners: list[Callable[[str], None]] = [_say_nothing]
_said: dict[str, float] = {}


def listen(note: Callable[[str], None]) -> None:
    """Pass every wait from now on to `note`, instead of the previous listener."""
    _listeners[:] = [note]
    _said.clear()


def tell(holders: "Sequence[LockHolder]") -> None:
    """Report who holds the lock."""
    from chatdb.db.lock_holders import described

    say(f"waiting for a lock held by {described(holders)}")


def say(text: str) -> None:
    """Report what is waited for; who holds it is the same for any time that it has been held."""
    what, now = _AGE.sub("", text), time.monotonic()
    if what in _said and now - _said[what] < AGAIN_SECONDS:
        return
    _said[what] = now
    _listeners[0](text)
