"""Keeping Python from looking for cyclic garbage where millions of rows pass, and make none."""

import atexit
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

COLLECT_EVERY = 50
"""Batches between collections: the libraries below may make a cycle or two in each."""
YOUNG_OBJECTS = 200_000
"""More than the imports of any command make; all of them stay."""


def collect_seldom() -> None:
    """Let this process look for cycles seldom, and not when it ends.

    Looking through what the imports made takes a fifth of a short command's time.
    """
    gc.set_threshold(YOUNG_OBJECTS)
    atexit.register(gc.freeze)


@contextmanager
def rare_collections() -> Iterator[Callable[[], None]]:
    """Collect no cycles in this block but now and then when what it gives is called, once a batch.

    With a batch of records alive, looking for cycles takes a third of an import's time.
    """
    batches = 0

    def after_batch() -> None:
        nonlocal batches
        batches += 1
        if batches % COLLECT_EVERY == 0:
            gc.collect()

    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield after_batch
    finally:
        if was_enabled:
            gc.enable()
