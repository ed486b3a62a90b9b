"""The holders of a lock that is waited for on PostgreSQL: sessions, and prepared transactions."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

_SHOWN = 3
# A query may hold a whole chat as a literal.
_SHOWN_QUERY = 120

_COLUMNS = """
a.pid, a.application_name, p.gid, p.database, p.owner,
extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, p.prepared))::float8, a.query
"""
_HOLDING = """
LEFT JOIN pg_stat_activity a ON a.pid = l.pid
LEFT JOIN pg_locks x ON l.pid IS NULL AND x.pid IS NULL AND x.locktype = 'transactionid'
                    AND x.granted AND x.virtualtransaction = l.virtualtransaction
LEFT JOIN pg_prepared_xacts p ON p.transaction = x.transactionid
"""
# The manual's join (virtualtransaction = '-1/' || transaction) holds only after a restart: until
# then a prepared transaction has the name of the session that made it. A prepared transaction has
# no process: among blocking pids it is a 0.
_BLOCKERS = f"""
WITH waiting AS (
    SELECT w.*, pg_blocking_pids(w.pid) AS blockers FROM pg_locks w
    WHERE NOT w.granted AND w.pid IN ({{pids}})
), holding AS (
    SELECT DISTINCT l.pid, l.virtualtransaction FROM waiting w JOIN pg_locks l ON l.granted
    AND (l.pid = ANY(w.blockers) OR l.pid IS NULL AND 0 = ANY(w.blockers)
         AND (l.locktype, l.database, l.relation, l.page, l.tuple, l.virtualxid)
             IS NOT DISTINCT FROM
             (w.locktype, w.database, w.relation, w.page, w.tuple, w.virtualxid)
         AND (l.transactionid::text, l.classid, l.objid, l.objsubid)
             IS NOT DISTINCT FROM (w.transactionid::text, w.classid, w.objid, w.objsubid))
)
SELECT DISTINCT {_COLUMNS} FROM holding l {_HOLDING} ORDER BY 6 DESC NULLS LAST
"""
_OF_PROGRAM = "SELECT s.pid FROM pg_stat_activity s WHERE s.application_name = %s"
_OF_ADVISORY_LOCK = f"""
SELECT {_COLUMNS} FROM pg_locks l {_HOLDING}
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (l.classid::bigint << 32) | l.objid::bigint = %s
"""
_OF_TABLES = f"""
SELECT {_COLUMNS} FROM (
    SELECT l.pid, l.virtualtransaction, max(array_position(ARRAY['AccessShareLock',
        'RowShareLock', 'RowExclusiveLock', 'ShareUpdateExclusiveLock', 'ShareLock',
        'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'], l.mode)) AS strength
    FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
    WHERE l.granted AND l.pid IS DISTINCT FROM pg_backend_pid()
      AND (c.relname = ANY(%s)
           OR l.mode = 'AccessExclusiveLock' AND c.relkind IN ('r', 'p', 'm')
              AND c.relnamespace <> 'pg_catalog'::regnamespace)
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    GROUP BY 1, 2
) l {_HOLDING} ORDER BY l.strength DESC, 6 DESC NULLS LAST
"""
_PREPARED = """
SELECT NULL, NULL, gid, database, owner,
       extract(epoch FROM clock_timestamp() - prepared)::float8, NULL
FROM pg_prepared_xacts WHERE database = current_database() ORDER BY prepared
"""


@dataclass(frozen=True, slots=True)
class LockHolder:
    """A session with its process, or the prepared transaction `gid`; `age` is in seconds.

    Not everyone may see other roles' activity: None.
    """

    pid: int | None
    application: str | None
    gid: str | None
    database: str | None
    owner: str | None
    age: float | None
    query: str | None

    def describe(self) -> str:
        """Describe it in words."""
        since = "" if self.age is None else f", for {self.age:.0f} s"
        if self.gid is not None:
            return (
                f"the prepared transaction {quoted(self.gid)} of {self.owner}{since},"
                f" which stays until {self.end()} or COMMIT PREPARED"
            )
        text = f"pid {self.pid} ({self.application or 'no application name'}){since}"
        if self.query:
            text += f", last query: {' '.join(self.query.split())[:_SHOWN_QUERY]}"
        return text

    def end(self) -> str:
        """Return the statement that ends a prepared transaction."""
        return f"ROLLBACK PREPARED {quoted(self.gid or '')}"


def blockers(connection: "psycopg.Connection[Any]", pid: int) -> list[LockHolder]:
    """Return what blocks this process's session; none if it does not wait."""
    return _holders(connection, _BLOCKERS.format(pids="%s"), pid)


def blockers_of_program(
    connection: "psycopg.Connection[Any]", application: str
) -> list[LockHolder]:
    """Return what blocks sessions of this application name."""
    return _holders(connection, _BLOCKERS.format(pids=_OF_PROGRAM), application)


def holders_of_advisory_lock(connection: "psycopg.Connection[Any]", key: int) -> list[LockHolder]:
    """Return the holders of an advisory lock of this database."""
    return _holders(connection, _OF_ADVISORY_LOCK, key)


def holders_of_tables(
    connection: "psycopg.Connection[Any]", names: Sequence[str]
) -> list[LockHolder]:
    """Return the holders of locks on tables of these names, strongest locks first.

    Includes exclusive locks on any other table: a dump covers all of them.
    """
    return _holders(connection, _OF_TABLES, sorted(names))


def prepared_transactions(connection: "psycopg.Connection[Any]") -> list[LockHolder]:
    """Return the prepared transactions of this database, oldest first."""
    return [LockHolder(*row) for row in connection.execute(_PREPARED)]


def described(holders: Sequence[LockHolder]) -> str:
    """Describe holders in words; those not found any more have just gone."""
    texts = [holder.describe() for holder in holders[:_SHOWN]]
    if len(holders) > _SHOWN:
        texts.append(f"and {len(holders) - _SHOWN} more")
    return "; ".join(texts) or "it has just gone"


def way_out(holders: Sequence[LockHolder], otherwise: str) -> str:
    """Return the command that ends a prepared transaction among them, or `otherwise`."""
    prepared = next((holder for holder in holders if holder.gid is not None), None)
    if prepared is None:
        return otherwise
    statement = prepared.end()
    plain = re.fullmatch(r"[\w '.:-]+", statement) is not None
    typed = f'"{statement}"' if plain else shlex.quote(statement)
    return (
        f"if no transaction manager will end it: chatdb connect -c {typed};"
        " then run the command again"
    )


def quoted(text: str) -> str:
    """Write a text as SQL does."""
    return "'" + text.replace("'", "''") + "'"


def _holders(connection: "psycopg.Connection[Any]", query: str, value: Any) -> list[LockHolder]:
    cursor = connection.execute(query.encode(), (value,))
    return [LockHolder(*row) for row in cursor.fetchall()]
