"""`chatdb security check` on a PostgreSQL server: who is subject to policies, and who is not."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import errors, sql

from chatdb.db.schema import TABLE_NAMES
from chatdb.db.url import DatabaseUrl
from chatdb.operations.doctor.public import Check, Finding, error, info, ok, warning

if TYPE_CHECKING:
    import psycopg

    from chatdb.db.postgresql.patient_connection import PatientConnection

_STATEMENT_TIMEOUT = "30s"
_BOUND = ("app", "readonly")
_READ_ONLY = (
    "organizations",
    "chatdb_settings",
    "chatdb_version",
    "chatdb_leases",
    "conversation_summaries",
)
_LOCAL = ("localhost", "::1")
_WEAK_MODES = {
    "disable": "is never encrypted",
    "allow": "may be unencrypted",
    "prefer": "may be unencrypted",
    "require": "is encrypted, but the server's identity is not checked",
    "verify-ca": "is encrypted, to any server of this authority",
}

_WHO = """
SELECT current_user, rolsuper, rolbypassrls, pg_has_role(current_user, c.relowner, 'MEMBER')
FROM pg_roles r, pg_class c WHERE rolname = current_user AND c.oid = to_regclass('messages')
"""
_SESSIONS = """
SELECT a.usename, coalesce(nullif(a.application_name, ''), 'a program without a name'), count(*)
FROM pg_stat_activity a JOIN pg_roles r ON r.oid = a.usesysid, pg_class c
WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
  AND c.oid = to_regclass('messages')
  AND (r.rolsuper OR r.rolbypassrls OR pg_has_role(r.oid, c.relowner, 'MEMBER'))
  AND a.application_name !~* '^(chatdb|psql|pgcli|pg_dump|pg_restore|pgadmin|dbeaver)'
  AND coalesce(a.backend_type, 'client backend') = 'client backend'
GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 5
"""
_RIGHTS = """
SELECT r.rolname, c.relname, p.privilege
FROM pg_roles r CROSS JOIN pg_class c CROSS JOIN unnest(%(privileges)s::text[]) AS p (privilege)
WHERE r.rolname = ANY(%(roles)s) AND c.relnamespace = current_schema()::regnamespace
  AND c.relname = ANY(%(tables)s) AND has_table_privilege(r.oid, c.oid, p.privilege)
ORDER BY 1, 2, 3
"""
_MAKERS = """
SELECT rolname, quote_ident(current_schema()) FROM pg_roles
WHERE rolname = ANY(%s) AND has_schema_privilege(oid, current_schema(), 'CREATE') ORDER BY 1
"""
_STRONG = """
SELECT rolname FROM pg_roles
WHERE rolname = ANY(%s) AND (rolcreaterole OR rolcreatedb OR rolreplication) ORDER BY 1
"""
_UNPROTECTED = """
SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
  AND a.attname = 'organization_id' AND NOT a.attisdropped AND NOT c.relrowsecurity
  AND c.relname <> ALL(%(own)s)
  AND EXISTS (SELECT FROM pg_roles r WHERE r.rolname = ANY(%(roles)s)
              AND has_table_privilege(r.oid, c.oid, 'SELECT'))
ORDER BY 1
"""
_VIEWS = """
SELECT DISTINCT v.oid::regclass::text, v.relkind = 'v'
FROM pg_class t JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid
JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid
JOIN pg_class v ON v.oid = w.ev_class AND v.relkind IN ('v', 'm') AND v.relname <> ALL(%(own)s)
WHERE t.relnamespace = current_schema()::regnamespace AND t.relname = ANY(%(own)s)
  AND NOT EXISTS (SELECT FROM pg_options_to_table(v.reloptions)
                  WHERE option_name = 'security_invoker' AND option_value::boolean)
  AND EXISTS (SELECT FROM pg_roles r WHERE r.rolname = ANY(%(roles)s)
              AND has_any_column_privilege(r.oid, v.oid, 'SELECT'))
ORDER BY 1
"""
_PUBLIC = """
SELECT format('%%s on the schema %%I', a.privilege_type, n.nspname),
       format('REVOKE %%s ON SCHEMA %%I FROM PUBLIC', a.privilege_type, n.nspname)
FROM pg_namespace n, aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a
WHERE n.nspname = current_schema() AND a.grantee = 0 AND a.privilege_type = 'CREATE'
UNION ALL
SELECT format('%%s on %%I', string_agg(a.privilege_type, ', ' ORDER BY 1), c.relname),
       format('REVOKE ALL ON %%I FROM PUBLIC', c.relname)
