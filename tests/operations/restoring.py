"""What the tests of restore share: small databases with odd content, and backups of them."""

import gzip
import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from chatdb.backups.contents import Contents
from chatdb.db.connect import connect_postgresql, connect_sqlite
from chatdb.db.database import Database
from chatdb.db.opening import open_replacement
from chatdb.db.postgresql.server_databases import Server
from chatdb.db.url import DatabaseUrl
from chatdb.store.contents import measure
from tests.operations.conversation_rows import add_conversation
from tests.postgres_server import PASSWORD, PostgresServer

Run = Callable[..., Any]

ODD = "\\N \\. \\! \t tab\r\nü𝄞 '\"$$ \x1b[31m; DROP\n\\.\n"
"""What a careless way through text and quotes would break on."""


class Silence:
    """A watch that keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    warning = note

    def begin(self, what: str, total: int | None, unit: str = "bytes") -> None:
        """Do nothing."""

    def advance(self, amount: int) -> None:
        """Do nothing."""


def fill(url: DatabaseUrl, conversations: int = 3) -> None:
    """Write some conversations with odd content, two messages each."""
    with Database.open(url) as database:
        for number in range(1, conversations + 1):
            title = f"{ODD.strip()} {number}"
            add_conversation(database, [ODD, "plain"], number=number, title=title)


def execute(url: DatabaseUrl, *statements: str) -> Any:
    """Run statements on either kind; return the rows of the last."""
    if url.path is not None:
        with closing(connect_sqlite(url)) as file:
            rows = [file.execute(statement).fetchall() for statement in statements]
        return rows[-1]
    with connect_postgresql(url, autocommit=True) as connection:
        for statement in statements:
            cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else None


def contents(url: DatabaseUrl) -> Contents:
    """Return what is in a database."""
    with Database.open(url) as database, database.transaction(snapshot=True) as connection:
        return measure(database, connection)


def conversations_in(url: DatabaseUrl) -> int:
    """Return how many conversations there are."""
    return int(execute(url, "SELECT count(*) FROM conversations")[0][0])


def foreign_backup(url: DatabaseUrl, folder: Path, server: PostgresServer | None = None) -> Path:
    """Make a backup as other tools do: a copied file, or pg_dump's custom format."""
    if url.path is not None:
        path = folder / "copy_20251125_100000.db"
        with closing(connect_sqlite(url)) as source, closing(sqlite3.connect(path)) as copy:
            source.backup(copy)
        return path
    assert server is not None
    path = folder / "relay_dev_20251125_100000.dump"
    path.write_bytes(pg_dump(server, url, "-Fc"))
    return path


def plain_backup(
    url: DatabaseUrl, folder: Path, server: PostgresServer, *options: str, packed: bool = False
) -> Path:
    """Make a plain SQL dump, as `pg_dump > file.sql` does."""
    text = pg_dump(server, url, *options)
    path = folder / ("relay_dev_20251125_100000.sql" + (".gz" if packed else ""))
    path.write_bytes(gzip.compress(text, mtime=0) if packed else text)
    return path


def pg_dump(server: PostgresServer, url: DatabaseUrl, *options: str) -> bytes:
    """Run the server's own pg_dump."""
    words = [str(server.binaries / "pg_dump"), *options]
    environment = {
        **os.environ,
        "PGHOST": url.host,
        "PGPORT": url.port,
        "PGUSER": url.user,
        "PGPASSWORD": PASSWORD,
        "PGDATABASE": url.database,
    }
    done = subprocess.run(words, env=environment, check=True, stdout=subprocess.PIPE)
    return done.stdout


@contextmanager
def kept_removed(url: DatabaseUrl) -> Iterator[None]:
    """Drop on the server, afterwards, what restores have kept."""
    try:
        yield
    finally:
        if url.path is None:
            with open_replacement(url, lambda _: None) as replacement, Server.open(url) as server:
                for kept in replacement.kept():
                    server.drop(kept.name)


def without_log(url: DatabaseUrl) -> object:
    """Return what is in a database but for its log, in which the restore is written."""
    found = contents(url)
    return found.content_hash, {**found.rows, "chatdb_log": 0}, found.orphans
