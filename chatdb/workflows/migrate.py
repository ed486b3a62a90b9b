"""Bringing a schema to a revision: wait for the server, look, and migrate only what is behind.

Importing this loads no database library: with nothing to do the bare driver is all it takes.
"""

from collections.abc import Callable

from chatdb.db.reachable import wait_until_reachable
from chatdb.db.revision import look
from chatdb.db.scripts import head_revision
from chatdb.db.url import DatabaseUrl


def already_there(
    url: DatabaseUrl,
    *,
    schema: str | None,
    revision: str | None,
    wait: float | None,
    note: Callable[[str], None],
) -> bool:
    """Tell whether the database is at `revision` (None: head) already.

    `wait` is how many seconds the database may take to answer. Raises DatabaseUnreachableError.
    """
    if wait is not None:
        wait_until_reachable(url, wait, note)
    return look(url, schema=schema).revision == (revision or head_revision())
