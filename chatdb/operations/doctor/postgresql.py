"""The doctor's checks of a PostgreSQL server; each reads in its own short transaction."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from chatdb.db.lock_holders import prepared_transactions
from chatdb.db.postgresql.place import sql_name
from chatdb.db.schema import TABLE_NAMES
from chatdb.db.url import DatabaseUrl
from chatdb.operations.doctor.findings import Check, Finding, error, info, ok, warning

if TYPE_CHECKING:
    import psycopg

    from chatdb.db.postgresql.patient_connection import PatientConnection

OLDEST_MAJOR, NEWEST_MAJOR = 15, 18
_LIMITS = {"statement_timeout": "5s", "lock_timeout": "500ms"}
_SLOW_SECONDS = 0.1
_CLOCK_SECONDS = 5.0
_ORPHAN_SECONDS = 60.0
_BUSY_SHARE = 0.8
_OLD_TRANSACTIONS, _TOO_OLD_TRANSACTIONS = 1_000_000_000, 1_800_000_000
_OPTIONAL = {"vector": "search by meaning", "pg_trgm": "fast search of Chinese and Japanese"}

_RIGHTS = """
SELECT current_schema(), rolsuper, current_user,
       has_schema_privilege(current_schema(), 'CREATE'),
       has_database_privilege(current_database(), 'CREATE')
FROM pg_roles WHERE rolname = current_user
"""
_CLOSED_SCHEMA = """
SELECT nspname FROM pg_namespace n
WHERE NOT has_schema_privilege(n.oid, 'USAGE')
  AND CASE WHEN %(schema)s::text IS NULL
      THEN EXISTS (SELECT FROM pg_class WHERE relnamespace = n.oid AND relname = 'chatdb_version')
      ELSE nspname = %(schema)s END
