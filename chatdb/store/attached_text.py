"""Whether `messages.attached_text` has been filled for what was imported before there was one.

`chatdb_settings` holds that it is incomplete and how far `chatdb messages reindex` has come.
"""

import sqlalchemy as sa

from chatdb.db.schema import settings

INCOMPLETE = (
    "what people saw beside messages that were imported before (pasted texts, reports) is not "
    "searched yet; to add it: chatdb messages reindex"
)
_KEY = "attached_text"


def attached_text_is_incomplete(connection: sa.Connection) -> bool:
    """Tell whether there may be messages whose attached text is still to be filled."""
    one = sa.select(settings.c.key).where(settings.c.key == _KEY)
    return connection.execute(one).scalar_one_or_none() is not None
