"""The names under which installations of another system are here."""

import sqlalchemy as sa

from chatdb.db.database import Database
from chatdb.db.schema import conversations

_MOST = 3


def other_source_names(database: Database, source: str, source_name: str) -> tuple[str, ...]:
    """Return some other source names of conversations from the same source, by name."""
    table = conversations.c
    statement = (
        sa.select(table.source_name)
        .where(table.source == source, table.source_name != source_name)
        .distinct()
        .order_by(table.source_name)
        .limit(_MOST)
    )
    with database.transaction() as connection:
        return tuple(connection.scalars(statement))
