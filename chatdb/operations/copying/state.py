"""The progress of a copy into a database: kept in `chatdb_settings` until it is complete.

Each writing transaction updates it, so that the data and the recorded progress never differ.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Self
from uuid import UUID, uuid4

import msgspec
import sqlalchemy as sa

import chatdb
from chatdb.db import schema
from chatdb.db.contract.bulk import Ahead
from chatdb.db.database import Database
from chatdb.errors import ChatdbError, DatabaseLockedError, ExitCode, RefusedError
from chatdb.operations.organizations.public import DEFAULT
from chatdb.servers.processes import Process, find_process
from chatdb.store.search_index import (
    search_index_state,
    set_search_index_state,
    take_off_search_index,
)

KEY = "copy"

LogOutcome = Literal["done", "partial", "different", "interrupted", "failed"]


class CopyProgress(msgspec.Struct, frozen=True, kw_only=True):
    """All conversations up to this one, by ascending organization and id, have been written.

    `run` is the running chatdb, `step` counts its transactions, `source` is the database being
    copied, redacted. `pid` and `start` tell its process from any other; earlier chatdbs wrote none.
    """

    run: str
    step: int
    source: str
    organization: UUID | None = None
    conversation: UUID | None = None
    pid: int | None = None
    start: str | None = None

    @classmethod
    def of_this_process(cls, source: str) -> Self:
        """Return the beginning of a copy."""
        own = find_process(os.getpid())
        return cls(
            run=uuid4().hex,
            step=0,
            source=source,
            pid=None if own is None else own.pid,
            start=None if own is None else own.start,
        )

    @property
    def is_at_work(self) -> bool:
        """Tell whether another process of this machine goes on with it now."""
        if self.pid is None or self.start is None or self.pid == os.getpid():
            return False
        return Process(self.pid, self.start).is_alive()

    def gone_on_with(self) -> str:
        """Say that it is gone on with; whether it was broken off is known on this machine only."""
        own = find_process(os.getpid())
        boots = {each.start.partition(" ")[0] for each in (own, self) if each and each.start}
        if len(boots) == 1 and self.start is not None:
            return "going on with a copy that was broken off"
        return (
            "going on with a copy that another chatdb began; should that one still be at work on"
            f" another machine, it ends with exit code {ExitCode.REFUSED.value}"
        )


@dataclass(slots=True)
class CopyState:
    """One run of a copy into `destination`; `before` is where an earlier one stopped, if any."""

    destination: Database
    progress: CopyProgress
    before: CopyProgress | None
    log_id: UUID

    @contextmanager
    def step(
        self,
        database: Database | None = None,
        *,
        organization: UUID | None = None,
        conversation: UUID | None = None,
        ahead: Ahead = nullcontext,
    ) -> Iterator[sa.Connection | None]:
        """Open a transaction that writes and updates the progress; without ids it only counts.

        Yields None if the step was made before: its commit succeeded, but the reply was lost.
        Raises RefusedError if another chatdb has resumed the copy.
        """
        reached = msgspec.structs.replace(self.progress, step=self.progress.step + 1)
        if organization is not None:
            reached = msgspec.structs.replace(
                reached, organization=organization, conversation=conversation
            )
        bulk = self.destination.dialect.bulk()
        target = database or self.destination
        with (
            _holder_named(self.destination, self.progress),
            target.transaction(write=True, settings=bulk.transaction_settings) as connection,
        ):
            held = standing_copy(connection, lock=True)
            if held == reached:
                yield None
            elif held == self.progress:
                yield connection
                _write(connection, reached)
                with ahead():
                    connection.commit()
            else:
                raise RefusedError(
                    f"another chatdb has resumed the copy into {target.url.redacted()}",
                    hint="wait until it finishes",
                )
        self.progress = reached

    def log(self, outcome: LogOutcome, details: dict[str, Any], *, is_complete: bool) -> None:
        """Record how it ended; the record of a complete copy is removed."""
        with self.destination.transaction(write=True) as connection:
            if is_complete and standing_copy(connection, lock=True) == self.progress:
                connection.execute(sa.delete(schema.settings).where(schema.settings.c.key == KEY))
            connection.execute(
                sa.update(schema.log)
                .where(schema.log.c.id == self.log_id)
                .values(outcome=outcome, finished_at=datetime.now(UTC), details=details)
            )

    @contextmanager
    def logged_failure(self) -> Iterator[None]:
        """Record an interruption, whatever is raised inside."""
        try:
            yield
        except BaseException as error:
            outcome: LogOutcome = "failed"
            if isinstance(error, KeyboardInterrupt):
                outcome = "interrupted"
            with suppress(ChatdbError, sa.exc.SQLAlchemyError):
                self.log(outcome, {"chatdb": chatdb.__version__}, is_complete=False)
            raise


def begin(destination: Database, source: str, *, search_index: bool) -> CopyState:
    """Begin or resume a copy; the search index is dropped if that pays.

    Raises RefusedError for a database with other contents.
    """
    bulk = destination.dialect.bulk()
    progress = CopyProgress.of_this_process(source)
    with (
        _holder_named(destination, progress),
        destination.transaction(write=True, settings=bulk.transaction_settings) as connection,
    ):
        found = None if _claim(connection, progress) else standing_copy(connection, lock=True)
        before = _checked(connection, destination, source, found)
        if before is not None:
            progress = msgspec.structs.replace(
                progress, organization=before.organization, conversation=before.conversation
            )
            _write(connection, progress)
        _prepare_search_index(connection, destination, search_index=search_index)
        state = CopyState(destination, progress, before, uuid4())
        connection.execute(
            sa.insert(schema.log).values(
                id=state.log_id,
                kind="copy",
                subject=source,
                started_at=datetime.now(UTC),
                outcome="running",
                details={"chatdb": chatdb.__version__},
            )
        )
    return state


def standing(destination: Database, source: str) -> CopyProgress | None:
    """Return the progress of an earlier copy of this source, None for an empty database.

    Raises RefusedError for a database with other contents.
    """
    with destination.transaction() as connection:
        return _checked(connection, destination, source, standing_copy(connection))


def _checked(
    connection: sa.Connection, destination: Database, source: str, found: CopyProgress | None
) -> CopyProgress | None:
    """Return the copy found there, if it is of this source, None for an empty database."""
    place = destination.url.redacted()
    if found is not None:
        if found.source != source:
            raise RefusedError(
                f"{place} contains an incomplete copy of {found.source}",
                hint="to complete it, give that source as before; or copy into an empty database",
            )
        if found.is_at_work:
            raise RefusedError(
                f"another chatdb (pid {found.pid}) is copying {source} into {place} now",
                hint="let it come to its end, or end it; then run the same command again",
            )
        return found
    held = _first_content(connection)
    if held is not None:
        raise RefusedError(
            f"{place} is not empty: it contains {held}; nothing was changed",
            hint="a copy needs an empty database; to add to this one: chatdb export --all-orgs,"
            " then chatdb import --all-orgs",
        )
    return None


def _first_content(connection: sa.Connection) -> str | None:
    """Return the contents that a copy would mix with, in a word."""
    own = (
        *(schema.conversations, schema.tombstones, schema.snapshots),
        *(schema.files, schema.message_files, schema.message_embeddings),
    )
    for table in own:
        column = next(iter(table.primary_key.columns))
        if connection.execute(sa.select(column).limit(1)).first() is not None:
            return table.name
    key = schema.organizations.c.key
    other = sa.select(key).where(key != DEFAULT).limit(1)
    return "organizations" if connection.execute(other).first() is not None else None


def _prepare_search_index(
    connection: sa.Connection, destination: Database, *, search_index: bool
) -> None:
    present = search_index_state(connection) == "present"
    if not search_index:
        if present:
            take_off_search_index(destination, connection, "off")
        else:
            set_search_index_state(connection, "off")
    elif present and destination.dialect.bulk().defers_search_index:
        message = sa.select(schema.messages.c.conversation_id).limit(1)
        if connection.execute(message).first() is None:
            take_off_search_index(destination, connection, "deferred")


def standing_copy(connection: sa.Connection, *, lock: bool = False) -> CopyProgress | None:
    """Return the progress of an incomplete copy; `lock` keeps others from changing it."""
    table = schema.settings.c
    statement = sa.select(table.value).where(table.key == KEY)
    if lock:
        statement = statement.with_for_update()
    value = connection.scalar(statement)
    return None if value is None else msgspec.json.decode(value, type=CopyProgress)


def _claim(connection: sa.Connection, progress: CopyProgress) -> bool:
    """Record that a copy begins, and tell whether it is the first; a concurrent one waits here."""
    statement = sa.text(
        f"INSERT INTO {schema.settings.name} (key, value) VALUES (:key, :value)"
        " ON CONFLICT (key) DO NOTHING"
    )
    value = msgspec.json.encode(progress).decode()
    return connection.execute(statement, {"key": KEY, "value": value}).rowcount == 1


def _write(connection: sa.Connection, progress: CopyProgress) -> None:
    table = schema.settings
    value = msgspec.json.encode(progress).decode()
    connection.execute(sa.update(table).where(table.c.key == KEY).values(value=value))


@contextmanager
def _holder_named(destination: Database, own: CopyProgress) -> Iterator[None]:
    """Refuse a database that another copy may have locked."""
    try:
        yield
    except DatabaseLockedError as error:
        with destination.transaction() as connection:
            found = standing_copy(connection)
        if found is None or found.run == own.run:
            raise
        raise RefusedError(
            f"{error.text}; a copy of {found.source} into it was started and may still be running",
            hint="wait until it finishes, or end it; then run the same command again",
        ) from error
