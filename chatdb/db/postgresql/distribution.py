"""Refuses databases distributed by Citus for commands that do not support them."""

from contextlib import suppress
from typing import TYPE_CHECKING

from chatdb.db.connect import connect_postgresql
from chatdb.errors import DatabaseUnreachableError, RefusedError

if TYPE_CHECKING:
    from chatdb.db.url import DatabaseUrl

_CATALOGUE = """
SELECT format('%I.%I', nspname, relname) FROM pg_class c
JOIN pg_namespace n ON n.oid = relnamespace
WHERE relname = 'pg_dist_partition' AND nspname IN ('pg_catalog', 'citus') AND relkind = 'r'
"""
"""It is in pg_catalog; the extension's scripts create it in a schema of its own and move it."""


def refuse_distributed_restore(url: "DatabaseUrl") -> None:
    """Raise RefusedError if a restore would remove the distribution."""
    if tables := distributed_tables(url):
        raise RefusedError(
            f"Citus distributes {_some(tables)} of {url.redacted()}, and a restore would put them "
            "on one node",
            hint="restore organizations one by one: chatdb restore FILE --org KEY, or chatdb "
            "import FILE --org KEY",
        )


def refuse_distributed_backup(url: "DatabaseUrl") -> None:
    """Raise RefusedError if a backup would not be consistent, nor restorable as it was."""
    if tables := distributed_tables(url):
        raise RefusedError(
            f"Citus distributes {_some(tables)} of {url.redacted()}, and a backup would not be "
            "consistent across all nodes",
            hint="write each organization to a file: chatdb export --org KEY --output KEY.jsonl",
        )


def distributed_tables(url: "DatabaseUrl") -> list[str]:
    """Return the tables that Citus distributes or replicates; none without a database."""
    from chatdb.db.migrating.revision import translated

    if url.path is not None:
        return []
    with (
        suppress(DatabaseUnreachableError),  # A user who continues is told.
        translated(url),
        connect_postgresql(url, autocommit=True) as connection,
    ):
        for (catalogue,) in connection.execute(_CATALOGUE).fetchall():
            query = f"SELECT logicalrelid::regclass::text FROM {catalogue} ORDER BY 1"
            if found := connection.execute(query.encode()).fetchall():
                return [str(name) for (name,) in found]
    return []


def _some(tables: list[str]) -> str:
    more = f" and {len(tables) - 1} more tables" if len(tables) > 1 else ""
    return f"{tables[0]}{more}"