ORDER BY nspname <> 'public', nspname LIMIT 1
"""
_MISSING_RIGHTS = """
SELECT privilege, array_agg(c.relname::text ORDER BY c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege
WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') AND c.relname = ANY(%s)
  AND NOT has_table_privilege(c.oid, privilege)
GROUP BY privilege ORDER BY privilege
"""
_BOUND_ROLE = """
SELECT FROM pg_proc p
WHERE p.pronamespace = current_schema()::regnamespace AND p.proname = 'chatdb_search_hits'
  AND has_function_privilege(p.oid, 'EXECUTE') AND row_security_active('messages')
"""
"""The privilege to search in this way is granted by `chatdb roles create`, and little else."""
_CONNECTIONS = """
SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
       current_setting('max_connections')::int
       - current_setting('superuser_reserved_connections')::int
       - coalesce(current_setting('reserved_connections', true)::int, 0)
"""
_TRANSACTION_IDS = """
SELECT datname, age(datfrozenxid) FROM pg_database ORDER BY age(datfrozenxid) DESC LIMIT 1
"""
_EXTENSIONS = """
SELECT name, installed_version FROM pg_available_extensions WHERE name = ANY(%s) ORDER BY name
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectedServer:
    """A server we are connected to; `seconds` is how long connecting took."""

    connection: "PatientConnection"
    url: DatabaseUrl
    schema: str | None
    has_direct_url: bool
    seconds: float

    @property
    def major(self) -> int:
        """The server's major version."""
        return self.connection.info.server_version // 10_000

    @property
    def is_here(self) -> bool:
        """Tell whether the server is on this machine."""
        address = self.connection.info.hostaddr
        return not address or ip_address(address).is_loopback

    @contextmanager
    def reading(self) -> "Iterator[psycopg.Connection[Any]]":
        """Begin a read-only transaction that gives up rather than wait."""
        with self.connection.reading(_LIMITS, schema=self.schema) as connection:
            yield connection

    def row(self, query: str, values: Sequence[Any] = ()) -> tuple[Any, ...]:
        """Return the only row of a query."""
        with self.reading() as connection:
            found: tuple[Any, ...] = connection.execute(query.encode(), values).fetchall()[0]
        return found


def _latency(server: ConnectedServer) -> Iterator[Finding]:
    started = time.perf_counter()
    server.connection.execute("SELECT 1")
    seconds = time.perf_counter() - started
    text = (
        f"{server.url.redacted()} answers in {seconds * 1000:.1f} ms"
        f" (login {server.seconds * 1000:.0f} ms)"
    )
    slow = seconds > _SLOW_SECONDS
    yield (info(f"{text}: every command will be slow") if slow else ok(text))


def _version(server: ConnectedServer) -> Iterator[Finding]:
    text = f"PostgreSQL {str(server.row('SHOW server_version')[0]).split()[0]}"
    if server.major < OLDEST_MAJOR:
        yield error(
            f"{text} is older than chatdb works with ({OLDEST_MAJOR} to {NEWEST_MAJOR})",
            "upgrade the server",
        )
    elif server.major > NEWEST_MAJOR:
        yield warning(
            f"{text} is newer than this chatdb was tested with", "pip install --upgrade chatdb-cli"
        )
    else:
        yield ok(text)


def _tls(server: ConnectedServer) -> Iterator[Finding]:
    if server.connection.pgconn.ssl_in_use:
        yield ok("the connection is encrypted")
    elif server.is_here:
        yield ok("the connection is not encrypted, but stays on this machine")
    elif ip_address(server.connection.info.hostaddr).is_private:
        yield info(
            "the connection crosses a private network unencrypted",
            "add ?sslmode=require to the database URL",
        )
    else:
        yield warning(
            "passwords and chats cross the network unencrypted",
            "add ?sslmode=verify-full (or require) to the database URL",
        )


def _pooler(server: ConnectedServer) -> Iterator[Finding]:
    is_pooled = server.connection.info.backend_pid != server.row("SELECT pg_backend_pid()")[0]
    if not is_pooled:
        yield ok("no pooler is in use")
    elif server.has_direct_url:
        yield ok("a pooler is in use; the direct URL bypasses it")
    else:
        yield warning(
            "a pooler is in use: migrations and dumps need the server's direct URL",
            "set CHATDB_DIRECT_URL, or use --direct-url",
        )


def _rights(server: ConnectedServer) -> Iterator[Finding]:
    schema, is_super, user, may_create, may_make_schema = server.row(_RIGHTS)
    if schema is None:
        yield _no_schema(server, user, may_make_schema=may_make_schema)
    else:
        yield from _rights_in_schema(server, schema, user, may_create=may_create)
    if is_super:
        text = (
            f"user {user} is a superuser: an application's mistake or vulnerability then "
            "affects the whole server"
        )
        fix = "chatdb roles create app"
        yield (info if server.is_here else warning)(text, fix, of="server-superuser")
    else:
        yield ok(f"user {user} is not a superuser", of="server-superuser")


def _no_schema(server: ConnectedServer, user: str, *, may_make_schema: bool) -> Finding:
    """Return why there is no current schema: PostgreSQL skips those that the user may not use."""
    role = sql_name(user)
    with server.reading() as connection:
        closed = connection.execute(_CLOSED_SCHEMA, {"schema": server.schema}).fetchone()
    if closed is not None:
        return error(
            f"user {user} may not use the schema {closed[0]}",
            f"as its owner: GRANT USAGE ON SCHEMA {sql_name(closed[0])} TO {role}",
        )
    if server.schema is not None and may_make_schema:
        return info(f"the schema {server.schema} does not exist yet", "chatdb migrate")
    return error(
        f"the search path of user {user} contains no schema it may use",
        "as the owner of the database: CREATE SCHEMA"
        f" {sql_name(server.schema or user)} AUTHORIZATION {role}",
    )


def _rights_in_schema(
    server: ConnectedServer, schema: str, user: str, *, may_create: bool
) -> Iterator[Finding]:
    with server.reading() as connection:
        missing = connection.execute(_MISSING_RIGHTS, (sorted(TABLE_NAMES),)).fetchall()
        # Only if there are tables: a privilege on a missing table cannot be missing.
        is_bound = bool(missing and connection.execute(_BOUND_ROLE).fetchall())
    if missing and is_bound:
        yield info(
            f"user {user} is an application role, subject to row-level security",
            "to see what it can access: chatdb security check",
        )
    elif missing:
        privileges = ", ".join(row[0] for row in missing)
        tables = ", ".join(sorted({table for row in missing for table in row[1]})[:3])
        yield error(
            f"user {user} lacks {privileges} on chatdb's tables ({tables} ...)",
            f"as their owner: GRANT {privileges} ON ALL TABLES IN SCHEMA {sql_name(schema)}"
            f" TO {sql_name(user)}",
        )
    elif not may_create:
        yield warning(
            f"user {user} may not create tables in the schema {schema}: it cannot migrate",
            f"as its owner: GRANT CREATE ON SCHEMA {sql_name(schema)} TO {sql_name(user)}",
        )
    else:
        yield ok(f"user {user} may read, write and migrate in schema {schema}")


def _encoding(server: ConnectedServer) -> Iterator[Finding]:
    encoding = server.row("SHOW server_encoding")[0]
    if encoding == "UTF8":
        yield ok("the database's encoding is UTF8")
    else:
        yield error(
            f"the database's encoding is {encoding}: it cannot store every chat",
            "createdb --encoding UTF8 --template template0 NAME, and use that",
        )


def _extensions(server: ConnectedServer) -> Iterator[Finding]:
    with server.reading() as connection:
        found = dict(connection.execute(_EXTENSIONS, (list(_OPTIONAL),)).fetchall())
    parts = []
    for name, use in _OPTIONAL.items():
        if found.get(name):
            parts.append(f"{name} {found[name]}")
        else:
            state = "not created" if name in found else "not installed"
            parts.append(f"{name} {state} (optional: {use})")
    yield info("; ".join(parts))


def _clock(server: ConnectedServer) -> Iterator[Finding]:
    before = time.time()
    theirs = float(server.row("SELECT extract(epoch FROM clock_timestamp())")[0])
    ours = (before + time.time()) / 2
    difference = theirs - ours
    if abs(difference) > _CLOCK_SECONDS:
        yield warning(
            f"the server's clock is {abs(difference):.0f} s"
            f" {'ahead of' if difference > 0 else 'behind'} this machine's",
            "synchronize both with a time server: timedatectl set-ntp true",
        )
    else:
        yield ok("the server's clock agrees with this machine's")


def _connections(server: ConnectedServer) -> Iterator[Finding]:
    used, limit = server.row(_CONNECTIONS)
    text = f"{used} of {limit} connections are in use"
    if used >= limit * _BUSY_SHARE:
        yield warning(
            text, 'chatdb connect -c "SELECT pid, state, application_name FROM pg_stat_activity"'
        )
    else:
        yield ok(text)


def _transaction_ids(server: ConnectedServer) -> Iterator[Finding]:
    name, age = server.row(_TRANSACTION_IDS)
    text = f"the oldest transaction id is {age:,} transactions old (database {name})"
    if age >= _OLD_TRANSACTIONS:
        make = error if age >= _TOO_OLD_TRANSACTIONS else warning
        yield make(
            f"{text}: at 2,147,483,648 the server stops", f"vacuumdb --freeze --jobs 4 {name}"
        )
    else:
        yield ok(text)


def _prepared(server: ConnectedServer) -> Iterator[Finding]:
    with server.reading() as connection:
        found = prepared_transactions(connection)
    old = [each for each in found if (each.age or 0) >= _ORPHAN_SECONDS]
    if old:
        gid, many = old[0].gid, len(old)
        noun = "prepared transaction is" if many == 1 else f"of {many} prepared transactions is"
        yield warning(
            f"a {noun} {old[0].age:,.0f} s old and keeps its locks: {gid!r} of {old[0].owner}",
            f"if no transaction manager will end it: {old[0].end()}",
        )
    elif found:
        # A transaction manager that works ends them within seconds: no trouble, but locks are held.
        count = (
            "a prepared transaction" if len(found) == 1 else f"{len(found)} prepared transactions"
        )
        yield info(
            f"{count}, the oldest {found[0].age or 0:,.0f} s old: {found[0].gid!r} of"
            f" {found[0].owner}; its locks last until it is ended"
        )
    else:
        yield ok("there is no prepared transaction")


def _writable(server: ConnectedServer) -> Iterator[Finding]:
    is_standby, read_only = server.row(
        "SELECT pg_is_in_recovery(), current_setting('default_transaction_read_only') = 'on'"
    )
    if is_standby:
        yield warning(
            "this server is a standby, which cannot be written to",
            "use the primary, or list all servers with ?target_session_attrs=read-write",
        )
    elif read_only:
        yield warning(
            "transactions are read-only by default here",
            "look for default_transaction_read_only: chatdb connect"
            ' -c "SELECT * FROM pg_db_role_setting"',
        )
    else:
        yield ok("the server can be written to")


SERVER_CHECKS: tuple[Check[ConnectedServer], ...] = (
    Check("database-reachable", _latency),
    Check("server-version", _version),
    Check("server-tls", _tls),
    Check("server-pooler", _pooler),
    Check("server-rights", _rights),
    Check("server-encoding", _encoding),
    Check("server-extensions", _extensions),
    Check("server-clock", _clock),
    Check("server-connections", _connections),
    Check("server-transaction-ids", _transaction_ids),
    Check("server-prepared-transactions", _prepared),
    Check("server-writable", _writable),
)
"""The checks of a server, in this order."""
