"""Limits Python's search for cyclic garbage while millions of rows pass that create none."""

import atexit
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

COLLECT_EVERY = 50
"""Batches between collections: the libraries below may create a cycle or two in each."""
YOUNG_OBJECTS = 200_000
"""More objects than the imports of any command create; all of them stay."""


def collect_seldom() -> None:
    """Run the cycle collector rarely in this process, and not at exit.

    Traversing the objects of the imports takes a fifth of a short command's time.
    """
    gc.set_threshold(YOUNG_OBJECTS)
    # Python's own last collection would walk through everything that is about to end.
    atexit.register(gc.freeze)


@contextmanager
def rare_collections() -> Iterator[Callable[[], None]]:
    """Collect cycles in this block only at intervals of calls of the yielded function.

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
