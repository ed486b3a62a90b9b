"""A temporary empty database on a server, into which a dump is unpacked."""

from collections.abc import Iterator
from contextlib import contextmanager

from chatdb.db.migrating.revision import translated
from chatdb.db.postgresql.replacement import refuse_pooler, scratch, sweep
from chatdb.db.postgresql.server_databases import Server
from chatdb.db.url import DatabaseUrl
from chatdb.errors import RefusedError
from chatdb.primitives.watch import Watch


@contextmanager
def scratch_database(url: DatabaseUrl, watch: Watch) -> Iterator[DatabaseUrl]:
    """Create an empty scratch database on a server; it is dropped at the end.

    Remains of killed runs there are removed first. Raises RefusedError for a pooler, or a user who
    may not create databases.
    """
    refuse_pooler(url)
    with Server.open(url) as server, translated(url):
        # This connection is idle while a dump is restored, which may take hours.
        server.connection.execute("SET idle_session_timeout = 0")
        _require_creator(server, url)
        sweep(server, watch.note)
        with scratch(server, url, like_target=False) as new:
            yield new


def _require_creator(server: Server, url: DatabaseUrl) -> None:
    query = "SELECT FROM pg_roles WHERE rolname = current_user AND (rolsuper OR rolcreatedb)"
    if server.connection.execute(query).fetchone() is None:
        raise RefusedError(
            f"the user of {url.redacted()} may not create databases, and a dump must be unpacked "
            "into one",
            hint="use a server where you may: --database-url, or --via to restore a part of it",
        )
