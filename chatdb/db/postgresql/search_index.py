"""The GIN index on PostgreSQL: its state, a check by amcheck, building beside the old one.

CREATE and REINDEX INDEX CONCURRENTLY let writers continue. They cannot run in a transaction and
need settings of the session, so they use a direct connection to the server; an interrupted one
leaves an invalid index behind.
"""

import time
from contextlib import closing, suppress
from threading import Event
from typing import TYPE_CHECKING, Any

import psycopg
import sqlalchemy as sa

from chatdb.db.connect import connect_postgresql, driver_connection
from chatdb.db.contract.search_index import CaughtUp, Forget, Glance, IndexSight, SearchIndex
from chatdb.db.migrating.catalogue import expected_catalogue
from chatdb.db.postgresql.bulk import SEARCH_INDEX, PostgresqlBulk, tune_build
from chatdb.db.postgresql.catalogue import index_definition
from chatdb.errors import DatabaseFailedError
from chatdb.primitives.beside import beside
from chatdb.primitives.watch import Watch

if TYPE_CHECKING:
    from chatdb.db.database import Database
    from chatdb.db.url import DatabaseUrl

BUILD_LOCK_KEY = 0x63686174_64620002
"""The advisory lock of an index build, held by its session and released with it."""
_POLL_SECONDS = 0.5
_SAY_AFTER_SECONDS = 2.0
_BLOCK_BYTES = 8192
_LONG_WORK = (
    "SELECT set_config(name, '0', false) FROM pg_settings WHERE name IN ('statement_timeout',"
    " 'lock_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout',"
    " 'idle_session_timeout')"
)
_LEFT_OVER = f"^{SEARCH_INDEX}_cc(new|old)[0-9]*$"
_INDEXES = f"""
SELECT i.relname::text, x.indisvalid AND x.indisready, pg_relation_size(i.oid),
       pg_get_indexdef(i.oid),
       EXISTS (SELECT FROM pg_stat_progress_create_index p
               WHERE p.relid = x.indrelid AND p.datname = current_database())
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
WHERE x.indrelid = to_regclass('messages')
  AND (i.relname = '{SEARCH_INDEX}' OR i.relname ~ '{_LEFT_OVER}' AND NOT x.indisvalid)
ORDER BY i.relname <> '{SEARCH_INDEX}', i.relname
"""
_PROGRESS = """
SELECT phase, blocks_total, blocks_done FROM pg_stat_progress_create_index WHERE pid = %s
"""
_BLOCKERS = """
SELECT a.pid, coalesce(nullif(a.application_name, ''), 'no name'),
       date_trunc('second', clock_timestamp() - a.xact_start)::text
FROM unnest(pg_blocking_pids(%s)) AS b(pid) JOIN pg_stat_activity a ON a.pid = b.pid
"""
_BUILDERS = """
SELECT l.pid FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (l.classid::bigint << 32) | l.objid::bigint = %s
"""
_AMCHECK = """
SELECT to_regprocedure(format('%I.gin_index_check(regclass)', n.nspname))::oid::regprocedure::text,
       has_function_privilege(to_regprocedure(format('%I.gin_index_check(regclass)', n.nspname)),
                              'EXECUTE')
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'amcheck'
"""
_CORRUPTED = ("XX001", "XX002")


