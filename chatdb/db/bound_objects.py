"""Objects bound to a PostgreSQL database itself, whatever its name.

They follow the database that a restore renames, so programs that use the name no longer find them.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from chatdb.errors import RefusedError

if TYPE_CHECKING:
    import psycopg

    from chatdb.db.url import DatabaseUrl

Kind = Literal["logical replication slot", "subscription", "prepared transaction"]

_BOUND = """
SELECT 'logical replication slot', slot_name::text, NULL, NULL, true FROM pg_replication_slots
WHERE database = %(name)s AND NOT temporary
UNION ALL
SELECT 'subscription', subname::text, NULL, NULL, true
FROM pg_subscription s JOIN pg_database d ON d.oid = subdbid WHERE datname = %(name)s
UNION ALL
SELECT 'prepared transaction', gid, owner::text, to_char(prepared, 'YYYY-MM-DD HH24:MI:SSOF'),
       owner = current_user OR current_setting('is_superuser') = 'on'
FROM pg_prepared_xacts WHERE database = %(name)s
ORDER BY 1, 2
"""
_IN_THE_WAY = """
SELECT DISTINCT 'prepared transaction', gid, owner::text,
       to_char(prepared, 'YYYY-MM-DD HH24:MI:SSOF'),
       owner = current_user OR current_setting('is_superuser') = 'on'
FROM pg_prepared_xacts p
JOIN pg_locks x ON x.pid IS NULL AND x.transactionid = p.transaction
JOIN pg_locks l ON l.pid IS NULL AND l.virtualtransaction = x.virtualtransaction
JOIN pg_class c ON c.oid = l.relation
WHERE p.database = current_database() AND c.relname = ANY(%(names)s) ORDER BY 2
"""
"""Prepared transactions whose locks on tables of these names would be waited for.

Until the server restarts, its locks have the virtual transaction of the session that prepared it.
"""


@dataclass(frozen=True, slots=True)
class BoundObject:
    """One of them; a prepared transaction has `owner` and `since`, and may be ended or not."""

    kind: Kind
    name: str
    owner: str | None = None
    since: str | None = None
    can_end: bool = True

    def becomes(self, kept: str) -> str:
        """Return what happens to it when the database is renamed, or its tables replaced."""
        if self.kind == "logical replication slot":
            return (
                f"logical replication slot {self.name} stays with {kept}: its reader can no "
                "longer find it, and it keeps WAL until SELECT "
                f"pg_drop_replication_slot('{self.name}')"
            )
        if self.kind == "subscription":
            return f"subscription {self.name} stays with {kept}, and continues writing there"
        return (
            f"prepared transaction {quoted(self.name)} of {self.owner}, since {self.since}, is"
            f" rolled back (to end it yourself: COMMIT PREPARED or ROLLBACK PREPARED"
            f" {quoted(self.name)})"
        )


def bound_objects(connection: "psycopg.Connection[Any]", name: str) -> list[BoundObject]:
    """Return the objects bound to a database of the server, by kind and name."""
    return [BoundObject(*row) for row in connection.execute(_BOUND, {"name": name})]


def prepared_in_the_way(
    connection: "psycopg.Connection[Any]", tables: list[str]
) -> list[BoundObject]:
    """Return the prepared transactions of this database that hold locks on tables."""
    return [BoundObject(*row) for row in connection.execute(_IN_THE_WAY, {"names": tables})]


def roll_back_prepared(url: "DatabaseUrl", objects: list[BoundObject]) -> None:
    """Roll the prepared transactions among them back; raises RefusedError for another's.

    Needs a connection to the database that they belong to.
    """
    from chatdb.db.connect import connect_postgresql
    from chatdb.db.migrating.revision import translated

    require_endable(url, objects)
    prepared = [each for each in objects if each.kind == "prepared transaction"]
    if not prepared:
        return
    from psycopg import errors, sql

    with translated(url), connect_postgresql(url, autocommit=True) as connection:
        for each in prepared:
            with suppress(errors.UndefinedObject):  # Its own client has just ended it.
                statement = sql.SQL("ROLLBACK PREPARED {}").format(sql.Literal(each.name))
                connection.execute(statement)


def require_endable(url: "DatabaseUrl", objects: list[BoundObject]) -> None:
    """Raise RefusedError for a prepared transaction that this user may not roll back."""
    for each in objects:
        if not each.can_end:
            raise RefusedError(
                f"prepared transaction {quoted(each.name)} belongs to {each.owner}: only that "
                "role or a superuser can end it; nothing was changed",
                hint=f"have it ended in {url.database}: ROLLBACK PREPARED {quoted(each.name)}",
            )


def quoted(text: str) -> str:
    """Write a name as a string of SQL."""
    return "'" + text.replace("'", "''") + "'"
