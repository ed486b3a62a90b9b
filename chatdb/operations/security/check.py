"""`chatdb security check`: who can access whose chats; tried as the application roles."""

import shlex
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from chatdb.db.connect import connect_postgresql
from chatdb.db.database import Database
from chatdb.db.migrating.catalogue import Difference, compare, expected_catalogue
from chatdb.db.migrating.revision import look, mismatch
from chatdb.db.url import DatabaseUrl
from chatdb.operations.doctor.public import Check, Finding, error, examined, info, ok, warning
from chatdb.operations.kept.public import FOLDER
from chatdb.operations.security.files import FILE_SECURITY, SecuredFiles

if TYPE_CHECKING:
    from chatdb.operations.security.server import SecuredServer

_SHOWN = 5
_OWN_KINDS = ("policy", "table", "function", "view")


@dataclass(frozen=True, slots=True, kw_only=True)
class SecuritySettings:
    """What to check: the database, and where its files and backups are.

    `ssl_mode` is libpq's default for URLs that name none.
    """

    folder: Path
    url: DatabaseUrl
    direct_url: DatabaseUrl | None = None
    schema: str | None = None
    backups: Path | None = None
    attachments: Path | None = None
    ssl_mode: str = "prefer"


def check_security(settings: SecuritySettings) -> list[Finding]:
    """Run every check; all attempts are rolled back. Raises DatabaseUnreachableError."""
    found = [] if settings.url.path is not None else _server(settings)
    return [*found, *examined(FILE_SECURITY, _files(settings))]


def _files(settings: SecuritySettings) -> SecuredFiles:
    beside = Path("data") if settings.url.path is None else settings.url.path.parent
    folders = [settings.folder / "backups", *([settings.backups] if settings.backups else [])]
    return SecuredFiles(
        folder=settings.folder,
        database=settings.url.path,
        backups=tuple({folder.absolute(): folder for folder in folders}.values()),
        kept=(beside / FOLDER,),
        attachments=(settings.attachments,) if settings.attachments else (),
    )


def _server(settings: SecuritySettings) -> list[Finding]:
    from chatdb.operations.security.roles import list_roles
    from chatdb.operations.security.server import SERVER_SECURITY, SecuredServer

    with Database.open(settings.url, schema=settings.schema) as database:
        seen = look(settings.url, schema=settings.schema)
        if seen.state != "current":
            found = mismatch(seen, settings.url)
            return [
                error(f"nothing else can be checked: {found.text}", found.hint, of="schema-state")
            ]
        with (
            database.translated_errors(),
            closing(connect_postgresql(settings.url, autocommit=True)) as connection,
        ):
            urls = [settings.url, *([settings.direct_url] if settings.direct_url else [])]
            server = SecuredServer(
                connection=connection,
                urls=urls,
                schema=settings.schema,
                roles={role.name: role.kind for role in list_roles(database) if role.login},
                ssl_mode=settings.ssl_mode,
            )
            policies = Check("policies", _policies)
            isolation = Check("isolation", _isolation)
            return [
                *examined((policies,), database),
                *examined(SERVER_SECURITY, server),
                *examined((isolation,), server),
            ]


def _policies(database: Database) -> Iterator[Finding]:
    """Compare policies, tables and functions with those the migrations create."""
    with database.transaction() as connection:
        ways = database.dialect.migration_ways()
        found = ways.catalogue(connection)
    wanted = expected_catalogue(database.dialect.name)
    differences = [each for each in compare(wanted, found) if each.kind in _OWN_KINDS]
    for difference in differences:
        yield _of_difference(difference)
    if not differences:
        yield ok("every table has the policies that the migrations create")


def _of_difference(difference: Difference) -> Finding:
    name = difference.table or difference.name
    if difference.kind == "table" and "row-level security" not in difference.found:
        text, fix = (
            (
                f"row-level security is off on {name}: every role with privileges on it sees all "
                "tenants"
            ),
            f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY",
        )
    elif difference.kind == "table" and "forced" in difference.found:
        text, fix = (
            f"row-level security is forced on {name}: COPY and pg_dump by its owner fail",
            f"ALTER TABLE {name} NO FORCE ROW LEVEL SECURITY",
        )
    elif difference.kind == "policy" and difference.problem == "unexpected":
        text, fix = (
            (
                f"{name} has a policy {difference.name} that no migration created; it allows more "
                "access"
            ),
            f"DROP POLICY {difference.name} ON {name}",
        )
    else:
        text, fix = (
            f"the {difference.kind} {difference.name} is {difference.problem}",
            "chatdb schema downgrade 0003 --yes && chatdb migrate",
        )
    return error(text, fix)


def _isolation(server: "SecuredServer") -> Iterator[Finding]:
    """Try as each role to access another tenant's data."""
    from psycopg import errors

    from chatdb.operations.security.isolation import prove, prove_own
    from chatdb.operations.security.server import quoted

    connection = server.connection
    own = connection.info.user
    for role in [own] if own in server.bound else server.bound:
        try:
            if role == own:
                proof = prove_own(connection, schema=server.schema)
            else:
                may_write = server.roles[role] == "app"
                proof = prove(connection, role, may_write=may_write, schema=server.schema)
        except errors.InsufficientPrivilege:
            yield warning(
                f"{role} could not be tried: {own} may not SET ROLE to it, or owns no tables here",
                f"as a superuser: GRANT {quoted(role)} TO {quoted(own)}; or run this as the owner",
            )
            continue
        except errors.ReadOnlySqlTransaction:
            yield info("a standby cannot be written to: try it on the primary")
            return
        for breach in proof.breaches[:_SHOWN]:
            yield error(f"{role} {breach}", _way_out(role, server.roles[role], breach))
        if len(proof.breaches) > _SHOWN:
            yield error(f"{role}: {len(proof.breaches) - _SHOWN} more like this")
        if not proof.breaches:
            yield ok(
                f"{proof.attempts} attempts as {role} did not reach anything of another tenant or "
                "user"
            )


def _way_out(role: str, kind: str, breach: str) -> str:
    """Return the fix: a role that cannot do its work lacks privileges."""
    if "permission denied" in breach or "cannot do" in breach:
        return f"chatdb roles create {kind} --name {shlex.quote(role)} --existing"
    return "fix the policy and privilege findings, then run this again"