class PostgresqlSearchIndex(SearchIndex):
    """`bulk.SEARCH_INDEX`, of the lexemes that `chatdb_search_text` makes."""

    def glance(self, connection: sa.Connection) -> Glance:
        usable = connection.exec_driver_sql(
            "SELECT count(*) FROM pg_index WHERE indisvalid AND indisready"
            f" AND indexrelid = to_regclass('{SEARCH_INDEX}')"
        ).scalar()
        return Glance(is_usable=bool(usable))

    def catch_up(
        self,
        database: "Database",  # noqa: ARG002 - the server indexes all texts itself
        *,
        seconds: float | None,  # noqa: ARG002
    ) -> CaughtUp:
        return CaughtUp()

    def look(
        self,
        connection: sa.Connection,
        *,
        seconds: float | None,  # noqa: ARG002 - the catalogue is read at once
    ) -> IndexSight:
        found = connection.exec_driver_sql(_INDEXES).fetchall()
        objects = []
        if all(name != SEARCH_INDEX for name, *_ in found):
            objects.append(f"the index {SEARCH_INDEX} is missing")
        size = None
        for name, is_valid, size_of_it, definition, is_building in found:
            if name != SEARCH_INDEX:
                objects.append(f"the index {name} was left by an interrupted build")
                continue
            size = int(size_of_it)
            if not is_valid and is_building:
                objects.append(f"the index {name} is being built")
            elif not is_valid:
                objects.append(f"the index {name} is invalid: its build was interrupted")
            elif index_definition(definition) != _expected():
                objects.append(f"the index {name} is not chatdb's")
        return IndexSight(bytes=size, objects=tuple(objects))

    def check(self, connection: sa.Connection) -> IndexSight:
        seen = self.look(connection, seconds=None)
        if seen.bytes is None or seen.problems:
            return seen
        damages, unchecked = _checked_by_amcheck(connection)
        return IndexSight(bytes=seen.bytes, damages=damages, unchecked=unchecked)

    def rebuild(self, database: "Database", watch: Watch, *, forget: Forget) -> None:
        url = database.direct().url
        with (
            database.translated_errors(),
            closing(connect_postgresql(url, autocommit=True)) as connection,
        ):
            backend = connection.execute("SELECT pg_backend_pid()").fetchone()
            is_pooled = backend is None or backend[0] != connection.info.backend_pid
            if not is_pooled:
                connection.execute(_LONG_WORK)
                if database.schema is not None:
                    path = "SELECT set_config('search_path', quote_ident(%s), false)"
                    connection.execute(path, (database.schema,))
                _build_beside(connection, url, watch)
        if is_pooled:
            _build_in_a_transaction(database, watch)
        with database.transaction(write=True) as own:
            forget(own)


def _expected() -> str:
    """Return the statement that makes the index."""
    entries = expected_catalogue("postgresql")
    return next(entry.definition for entry in entries if entry.name == SEARCH_INDEX)


def _checked_by_amcheck(connection: sa.Connection) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Let the extension read the whole index if it is installed; never create it."""
    only = "only its validity was checked"
    row = connection.exec_driver_sql(_AMCHECK.replace("%", "%%")).fetchone()
    if row is None:
        return (), (f"{only}: the extension amcheck is not installed in this database",)
    function, may = row
    if function is None:
        return (), (f"{only}: amcheck can check such an index from PostgreSQL 18 on",)
    if not may:
        return (), (f"{only}: this user may not run amcheck",)
    try:
        # A damaged index ends the transaction; the report still has to be read in it.
        with connection.begin_nested():
            check = function.partition("(")[0]
            connection.exec_driver_sql(f"SELECT {check}(to_regclass('{SEARCH_INDEX}'))")
    except sa.exc.DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) not in _CORRUPTED:
            raise
        text = str(error.orig).strip().partition("\n")[0]
        return (f"it is damaged: {text}",), ()
    return (), ()


def _build_beside(connection: "psycopg.Connection[Any]", url: "DatabaseUrl", watch: Watch) -> None:
    """Build it without blocking writers; an invalid or left-over one is dropped first."""
    has_waited = _wait_for_turn(connection, watch)
    pid = connection.info.backend_pid
    watch.begin("building the search index", None)
    with beside(lambda ended: _follow(url, pid, watch, ended)):
        is_usable = _drop_unusable(connection)
        if has_waited and is_usable:
            return  # The session that was waited for has just built it.
        with connection.cursor() as cursor:
            tune_build(cursor, session=True)
        try:
            statement = f"REINDEX INDEX CONCURRENTLY {SEARCH_INDEX}"
            if not is_usable:
                statement = _expected().replace("CREATE INDEX", "CREATE INDEX CONCURRENTLY", 1)
            connection.execute(statement.encode())
        # An interrupted concurrent build leaves an invalid index, which every insert maintains.
        except BaseException:
            _clear(connection)
            raise
    valid = {name for name, is_valid, *_ in connection.execute(_INDEXES).fetchall() if is_valid}
    if SEARCH_INDEX not in valid:
        raise DatabaseFailedError(
            f"{SEARCH_INDEX} is not valid after it was built",
            hint="see the server's log, then: chatdb search-index rebuild",
        )


def _drop_unusable(connection: "psycopg.Connection[Any]") -> bool:
    """Drop invalid, left-over or foreign indexes; tell whether chatdb's stays."""
    is_usable = False
    for name, is_valid, _, definition, _ in connection.execute(_INDEXES).fetchall():
        if is_valid and name == SEARCH_INDEX and index_definition(definition) == _expected():
            is_usable = True
        else:
            connection.execute(f'DROP INDEX CONCURRENTLY IF EXISTS "{name}"'.encode())
    return is_usable


