"""The state of a project's development server, and migrating its database."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from chatdb.db.connect import connect_postgresql
from chatdb.db.label import PRODUCTION, Label
from chatdb.db.migrating.revision import look, translated
from chatdb.db.url import DatabaseUrl
from chatdb.errors import ChatdbError, EngineUnavailableError, ServerFailedError
from chatdb.operations.dev_db.dev_db import DevDatabase
from chatdb.operations.dev_db.memory import Project
from chatdb.operations.migrating.public import already_there, bring_up
from chatdb.servers.base import ServerState

if TYPE_CHECKING:
    from chatdb.db.migrating.migrations import AppliedRevision, MigrationWatch

UNKNOWN = "unknown"
"""The state of a server whose engine does not answer, or whose data is damaged."""

_LOCK_SECONDS = 60.0
_LOCK_TIMEOUT_SECONDS = 5.0
_FACTS = "SELECT current_setting('server_version'), pg_database_size(current_database())"


@dataclass(frozen=True, slots=True, kw_only=True)
class DevStatus:
    """A server at a glance; None for values that do not exist, or are unknown while it is stopped.

    `url` is redacted, `bytes` the size of the database, `schema_state` a word of `schema status`;
    `problem` says why a running server cannot be asked.
    """

    engine: str | None
    state: str
    version: str | None = None
    url: str | None = None
    process: str | None = None
    started_at: datetime | None = None
    uptime_seconds: int | None = None
    bytes: int | None = None
    schema_state: str | None = None
    revision: str | None = None
    data: str | None = None
    problem: str | None = None


def status(dev: DevDatabase) -> DevStatus:
    """Return the state of the project's server; `absent` for a project without one."""
    if dev.project.load() is None:
        return DevStatus(engine=None, state=ServerState.ABSENT.value)
    engine, server = dev.remembered()
    try:
        seen = engine.look(server)
    except (EngineUnavailableError, ServerFailedError) as error:
        return DevStatus(
            engine=engine.name, state=UNKNOWN, url=server.url.redacted(), problem=error.text
        )
    version = size = schema_state = revision = problem = None
    if seen.state is ServerState.RUNNING:
        try:
            version, size = _facts(server.url)
            schema = look(server.url)
            schema_state, revision = schema.state, schema.revision
        except ChatdbError as error:
            problem = error.text
    uptime = None if seen.started_at is None else datetime.now(UTC) - seen.started_at
    return DevStatus(
        engine=engine.name,
        state=seen.state.value,
        version=version or (str(seen.major) if seen.major is not None else None),
        url=server.url.redacted(),
        process=seen.process,
        started_at=seen.started_at,
        uptime_seconds=None if uptime is None else round(uptime.total_seconds()),
        bytes=size,
        schema_state=schema_state,
        revision=revision,
        data=seen.data,
        problem=problem,
    )


def label_noted(project: Project, url: DatabaseUrl) -> Label:
    """Return the label of a stopped server, as it was last recorded."""
    return Label(url.database, PRODUCTION if project.was_production() else None)


def migrate_server(url: DatabaseUrl, *, watch: "MigrationWatch") -> "list[AppliedRevision]":
    """Bring the server's database to head.

    Raises what `chatdb.db.migrating.migrations.upgrade` raises.
    """
    if already_there(url, schema=None, revision=None, wait=None, note=watch.note):
        return []
    from chatdb.db.database import Database

    with Database.open(url) as database:
        return bring_up(
            database,
            None,
            lock_wait=_LOCK_SECONDS,
            lock_timeout=_LOCK_TIMEOUT_SECONDS,
            keep_copy=False,
            watch=watch,
        )


def _facts(url: DatabaseUrl) -> tuple[str, int]:
    with translated(url), connect_postgresql(url, autocommit=True) as connection:
        row = connection.execute(_FACTS).fetchone()
    return (str(row[0]).split()[0], int(row[1])) if row else ("", 0)
