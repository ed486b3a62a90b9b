"""Checks the server for a dump: is it new enough, does it have what the dump needs?"""

from contextlib import closing, suppress
from dataclasses import dataclass

from chatdb.backups.plain_sql import PlainDump
from chatdb.db.connect import connect_postgresql
from chatdb.db.migrating.revision import translated
from chatdb.db.postgresql.server_databases import Server
from chatdb.db.schema import TABLE_NAMES
from chatdb.errors import RefusedError
from chatdb.operations.restoring.parts import Task
from chatdb.operations.restoring.tuning import Tuning, tune

SHOWN = 8
"""How many of many objects are listed."""

TABLES = """
SELECT nspname, relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind IN ('r', 'p') AND nspname !~ '^pg_' AND nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = c.oid AND deptype = 'e')
ORDER BY 1, 2
"""

# From PostgreSQL 16 a member may be denied SET ROLE, which giving an object to a role needs.
_ROLES = """
SELECT rolname, pg_has_role(oid, CASE WHEN current_setting('server_version_num')::int >= 160000
                                      THEN 'SET' ELSE 'MEMBER' END)
FROM pg_roles
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetServer:
    """What a restore has to know about the server; `own_roles` are those this user may act as."""

    major: int
    roles: frozenset[str]
    own_roles: frozenset[str]
    extensions: frozenset[str]
    tables: tuple[str, ...]
    is_superuser: bool
    is_there: bool
    tuning: Tuning


def look_at_server(task: Task) -> TargetServer:
    """Query the server, and the target database if it exists."""
    with Server.open(task.url) as server:
        connection = server.connection
        roles = connection.execute(_ROLES).fetchall()
        extensions = connection.execute("SELECT name FROM pg_available_extensions").fetchall()
        row = connection.execute("SELECT current_setting('is_superuser')").fetchone()
        there = any(item.name == task.url.database for item in server.databases())
        tuning = tune(connection, task.url, jobs=task.options.jobs)
        major = connection.info.server_version // 10_000
    tables: list[tuple[str, str]] = []
    if there:
        with translated(task.url), closing(connect_postgresql(task.url)) as target:
            tables = target.execute(TABLES).fetchall()
    return TargetServer(
        major=major,
        roles=frozenset(name for name, _ in roles),
        own_roles=frozenset(name for name, is_own in roles if is_own),
        extensions=frozenset(name for (name,) in extensions),
        tables=tuple(f"{schema}.{table}" for schema, table in tables),
        is_superuser=row == ("on",),
        is_there=there,
        tuning=tuning,
    )


def require_newer(task: Task, dump: PlainDump, server: TargetServer) -> None:
    """Raise RefusedError for a server that is older than that of the dump."""
    manifest = task.backup.manifest
    major = dump.server_major
    if manifest is not None:
        with suppress(ValueError):
            major = int(manifest.server_version.partition(".")[0])
    if major is not None and major > server.major:
        raise RefusedError(
            f"{task.backup.name} comes from PostgreSQL {major}, and {task.url.redacted()} is "
            f"PostgreSQL {server.major}; an older server cannot restore it",
            hint=f"restore it on PostgreSQL {major} or newer: --into URL",
        )


def missing_extensions(task: Task, dump: PlainDump, server: TargetServer) -> list[str]:
    """Return the extensions that the server lacks, and that no table needs.

    Raises RefusedError for others, without --force: tables of an application may be lost.
    """
    missing = sorted(dump.extensions - server.extensions)
    manifest = task.backup.manifest
    told = None if manifest is None else manifest.extensions
    needed = [name for name in missing if told is None or told.get(name, ("?",))]
    if needed and not task.options.force:
        raise RefusedError(
            f"the backup needs extensions the server lacks: {', '.join(needed)}",
            hint="install them on the server (packages postgresql-contrib, "
            "postgresql-NN-pgvector), or restore to another one: --into URL; to leave out "
            "what needs them: --force",
        )
    return missing


def require_harmless(task: Task, dump: PlainDump, *, is_script: bool) -> None:
    """Raise RefusedError for an untrusted script with statements that do not belong in a dump."""
    if not is_script or not dump.dangers or task.options.trust:
        return
    lines = [f"  {danger}" for danger in dump.dangers[:SHOWN]]
    if len(dump.dangers) > SHOWN:
        lines.append(f"  and {len(dump.dangers) - SHOWN} more")
    raise RefusedError(
        "\n".join(
            [f"{task.backup.name} contains statements that do not belong in a dump:", *lines]
        ),
        hint="check these lines; if you trust the file: --trust",
    )


def lost_tables(task: Task, dump: PlainDump, server: TargetServer) -> list[str]:
    """Return the tables that the target has but the dump lacks; without --force raises if any."""
    there = {name.replace('"', "") for name in dump.tables}
    lost = [
        table
        for table in server.tables
        if table not in there and table.partition(".")[2] not in TABLE_NAMES
    ]
    if lost and not task.options.force:
        shown = ", ".join(lost[:SHOWN]) + (" ..." if len(lost) > SHOWN else "")
        raise RefusedError(
            f"{task.url.redacted()} has tables that the backup lacks: {shown}; after the restore "
            "they would exist only in the kept database",
            hint="replace only what the backup has: --in-place; or add --force",
        )
    return lost
