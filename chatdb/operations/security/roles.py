"""Login roles of PostgreSQL for applications: least privileges, subject to row-level security."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import psycopg
from psycopg import sql

from chatdb.db.connect import driver_connection
from chatdb.db.database import Database
from chatdb.errors import NotFoundError, RefusedError, UsageError

LONGEST_NAME = 63
"""Bytes of a name that PostgreSQL keeps."""
SHORTEST_PASSWORD = 8

_SEARCH = "chatdb_search_hits"
_READ = "SELECT"
_WRITE = "SELECT, INSERT, UPDATE, DELETE"
_CONTENT = (
    *("conversations", "messages", "snapshots", "files", "message_files"),
    *("message_embeddings", "message_vectors", "tombstones"),
)
_LOOKED_AT = ("organizations", "conversation_summaries", "chatdb_version", "chatdb_settings")


class RoleKind(StrEnum):
    """What a role is for: `app` reads and writes conversations, `readonly` reads them."""

    APP = "app"
    READONLY = "readonly"


_GRANTS: dict[RoleKind, tuple[tuple[str, tuple[str, ...]], ...]] = {
    RoleKind.APP: (
        (_WRITE, _CONTENT),
        (_READ, _LOOKED_AT),
        ("INSERT, SELECT (id), UPDATE (finished_at, outcome, details)", ("chatdb_log",)),
    ),
    RoleKind.READONLY: ((_READ, (*_CONTENT, *_LOOKED_AT)),),
}
_LATER = {RoleKind.APP: _WRITE, RoleKind.READONLY: _READ}

_ATTRIBUTES = """
SELECT rolsuper, rolbypassrls, rolcreaterole OR rolcreatedb OR rolreplication,
       pg_has_role(oid, %(owner)s, 'MEMBER')
FROM pg_roles WHERE rolname = %(name)s
"""
_WE = """
SELECT current_user, rolsuper, rolsuper OR rolcreaterole, current_schema(), current_database(),
       (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = to_regclass('conversations'))
