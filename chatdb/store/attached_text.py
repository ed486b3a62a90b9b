"""Whether `messages.attached_text` has been filled for what was imported before there was one.

`chatdb_settings` holds that it is incomplete, and the last conversation that was gone through.
"""

from uuid import UUID

import sqlalchemy as sa

from chatdb.db.schema import settings

INCOMPLETE = (
    "what people saw beside messages that were imported before (pasted texts, reports) is not "
    "searched yet; to add it: chatdb messages reindex"
)
_KEY = "attached_text"
_INCOMPLETE = "incomplete"
_OWN = settings.c.key == _KEY
_BEGIN = sa.text(
    f"INSERT INTO {settings.name} (key, value) VALUES (:key, :value) ON CONFLICT (key) DO NOTHING"
)

Place = tuple[UUID, UUID]
"""An organization and a conversation."""


def attached_text_is_incomplete(connection: sa.Connection) -> bool:
    """Tell whether there may be messages whose attached text is still to be filled."""
    return connection.execute(sa.select(settings.c.key).where(_OWN)).first() is not None


def begin_filling(connection: sa.Connection) -> None:
    """Record that the text is incomplete; where an earlier run was broken off, its place stays."""
    # Two runs may begin at once.
    connection.execute(_BEGIN, {"key": _KEY, "value": _INCOMPLETE})


def place_of_filling(connection: sa.Connection) -> tuple[bool, Place | None]:
    """Lock the record; return whether it is there, and the conversation to go on after."""
    value = connection.scalar(sa.select(settings.c.value).where(_OWN).with_for_update())
    if value is None:
        return False, None
    _, *ids = value.split()
    return True, (UUID(ids[0]), UUID(ids[1])) if ids else None


def set_place_of_filling(connection: sa.Connection, place: Place | None) -> None:
    """Record the conversation to go on after; None: all are filled."""
    if place is None:
        connection.execute(sa.delete(settings).where(_OWN))
        return
    value = " ".join([_INCOMPLETE, *map(str, place)])
    connection.execute(sa.update(settings).where(_OWN).values(value=value))
