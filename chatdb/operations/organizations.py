"""Organizations: the tenants that every other row belongs to."""

from collections.abc import Iterable

import sqlalchemy as sa

from chatdb.db import schema
from chatdb.db.database import Database
from chatdb.records import Organization

_ADD = sa.text(
    "INSERT INTO organizations (id, key, name, created_at)"
    " VALUES (:id, :key, :name, :created_at) ON CONFLICT DO NOTHING"
).bindparams(
    sa.bindparam("id", type_=schema.organizations.c.id.type),
    sa.bindparam("created_at", type_=schema.organizations.c.created_at.type),
)


def missing(database: Database, keys: Iterable[str]) -> tuple[str, ...]:
    """Return those of the keys that no organization has, in their order."""
    wanted = tuple(keys)
    column = schema.organizations.c.key
    with database.transaction() as connection:
        found = set(connection.scalars(sa.select(column).where(column.in_(wanted))))
    return tuple(key for key in wanted if key not in found)


def add_missing(database: Database, organizations: Iterable[Organization]) -> tuple[str, ...]:
    """Make those that are missing, also when two do so at once; return the keys of the new ones.

    An organization that is there stays as it is.
    """
    with database.transaction(write=True) as connection:
        return tuple(
            each.key
            for each in organizations
            if connection.execute(
                _ADD,
                {
                    "id": each.id,
                    "key": each.key,
                    "name": each.name,
                    "created_at": each.created_at,
                },
            ).rowcount
            == 1
        )