FROM pg_roles WHERE rolname = current_user
"""
_ROLES = """
SELECT r.rolname,
  CASE WHEN r.rolsuper THEN 'superuser' WHEN r.rolbypassrls THEN 'bypassrls'
       WHEN pg_has_role(r.oid, c.relowner, 'MEMBER') THEN 'owner'
       WHEN has_table_privilege(r.oid, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE') THEN 'app'
       ELSE 'readonly' END,
  r.rolcanlogin,
  (SELECT count(*) FROM pg_stat_activity a
   WHERE a.usesysid = r.oid AND a.datname = current_database())::int
FROM pg_roles r CROSS JOIN pg_class c
WHERE c.oid = to_regclass('messages')
  AND has_table_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')
  AND (r.rolcanlogin OR EXISTS (SELECT FROM aclexplode(c.relacl) WHERE grantee = r.oid))
ORDER BY 1
"""
_GRANTED = """
SELECT format('TABLE %%I.%%I', n.nspname, c.relname) FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE EXISTS (SELECT FROM aclexplode(c.relacl) WHERE grantee = %(role)s::regrole)
   OR EXISTS (SELECT FROM pg_attribute a, aclexplode(a.attacl)
              WHERE a.attrelid = c.oid AND grantee = %(role)s::regrole)
UNION ALL SELECT format('FUNCTION %%s', p.oid::regprocedure) FROM pg_proc p
WHERE EXISTS (SELECT FROM aclexplode(p.proacl) WHERE grantee = %(role)s::regrole)
UNION ALL SELECT format('SCHEMA %%I', n.nspname) FROM pg_namespace n
WHERE EXISTS (SELECT FROM aclexplode(n.nspacl) WHERE grantee = %(role)s::regrole)
UNION ALL SELECT format('DATABASE %%I', d.datname) FROM pg_database d
WHERE d.datname = current_database()
  AND EXISTS (SELECT FROM aclexplode(d.datacl) WHERE grantee = %(role)s::regrole)
"""
_LATER_GRANTED = """
SELECT pg_get_userbyid(d.defaclrole), n.nspname FROM pg_default_acl d
JOIN pg_namespace n ON n.oid = d.defaclnamespace
WHERE EXISTS (SELECT FROM aclexplode(d.defaclacl) WHERE grantee = %(role)s::regrole)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A role that may read messages; `row_security` says that the policies apply to it.

    `kind` is app, readonly, or what lets it see everything: superuser, bypassrls, owner. `sessions`
    are those on this database now.
    """

    name: str
    kind: str
    login: bool
    row_security: bool
    sessions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleMade:
    """A role that was created, or granted its privileges again (`created` False)."""

    name: str
    kind: RoleKind
    database: str
    schema: str
    created: bool


def list_roles(database: Database) -> list[Role]:
    """Return every role that may read or write messages, by name; raises UsageError on SQLite."""
    _require_server(database)
    with database.transaction() as connection:
        rows = driver_connection(connection).execute(_ROLES).fetchall()
    return [
        Role(
            name=name,
            kind=kind,
            login=login,
            row_security=kind in tuple(RoleKind),
            sessions=sessions,
        )
        for name, kind, login, sessions in rows
    ]


def check_new(database: Database, name: str, *, existing: bool) -> None:
    """Raise what `create` would for the name and our privileges, before asking for a password."""
    _require_server(database)
    _check_name(name)
    with database.transaction() as connection:
        driver = driver_connection(connection)
        we = _Maker(*driver.execute(_WE).fetchone())
        found = driver.execute(_ATTRIBUTES, {"name": name, "owner": we.owner}).fetchone()
    _check_role(name, found, we, existing=existing)


def create(
    database: Database, kind: RoleKind, name: str, *, password: str | None, existing: bool = False
) -> RoleMade:
    """Create a login role with only the privileges its kind needs, in one transaction.

    `existing` grants an existing role (of another database of the server, or after a restore) its
    privileges; its password is unchanged unless one is given. The password reaches the server as
    its SCRAM digest. Raises UsageError, RefusedError.
    """
    _require_server(database)
    _check_name(name)
    if password is not None and (len(password) < SHORTEST_PASSWORD or "\0" in password):
        raise UsageError(
            f"a password must have at least {SHORTEST_PASSWORD} characters",
            hint="to generate one: --generate",
        )
    with database.transaction(write=True) as connection:
        driver = driver_connection(connection)
        we = _Maker(*driver.execute(_WE).fetchone())
        found = driver.execute(_ATTRIBUTES, {"name": name, "owner": we.owner}).fetchone()
        _check_role(name, found, we, existing=existing)
        _make_login(driver, name, password, we, exists=found is not None)
        _grant(driver, kind, name, we)
    return RoleMade(
        name=name, kind=kind, database=we.database, schema=we.schema, created=found is None
    )


def check_droppable(database: Database, name: str) -> Role:
    """Return the role; raises NotFoundError, RefusedError for an owner of chatdb's tables."""
    roles = {role.name: role for role in list_roles(database)}
    if name not in roles:
        raise NotFoundError(
            f"no role {name!r} may read the messages of this database",
            hint="to list them: chatdb roles list",
        )
    role = roles[name]
    if not role.row_security:
        raise RefusedError(
            f"{name!r} is not an application role ({role.kind}); it cannot be dropped here",
            hint="to list them: chatdb roles list",
        )
    return role


def drop(database: Database, name: str, *, keep_role: bool = False) -> None:
    """Revoke a role's privileges in this database, and drop it unless `keep_role`.

    Raises NotFoundError, RefusedError if it owns something or has privileges elsewhere.
    """
    check_droppable(database, name)
    quoted = sql.Identifier(name)
    with database.transaction(write=True) as connection:
        driver = driver_connection(connection)
        role = {"role": quoted.as_string(None)}
        for (what,) in driver.execute(_GRANTED, role).fetchall():
            driver.execute(sql.SQL("REVOKE ALL ON {} FROM {}").format(sql.SQL(what), quoted))
        for owner, schema in driver.execute(_LATER_GRANTED, role).fetchall():
            driver.execute(
                sql.SQL(
                    "ALTER DEFAULT PRIVILEGES FOR ROLE {} IN SCHEMA {} REVOKE ALL ON TABLES FROM {}"
                ).format(sql.Identifier(owner), sql.Identifier(schema), quoted)
            )
        if not keep_role:
            _drop_role(driver, name)


@dataclass(frozen=True, slots=True)
class _Maker:
    """The user who creates roles here, and the database."""

    user: str
    is_super: bool
    may_create: bool
    schema: str
    database: str
    owner: str


def _require_server(database: Database) -> None:
    if database.url.path is not None:
        raise UsageError(
            "SQLite has no roles: a user who can open the file can read all of it",
            hint="to check the file's permissions: chatdb security check",
        )


def _check_name(name: str) -> None:
    if (
        not name.isprintable()
        or not 1 <= len(name.encode(errors="replace")) <= LONGEST_NAME
        or name.startswith("pg_")
        or name in ("public", "none")
    ):
        raise UsageError(f"invalid role name {name!r}", hint="choose another: --name")


def _check_role(name: str, found: Any, we: _Maker, *, existing: bool) -> None:
    if found is None and existing:
        raise NotFoundError(f"the role {name!r} does not exist", hint="leave out --existing")
    if found is None and not we.may_create:
        raise RefusedError(
            f"user {we.user} may not create roles",
            hint=f"as a superuser: ALTER ROLE {we.user} CREATEROLE; or connect as another user "
            "with --database-url",
        )
    if found is not None and not existing:
        raise RefusedError(
            f"the role {name!r} already exists",
            hint="--existing grants it the privileges in this database; or choose another --name",
        )
    if found is not None and any(found):
        reasons = ("is a superuser", "bypasses row-level security", "may create roles or databases")
        reason = next(
            text
            for text, bad in zip((*reasons, f"is a member of {we.owner}"), found, strict=True)
            if bad
        )
        raise RefusedError(
            f"the role {name!r} {reason}: row-level security would not limit it",
            hint="create another: --name NAME without --existing",
        )


def _make_login(driver: Any, name: str, password: str | None, we: _Maker, *, exists: bool) -> None:
    quoted = sql.Identifier(name)
    if not exists:
        try:
            driver.execute(
                sql.SQL(
                    "CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION"
                    " NOBYPASSRLS"
                ).format(quoted)
            )
        except psycopg.errors.DuplicateObject as error:
            raise RefusedError(
                f"the role {name!r} already exists: another session just created it",
                hint="--existing grants it the privileges in this database",
            ) from error
    if password is not None:
        digest = driver.pgconn.encrypt_password(
            password.encode(), name.encode(), b"scram-sha-256"
        ).decode()
        driver.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(quoted, sql.Literal(digest)))
    if not we.is_super and not exists:
        # Lets the owner test by SET ROLE what the role may see; the owner gains nothing by it.
        driver.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(quoted))


