"""The state of the schema, whether chatdb can work with it, and its revisions.

Heavy modules are imported inside functions, because `require_current` runs before every command.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal
from uuid import UUID

from chatdb.db.migrating.revision import State, look, mismatch
from chatdb.db.migrating.scripts import head_revision, scripts

if TYPE_CHECKING:
    import sqlalchemy as sa

    from chatdb.db.database import Database
    from chatdb.db.migrating.migration_log import LoggedRun


@dataclass(frozen=True, slots=True)
class SchemaStatus:
    """The state of a database; `search_index` is present, deferred or off, None without a schema.

    `pending` are the revisions that `chatdb migrate` would apply, `elsewhere` the schemas of the
    database that have chatdb's tables if this one has none.
    """

    state: State
    revision: str | None
    head: str
    pending: tuple[str, ...]
    elsewhere: tuple[str, ...]
    search_index: str | None
    database: str
    schema: str | None
    server_version: str | None


@dataclass(frozen=True, slots=True)
class RevisionHistory:
    """One revision: applied or not, when and by which row of the log.

    `checksum` compares the script with the one that was run: ok, changed, or unknown if the log has
    no row (a database made from a dump); None for a revision that is not applied.
    """

    revision: str
    title: str
    applied: bool
    applied_at: datetime | None
    checksum: Literal["ok", "changed", "unknown"] | None
    log_id: UUID | None


def require_current(database: "Database") -> None:
    """Return if the schema is current; costs one query on a separate connection.

    Raises SchemaMismatchError with its `state` and what to type next, DatabaseUnreachableError.
    """
    seen = look(database.url, schema=database.schema)
    if seen.state != "current":
        raise mismatch(seen, database.url)


def prepare_new_sqlite(database: "Database") -> bool:
    """Migrate a SQLite file that does not exist yet or has no tables; tell whether it was one.

    One that is behind and contains no conversation counts as new: its creation was interrupted. A
    file with any other table belongs to someone: it is left alone, and only an explicit `chatdb
    migrate` adds chatdb's tables.
    """
    if database.url.path is None:
        return False
    if database.url.sqlite_path.exists():
        seen = look(database.url)
        is_new = seen.state == "empty" and not seen.tables
        if not is_new and not (seen.state == "behind" and holds_nothing(database)):
            return False
    from chatdb.db.migrating.migrations import upgrade

    return bool(upgrade(database))


def holds_nothing(database: "Database") -> bool:
    """Tell whether a database with a schema of chatdb's, of any revision, has no conversation."""
    import sqlalchemy as sa

    from chatdb.db.schema import conversations

    with database.transaction() as connection:
        return connection.execute(sa.select(conversations.c.id).limit(1)).first() is None


def status(database: "Database") -> SchemaStatus:
    """Return the state of the schema; raises only without a connection."""
    seen = look(database.url, schema=database.schema)
    names = [script.revision for script in scripts()]
    pending: list[str] = []
    if seen.state in ("behind", "empty"):
        pending = names[names.index(seen.revision) + 1 :] if seen.revision else names
    search_index = server_version = None
    if database.url.path is None or database.url.path.exists():
        from chatdb.store.search_index import search_index_state

        with database.transaction() as connection:
            server_version = database.dialect.server_version(connection)
            if seen.state == "current":
                search_index = search_index_state(connection)
    return SchemaStatus(
        state=seen.state,
        revision=seen.revision,
        head=head_revision(),
        pending=tuple(pending),
        elsewhere=seen.elsewhere,
        search_index=search_index,
        database=database.url.redacted(),
        schema=database.schema,
        server_version=server_version,
    )


def history(database: "Database") -> list[RevisionHistory]:
    """Return every revision this chatdb knows, oldest first.

    Raises SchemaMismatchError for a database of another program or of a newer chatdb.
    """
    seen = look(database.url, schema=database.schema)
    if seen.state not in ("current", "behind", "empty") or seen.elsewhere:
        raise mismatch(seen, database.url)
    names = [script.revision for script in scripts()]
    applied = names[: names.index(seen.revision) + 1] if seen.revision else []
    runs: dict[str, LoggedRun] = {}
    if seen.revision:
        with database.transaction() as connection:
            runs = applied_runs(connection)
    entries = []
    for script in scripts():
        run = runs.get(script.revision)
        is_applied = script.revision in applied
        checksum: Literal["ok", "changed", "unknown"] | None = None
        if is_applied:
            checksum = "unknown"
            if run is not None:
                checksum = "ok" if run.sha256 == script.sha256 else "changed"
        entries.append(
            RevisionHistory(
                revision=script.revision,
                title=script.title,
                applied=is_applied,
                applied_at=run.finished_at if run is not None and is_applied else None,
                checksum=checksum,
                log_id=run.id if run is not None and is_applied else None,
            )
        )
    return entries


def applied_runs(connection: "sa.Connection") -> "dict[str, LoggedRun]":
    """Return by revision the run that applied it last and was not reverted."""
    from chatdb.db.migrating.migration_log import read_runs

    standing: dict[str, LoggedRun] = {}
    for run in read_runs(connection):
        if run.outcome != "succeeded":
            continue
        if run.direction == "up":
            standing[run.revision] = run
        else:
            standing.pop(run.revision, None)
    return standing