FROM pg_class c, aclexplode(c.relacl) a
WHERE c.relnamespace = current_schema()::regnamespace AND c.relname = ANY(%(own)s) AND a.grantee = 0
GROUP BY c.relname
UNION ALL
SELECT format('EXECUTE on %%s', p.oid::regprocedure),
       format('REVOKE ALL ON FUNCTION %%s FROM PUBLIC', p.oid::regprocedure)
FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
WHERE p.pronamespace = current_schema()::regnamespace AND p.prosecdef AND a.grantee = 0
"""
_DEFINERS = """
SELECT p.oid::regprocedure::text FROM pg_proc p
WHERE p.pronamespace = current_schema()::regnamespace AND p.prosecdef
  AND NOT EXISTS (SELECT FROM unnest(p.proconfig) AS s WHERE s LIKE 'search\\_path=%%pg\\_temp')
ORDER BY 1
"""
_LOGIN_RULES = """
SELECT type, auth_method, count(*) FROM pg_hba_file_rules
WHERE error IS NULL AND auth_method IN ('trust', 'password', 'md5')
GROUP BY type, auth_method ORDER BY auth_method DESC, type
"""
_WEAK_PASSWORDS = """
SELECT rolname FROM pg_authid WHERE rolname = ANY(%s) AND rolpassword LIKE 'md5%%' ORDER BY 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecuredServer:
    """A server we are connected to; `roles` are those that may read messages, with their kind.

    `urls` are the configured URLs; `ssl_mode` is libpq's default if a URL sets none.
    """

    connection: "PatientConnection"
    urls: Sequence[DatabaseUrl]
    schema: str | None
    roles: Mapping[str, str]
    ssl_mode: str = "prefer"

    @property
    def bound(self) -> list[str]:
        """The names of the roles that row-level security applies to."""
        return [name for name, kind in self.roles.items() if kind in _BOUND]

    @contextmanager
    def reading(self) -> "Iterator[psycopg.Connection[Any]]":
        """Begin a read-only transaction in the schema, which gives up rather than wait."""
        limits = {"statement_timeout": _STATEMENT_TIMEOUT}
        with self.connection.reading(limits, schema=self.schema) as connection:
            yield connection

    def rows(self, query: str, values: Any = None) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with self.reading() as connection:
            return connection.execute(query.encode(), values).fetchall()


def _connected(server: SecuredServer) -> Iterator[Finding]:
    [(user, is_super, bypasses, owns)] = server.rows(_WHO)
    if is_super or bypasses or owns:
        what = "a superuser" if is_super else "exempt from policies" if bypasses else "the owner"
        yield info(f"connected as {user}, {what}: right for maintenance, never for an application")
    else:
        yield ok(f"connected as {user}, subject to row-level security")


def _app_roles(server: SecuredServer) -> Iterator[Finding]:
    if server.bound:
        yield ok(f"subject to row-level security: {', '.join(server.bound)}")
    else:
        yield warning(
            "there is no role for applications: a program that connects as the owner bypasses "
            "all policies",
            "chatdb roles create app",
        )
    for name, kind in server.roles.items():
        if kind in ("owner", "bypassrls"):
            reason = "owns the tables or belongs to their owner" if kind == "owner" else kind
            known = server.connection.info.user == name
            yield (info if known else warning)(
                f"{name} may log in and is not subject to row-level security ({reason})",
                None
                if known
                else f"use another role for applications, and ALTER ROLE {quoted(name)} NOLOGIN",
            )


def _sessions(server: SecuredServer) -> Iterator[Finding]:
    found = server.rows(_SESSIONS)
    for user, program, count in found:
        yield warning(
            f"{program} is connected as {user} (sessions: {count}): no policy applies to it",
            "chatdb roles create app, and let the program use that role",
        )
    if not found:
        yield ok("no application is connected that bypasses row-level security")


def _rights(server: SecuredServer) -> Iterator[Finding]:
    """Find privileges that policies do not limit, and unnecessary ones."""
    privileges = ["TRUNCATE", "REFERENCES", "TRIGGER"]
    if server.connection.info.server_version >= 170_000:
        privileges.append("MAINTAIN")
    roles = server.bound
    everywhere = {"roles": roles, "tables": sorted(TABLE_NAMES), "privileges": privileges}
    writes = {
        "roles": roles,
        "tables": list(_READ_ONLY),
        "privileges": ["INSERT", "UPDATE", "DELETE"],
    }
    log = {"roles": roles, "tables": ["chatdb_log"], "privileges": ["DELETE", "SELECT"]}
    found = [row for values in (everywhere, writes, log) for row in server.rows(_RIGHTS, values)]
    for role, table, privilege in found:
        yield warning(
            f"{role} has {privilege} on {table}, which no application needs",
            f"REVOKE {privilege} ON {table} FROM {quoted(role)}",
        )
    for role, schema in server.rows(_MAKERS, (roles,)):
        yield warning(
            f"{role} may create tables and functions in chatdb's schema",
            f"REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC, {quoted(role)}",
        )
    for (role,) in server.rows(_STRONG, (roles,)):
        yield warning(
            f"{role} may create roles or databases, or replicate",
            f"ALTER ROLE {quoted(role)} NOCREATEROLE NOCREATEDB NOREPLICATION",
        )
    if roles and not found:
        yield ok(f"no unnecessary privileges: {', '.join(roles)}")


