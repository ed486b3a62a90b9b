"""The rows of organizations: made where they are missing."""

import msgspec
import sqlalchemy as sa

from chatdb.db.schema import organizations
from chatdb.records import Organization
from chatdb.store.columns import names_of

_NAMES = names_of("organizations")
_ADD = sa.text(
    f"INSERT INTO organizations ({', '.join(_NAMES)})"
    # Two imports may make the same organization at once.
    f" VALUES ({', '.join(f':{name}' for name in _NAMES)}) ON CONFLICT DO NOTHING"
).bindparams(*(sa.bindparam(name, type_=organizations.c[name].type) for name in _NAMES))


def add_organization(connection: sa.Connection, record: Organization) -> bool:
    """Make an organization; False where one with its id or key is, which stays as it is."""
    return connection.execute(_ADD, msgspec.structs.asdict(record)).rowcount == 1