def _grant(driver: Any, kind: RoleKind, name: str, we: _Maker) -> None:
    role, schema = sql.Identifier(name), sql.Identifier(we.schema)
    statements = [sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, role)]
    may_connect = "SELECT has_database_privilege(%s, current_database(), 'CONNECT')"
    if not driver.execute(may_connect, (name,)).fetchone()[0]:
        statements.append(
            sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(sql.Identifier(we.database), role)
        )
    for privileges, tables in _GRANTS[kind]:
        statements.append(
            sql.SQL("GRANT {} ON TABLE {} TO {}").format(
                sql.SQL(privileges), sql.SQL(", ").join(map(sql.Identifier, tables)), role
            )
        )
    statements.append(sql.SQL("GRANT EXECUTE ON FUNCTION {} TO {}").format(sql.SQL(_SEARCH), role))
    statements.append(
        sql.SQL(
            "ALTER DEFAULT PRIVILEGES FOR ROLE {} IN SCHEMA {} GRANT {} ON TABLES TO {}"
        ).format(sql.Identifier(we.owner), schema, sql.SQL(_LATER[kind]), role)
    )
    for statement in statements:
        driver.execute(statement)


def _drop_role(driver: Any, name: str) -> None:
    try:
        driver.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))
    except psycopg.errors.DependentObjectsStillExist as error:
        detail = "; ".join((error.diag.message_detail or "").splitlines()[:5])
        raise RefusedError(
            f"the role {name!r} owns something, or has privileges elsewhere: {detail}",
            hint="revoke its privileges in this database only: --keep-role",
        ) from error
