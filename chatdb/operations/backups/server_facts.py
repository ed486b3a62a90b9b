"""What a dump has to know about a PostgreSQL server, read on the connection of its snapshot."""

from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from chatdb.db.connect import driver_connection
from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from chatdb.errors import RefusedError

_FACTS = (
    "SELECT current_setting('server_version'), current_setting('server_version_num')::int,"
    " current_schema(), pg_backend_pid()"
)
_SIZE = (
    "SELECT coalesce(sum(size), 0)::bigint, coalesce(max(size), 0)::bigint"
    " FROM (SELECT pg_table_size(c.oid) AS size FROM pg_class c"
    " JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind IN ('r', 'm')"
    " AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema') t"
)
_OF_SEVERAL_HOSTS = ("target_session_attrs", "load_balance_hosts", "hostaddr")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """A server as a dump sees it; `url` names the connected host of several.

    `schema` is the one of chatdb's tables; `table_bytes` is the approximate size of an uncompressed
    dump, `largest_bytes` its largest table's.
    """

    version: str
    major: int
    schema: str | None
    url: DatabaseUrl
    table_bytes: int
    largest_bytes: int

    def useful_jobs(self, jobs: int) -> int:
        """Return how many jobs of a dump stay busy until its largest table is done.

        A table is dumped by one job. If it is most of the data, several jobs only postpone the
        compression, which otherwise happens meanwhile.
        """
        return max(1, min(jobs, self.table_bytes // max(1, self.largest_bytes)))


def look_at_server(database: Database, connection: sa.Connection) -> ServerFacts:
    """Query the server; raises RefusedError behind a pooler, which a dump would leave poisoned.

    pg_dump empties the search_path of the server connection that it gets, which a pooler would then
    give to the next client.
    """
    version, number, schema, backend = connection.exec_driver_sql(_FACTS).one()
    driver: Any = driver_connection(connection)
    if driver.info.backend_pid != backend:
        raise RefusedError(
            f"{database.url.redacted()} is behind a connection pooler; dumps and restores need a "
            "direct connection",
            hint="give the server's own address: --direct-url postgresql://..., or "
            "CHATDB_DIRECT_URL",
        )
    total, largest = connection.exec_driver_sql(_SIZE).one()
    return ServerFacts(
        version=str(version).split()[0],
        major=int(number) // 10_000,
        schema=None if schema is None else str(schema),
        url=_one_host(database.url, driver.info),
        table_bytes=int(total),
        largest_bytes=int(largest),
    )


def export_snapshot(connection: sa.Connection) -> str:
    """Export this transaction's snapshot to other sessions while it lasts; return its name."""
    return str(connection.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one())


def _one_host(url: DatabaseUrl, info: Any) -> DatabaseUrl:
    # The snapshot exists on one server only: pg_dump must not choose another of the hosts.
    if "," not in url.host:
        return url
    kept = tuple(item for item in url.parameters if item[0] not in _OF_SEVERAL_HOSTS)
    return replace(url, host=str(info.host), port=str(info.port), parameters=kept)
