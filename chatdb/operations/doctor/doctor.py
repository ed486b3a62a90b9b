"""`chatdb doctor`: runs every check, in order, whatever the others find; changes nothing."""

import shlex
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

from chatdb.db.connect import connect_postgresql, connect_sqlite
from chatdb.db.postgresql.unreachable import diagnose, no_connection
from chatdb.db.sqlite.patient_file import knows_locks
from chatdb.db.url import DatabaseUrl
from chatdb.errors import ChatdbError, DatabaseMissingError
from chatdb.operations.doctor.dev_db import DEV_DB_CHECK
from chatdb.operations.doctor.findings import Finding, error, examined, info
from chatdb.operations.doctor.kept import KEPT_CHECK
from chatdb.operations.doctor.machine import COMPOSE_CHECK, MACHINE_CHECKS, Machine, Settings

_BUSY_SECONDS = 1.0
_REACHABLE = "database-reachable"


def examine(settings: Settings, *, deep: bool = False) -> list[Finding]:
    """Run every check and return all findings; never raises for a finding.

    `deep` reads the whole SQLite file and tests its write lock, and compares the whole full-text
    index. Messages of other programs are passed on unchanged: the caller strikes passwords out of
    URLs.
    """
    machine = Machine(settings=settings)
    with ThreadPoolExecutor(max_workers=1) as meanwhile:
        engines = meanwhile.submit(lambda: list(examined((COMPOSE_CHECK, DEV_DB_CHECK), machine)))
        database, server_major = _database(settings, deep=deep)
        machine = replace(machine, server_major=server_major)
        found = [*examined(MACHINE_CHECKS, machine)]
        found += [*engines.result(), *database]
    return found


def _database(settings: Settings, *, deep: bool) -> tuple[list[Finding], int | None]:
    """Return the findings on the database, and the major version of its server."""
    if settings.url is None:
        return [], None
    if settings.url.path is not None:
        return _file(settings, settings.url, deep=deep), None
    return _server(settings, settings.url, deep=deep)


def _server(
    settings: Settings, url: DatabaseUrl, *, deep: bool
) -> tuple[list[Finding], int | None]:
    import psycopg

    from chatdb.operations.doctor.embeddings import EMBEDDINGS_CHECK
    from chatdb.operations.doctor.postgresql import SERVER_CHECKS, ConnectedServer

    started = time.perf_counter()
    try:
        connection = connect_postgresql(url, autocommit=True)
    except psycopg.Error as failure:
        seen = no_connection(diagnose(str(failure), url), url)
        other = settings.last_used if isinstance(seen, DatabaseMissingError) else None
        return [error(seen.text, other or seen.hint, of=_REACHABLE)], None
    except ChatdbError as failure:
        return [error(failure.text, failure.hint, of=_REACHABLE)], None
    with closing(connection):
        server = ConnectedServer(
            connection=connection,
            url=url,
            schema=settings.schema,
            has_direct_url=settings.direct_url is not None,
            seconds=time.perf_counter() - started,
        )
        found = [*examined((*SERVER_CHECKS, EMBEDDINGS_CHECK), server)]
        major = server.major
    return [
        *found,
        *_schema(settings, url, deep=deep),
        *examined((KEPT_CHECK,), (url, settings.schema)),
    ], major


def _file(settings: Settings, url: DatabaseUrl, *, deep: bool) -> list[Finding]:
    from chatdb.operations.doctor.sqlite import FILE_CHECKS, DatabaseFile

    if not url.sqlite_path.exists():
        text = f"{url.sqlite_path} does not exist yet; the first import creates it"
        return [info(text, settings.last_used or "chatdb migrate", of=_REACHABLE)]
    try:
        with closing(connect_sqlite(url, busy_seconds=_BUSY_SECONDS)) as connection:
            connection.execute("PRAGMA query_only=ON")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            file = DatabaseFile(connection=connection, path=url.sqlite_path, deep=deep)
            found = [*examined(FILE_CHECKS, file)]
    except (ChatdbError, sqlite3.Error, OSError) as failure:
        return [_unreadable(url, failure)]
    return [
        *found,
        *_schema(settings, url, deep=deep),
        *examined((KEPT_CHECK,), (url, settings.schema)),
    ]


def _unreadable(url: DatabaseUrl, failure: Exception) -> Finding:
    from chatdb.db.database import dialect_of

    known = failure if isinstance(failure, ChatdbError) else None
    is_busy = getattr(failure, "sqlite_errorname", "").startswith("SQLITE_BUSY")
    if is_busy and knows_locks(url.sqlite_path.parent):
        text = f"{url.sqlite_path} is held by another program"
        fix = f"see which: lsof {shlex.quote(str(url.sqlite_path))}"
        return error(text, fix, of=_REACHABLE)
    known = known or dialect_of(url).translate(failure, url)
    if known is None:
        return error(f"{url.sqlite_path} cannot be read: {failure}", of=_REACHABLE)
    return error(known.text, known.hint, of=_REACHABLE)


def _schema(settings: Settings, url: DatabaseUrl, *, deep: bool) -> Iterator[Finding]:
    from chatdb.db.database import Database
    from chatdb.operations.doctor.attachments import attachments_check
    from chatdb.operations.doctor.schema import SCHEMA_CHECKS
    from chatdb.operations.doctor.search_index import search_index_check

    with Database.open(url, schema=settings.schema) as database:
        yield from examined(
            (
                *SCHEMA_CHECKS,
                search_index_check(deep=deep),
                attachments_check(settings.attachments),
            ),
            database,
        )