def _clear(connection: "psycopg.Connection[Any]") -> None:
    """Drop what an interrupted build left, if that is quick; otherwise the next build does."""
    with suppress(psycopg.Error):
        # The way out of an error must not wait for whoever reads the table.
        connection.execute("SET lock_timeout = '2s'")
        for name, is_valid, *_ in connection.execute(_INDEXES).fetchall():
            if not is_valid:
                connection.execute(f'DROP INDEX CONCURRENTLY IF EXISTS "{name}"'.encode())


def _build_in_a_transaction(database: "Database", watch: Watch) -> None:
    watch.note(
        "there is a pooler: writers of messages wait until the index is built (--direct-url "
        "gives the server's own address)"
    )
    watch.begin("building the search index", None)
    settings = PostgresqlBulk.transaction_settings | {"lock_timeout": "30s"}
    with database.transaction(write=True, settings=settings) as connection:
        # The strongest lock at once: one raised later, at DROP INDEX, could deadlock with a writer.
        connection.exec_driver_sql("LOCK TABLE messages IN ACCESS EXCLUSIVE MODE")
        for name, *_ in connection.exec_driver_sql(_INDEXES).fetchall():
            connection.exec_driver_sql(f'DROP INDEX "{name}"')
        with driver_connection(connection).cursor() as cursor:
            tune_build(cursor)
        connection.exec_driver_sql(_expected())


def _wait_for_turn(connection: "psycopg.Connection[Any]", watch: Watch) -> bool:
    """Take the lock for builds and tell whether another session had it.

    It is polled: waiting inside the server would stop their build. The server may still be working
    for a killed client; it then finishes.
    """
    started, has_said, has_waited = time.monotonic(), False, False
    while True:
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", (BUILD_LOCK_KEY,)).fetchone()
        if row is not None and row[0]:
            return has_waited
        has_waited = True
        if not has_said and time.monotonic() - started > _SAY_AFTER_SECONDS:
            found = connection.execute(_BUILDERS, (BUILD_LOCK_KEY,)).fetchall()
            pids = ", ".join(str(pid) for (pid,) in found)
            watch.note(
                f"another session is building the index (pid {pids}); waiting until it finishes"
            )
            has_said = True
        time.sleep(_POLL_SECONDS)


def _follow(url: "DatabaseUrl", pid: int, watch: Watch, ended: Event) -> None:
    """Report the progress of a session's build over a second connection.

    Poll the server; one that refuses a second connection shows no progress.
    """
    phase, done, named = "", 0, set[int]()
    with suppress(psycopg.Error), closing(connect_postgresql(url, autocommit=True)) as own:
        while not ended.wait(_POLL_SECONDS):
            row = own.execute(_PROGRESS, (pid,)).fetchone()
            if row is not None and row[0] != phase:
                phase, done = row[0], 0
                watch.begin(f"search index: {phase}", (row[1] or 0) * _BLOCK_BYTES or None)
            if row is not None:
                blocks = (row[2] or 0) * _BLOCK_BYTES
                watch.advance(max(0, blocks - done))
                done = max(done, blocks)
            for blocker, name, age in own.execute(_BLOCKERS, (pid,)).fetchall():
                if blocker not in named:
                    named.add(blocker)
                    since = "" if age is None else f", whose transaction began {age} ago"
                    watch.note(f"the build is waiting for the session {blocker} ({name}){since}")
