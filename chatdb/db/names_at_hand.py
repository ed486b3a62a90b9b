"""Names to choose from at a prompt, by the bare driver: at once or not at all.

No file is made, nothing is changed, and every statement has a time limit.
"""

from contextlib import closing
from typing import Any
from uuid import UUID

from chatdb.db.connect import connect_postgresql, connect_sqlite
from chatdb.db.url import DatabaseUrl

_SECONDS = 0.5
_MOST = 300
_CONVERSATIONS = """
SELECT id, title FROM conversations WHERE organization_id = {}
ORDER BY updated_at DESC, id DESC LIMIT {}
"""
_ORGANIZATIONS = "SELECT key, name FROM organizations ORDER BY key LIMIT {}"

Named = list[tuple[str, str]]
"""What can be typed, and what people call it ("" for nothing)."""


def newest_conversations(url: DatabaseUrl, *, schema: str | None, organization_id: UUID) -> Named:
    """Return the ids and titles of the conversations updated last; raises what the driver does."""
    return _named(url, schema, organization_id, _CONVERSATIONS, (organization_id, _MOST))


def organization_keys(url: DatabaseUrl, *, schema: str | None, organization_id: UUID) -> Named:
    """Return the keys and names of organizations; raises what the driver does."""
    return _named(url, schema, organization_id, _ORGANIZATIONS, (_MOST,))


def _named(
    url: DatabaseUrl, schema: str | None, organization_id: UUID, query: str, values: tuple[Any, ...]
) -> Named:
    marks = query.count("{}")
    if url.path is not None:
        if not url.path.exists():
            return []
        with closing(connect_sqlite(url, busy_seconds=_SECONDS)) as connection:
            connection.execute("PRAGMA query_only=ON")
            plain = tuple(str(each) if isinstance(each, UUID) else each for each in values)
            rows = connection.execute(query.format(*"?" * marks), plain).fetchall()
    else:
        limits = {
            "statement_timeout": f"{_SECONDS * 1000:.0f}",
            "app.organization_id": str(organization_id),
        }
        with (
            closing(connect_postgresql(url, autocommit=True)) as server,
            server.reading(limits, schema=schema),
        ):
            rows = server.execute(query.format(*["%s"] * marks), values).fetchall()
    return [(str(name), str(shown or "")) for name, shown in rows]
