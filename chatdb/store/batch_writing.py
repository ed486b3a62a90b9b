"""Writes a batch of records: again after a deadlock or lost connection, without invalid ones."""

import random
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from chatdb.db.contract.bulk import Bulk
from chatdb.store.batches import Arrival

RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0, 4.0)
"""Seconds to wait before a batch is retried after a deadlock, a race or a lost connection."""

Written = TypeVar("Written")
Write = Callable[[list[Arrival]], Written]


def write_in_parts(
    batch: list[Arrival],
    write: Write[Written],
    *,
    bulk: Bulk,
    refused: Callable[[Arrival, str], Written],
) -> Iterator[Written]:
    """Write a batch, one transaction per part, in order; yield the result of each part.

    `write` writes all of what it is given or nothing. If a record spoils a part, the part is halved
    until that record stands alone, which goes to `refused` with the reason. Raises errors that a
    retry does not fix.
    """
    parts = [batch]
    while parts:
        part = parts.pop()
        try:
            written = _write_with_retries(part, write, bulk)
        except Exception as error:
            # A retry that never succeeds is a record's fault too: a unique violation that stays.
            if bulk.verdict(error) not in ("record", "retry"):
                raise
            if len(part) > 1:
                # Halving finds one bad record of 1,000 in some twenty
                # tries; one by one takes a thousand commits.
                middle = len(part) // 2
                # The first half on top: conversations keep the order of their source.
                parts += [part[middle:], part[:middle]]
                continue
            written = refused(part[0], _reason(error))
        yield written


def _write_with_retries(part: list[Arrival], write: Write[Written], bulk: Bulk) -> Written:
    for seconds in RETRY_SECONDS:
        try:
            return write(part)
        except Exception as error:
            verdict = bulk.verdict(error)
            if verdict not in ("retry", "reconnect"):
                raise
            # A deadlock is over at once; a server that restarts takes seconds.
            short = 0.25 if verdict == "retry" else 1.0
            # Two that blocked each other would meet again after equal pauses.
            time.sleep(seconds * short * random.uniform(0.5, 1.0))  # noqa: S311 - not secret
    return write(part)


def _reason(error: BaseException) -> str:
    """Return one line on why a record was refused."""
    original = getattr(error, "orig", None) or error
    diagnosis = getattr(original, "diag", None)
    text = getattr(diagnosis, "message_primary", None) or str(original)
    return f"it cannot be stored: {text.strip().partition(chr(10))[0]}"