def _unprotected(server: SecuredServer) -> Iterator[Finding]:
    values = {"own": sorted(TABLE_NAMES), "roles": server.bound}
    for (table,) in server.rows(_UNPROTECTED, values):
        yield warning(
            f"the table {table} has organization_id but no row-level security; roles may read it",
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, with a policy like that of messages",
        )
    for view, may_ask in server.rows(_VIEWS, values):
        yield warning(
            f"the view {view} shows rows of all tenants: it reads as its owner; roles may read it",
            f"ALTER VIEW {view} SET (security_invoker = true)"
            if may_ask
            else f"REVOKE ALL ON {view} FROM {', '.join(map(quoted, server.bound))}",
        )


def _public(server: SecuredServer) -> Iterator[Finding]:
    found = server.rows(_PUBLIC, {"own": sorted(TABLE_NAMES)})
    for what, fix in found:
        yield error(f"every role of the server has {what}", fix)
    for (function,) in server.rows(_DEFINERS):
        yield error(
            f"{function} runs with its owner's privileges and searches for tables in its caller's "
            "path",
            f"ALTER FUNCTION {function} SET search_path = ..., pg_temp",
        )
    if not found:
        yield ok("nothing of chatdb's is accessible to every role of the server")


def _tls(server: SecuredServer) -> Iterator[Finding]:
    for url in server.urls:
        parameters = dict(url.parameters)
        hosts = parameters.get("hostaddr", url.host)
        remote = [host for host in hosts.split(",") if _is_remote(host)]
        if not remote:
            continue
        mode = parameters.get("sslmode", server.ssl_mode)
        if mode in _WEAK_MODES:
            yield warning(
                f"the connection to {', '.join(remote)} {_WEAK_MODES[mode]} (sslmode={mode})",
                "add ?sslmode=verify-full&sslrootcert=system to the URL (libpq 16), or the"
                " authority's own certificate as sslrootcert",
            )
        else:
            yield ok(f"{', '.join(remote)} must prove its identity by its certificate")


def _is_remote(host: str) -> bool:
    return not (
        not host
        or host in _LOCAL
        or host.startswith(("/", "@", "127."))
        or host.endswith(".localhost")
    )


def _logins(server: SecuredServer) -> Iterator[Finding]:
    try:
        rules = server.rows(_LOGIN_RULES)
    except errors.InsufficientPrivilege:
        yield info("this user may not see the login rules (pg_hba.conf)")
        return
    for kind, method, count in rules:
        where = "the machine itself" if kind == "local" else "the network"
        text = {
            "trust": "without any password",
            "password": "with a clear-text password",
            "md5": "with a password hashed by MD5 (or SCRAM, if the role has it)",
        }[method]
        severe = error if method == "trust" and kind != "local" else warning
        yield severe(
            f"pg_hba.conf lets users in from {where} {text} (rules: {count})",
            f"write scram-sha-256 instead of {method}, then SELECT pg_reload_conf()",
        )
    if not rules:
        yield ok("every login needs a SCRAM password, or something stronger")


def _passwords(server: SecuredServer) -> Iterator[Finding]:
    try:
        weak = server.rows(_WEAK_PASSWORDS, (list(server.roles),))
    except errors.InsufficientPrivilege:
        return
    for (role,) in weak:
        yield warning(
            f"the password of {role} is stored as an MD5 hash",
            "SET password_encryption = 'scram-sha-256', and set the password again",
        )
    if not weak:
        yield ok("no password is stored as an MD5 hash")


def quoted(name: str) -> str:
    """Write a name for SQL."""
    return sql.Identifier(name).as_string(None)


SERVER_SECURITY: tuple[Check[SecuredServer], ...] = (
    Check("connected-as", _connected),
    Check("app-roles", _app_roles),
    Check("unbound-sessions", _sessions),
    Check("role-rights", _rights),
    Check("unprotected-tables", _unprotected),
    Check("public-grants", _public),
    Check("tls", _tls),
    Check("authentication", _logins),
    Check("passwords", _passwords),
)
"""The checks of a server, in this order."""
