"""The state of the full-text index in `chatdb_settings`; dropping and building it.

A bulk load into an empty table is done without the index, which is built afterwards. Its statements
are recorded in the same transaction as the state, so that any later command can complete it.
"""

import json
from collections.abc import Callable
from typing import Literal, cast

import sqlalchemy as sa

from chatdb.db.database import Database
from chatdb.db.schema import settings

SearchIndexState = Literal["present", "deferred", "off"]

_STATE = "search_index"
_STATEMENTS = "search_index_statements"


def search_index_state(connection: sa.Connection) -> SearchIndexState:
    """Return "present", "deferred" (an import has yet to build it) or "off" (by request)."""
    value = connection.scalar(sa.select(settings.c.value).where(settings.c.key == _STATE))
    return cast(SearchIndexState, value) if value in ("deferred", "off") else "present"


def take_off_search_index(
    database: Database, connection: sa.Connection, state: Literal["deferred", "off"]
) -> bool:
    """Drop the index and record how to create it again; False if it stays.

    It stays if other sessions hold the table for longer than a few seconds.
    """
    statements = database.dialect.bulk().drop_search_index(connection)
    if not statements:
        return False
    forget_search_index_state(connection)
    connection.execute(
        sa.insert(settings),
        [
            {"key": _STATE, "value": state},
            {"key": _STATEMENTS, "value": json.dumps(statements)},
        ],
    )
    return True


def set_search_index_state(connection: sa.Connection, state: Literal["deferred", "off"]) -> None:
    """Change why the index is missing; without effect if it is present."""
    connection.execute(sa.update(settings).where(settings.c.key == _STATE).values(value=state))


def forget_search_index_state(connection: sa.Connection) -> None:
    """Record that the index exists."""
    connection.execute(sa.delete(settings).where(settings.c.key.in_((_STATE, _STATEMENTS))))


def build_search_index(database: Database, on_start: Callable[[], None] | None = None) -> bool:
    """Build the index if it is missing, in one transaction; return whether it was.

    Writers of `messages` wait meanwhile. `on_start` is called before the work begins.
    """
    bulk = database.dialect.bulk()
    with database.transaction(write=True, settings=bulk.transaction_settings) as connection:
        if search_index_state(connection) == "present":  # All that some roles may know.
            return False
        # Locked: two commands that both find it missing would build it twice.
        state = sa.select(settings.c.value).where(settings.c.key == _STATE).with_for_update()
        if connection.scalar(state) is None:
            return False
        if on_start is not None:
            on_start()
        # As it was found: an application may have created the index its own way.
        value = connection.scalar(sa.select(settings.c.value).where(settings.c.key == _STATEMENTS))
        bulk.build_search_index(connection, json.loads(value or "[]"))
        forget_search_index_state(connection)
    return True
