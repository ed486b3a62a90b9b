"""A PostgreSQL connection that reports what it waits for, and applies chatdb's settings."""

import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from typing import Any, Self

import psycopg
from psycopg import sql
from psycopg.waiting import Ready

from chatdb.db import lock_holders, lock_waits
from chatdb.db.lock_holders import LockHolder
from chatdb.db.postgresql.session_settings import connection_settings, transaction_settings

_CONNECT_SECONDS = 2
_LONGEST_PAUSE_SECONDS = 30.0


class PatientConnection(psycopg.Connection[Any]):
    """Checks after two seconds of waiting whether another session's lock is the reason.

    psycopg itself polls ten times a second for each answer, which lets Ctrl-C through: the time is
    checked there, without any thread.
    """

    parameters: Mapping[str, Any]
    backend_pid = 0

    @classmethod
    def open(cls, parameters: Mapping[str, Any]) -> Self:
        """Connect in autocommit: every BEGIN is our own. Raises psycopg.Error."""
        opened = cls.connect(**parameters, prepare_threshold=None, autocommit=True)
        opened.parameters = parameters
        opened.backend_pid = opened.info.backend_pid
        return opened

    def settle(self) -> None:
        """Apply the settings to all later statements, unless the session is a pooler's.

        A pooler answers the login with a process id that it invented: nothing is set then.
        """
        calls = sql.SQL(", ").join(
            sql.SQL("set_config({}, {}, false)").format(name, value)
            for name, value in connection_settings(self.info.server_version).items()
        )
        query = sql.SQL("SELECT {} WHERE pg_backend_pid() = {}")
        self.execute(query.format(calls, self.info.backend_pid))

    def begin(self, *, write: bool, snapshot: bool, settings: Mapping[str, str]) -> None:
        """Begin a transaction with its settings in one message to the server.

        A role's time limit on transactions runs from BEGIN on: the setting that lifts it must not
        wait for an answer.
        """
        everything = transaction_settings(self.info.server_version) | dict(settings)
        level = "REPEATABLE READ" if snapshot else "READ COMMITTED"
        mode = "" if write else ", READ ONLY"
        statements = [
            sql.SQL(f"BEGIN ISOLATION LEVEL {level}{mode}"),
            *(_set_local(name, value) for name, value in everything.items()),
            sql.SQL("SELECT pg_backend_pid()"),
        ]
        with closing(self.execute(sql.SQL("; ").join(statements))) as cursor:
            while cursor.nextset():
                pass
            row = cursor.fetchone()
        if row is not None:  # Behind a pooler each transaction has a different one.
            self.backend_pid = row[0]

    @contextmanager
    def reading(self, settings: Mapping[str, str], *, schema: str | None = None) -> Iterator[Self]:
        """Read in a separate transaction; anything it did by chance is rolled back."""
        path = {} if schema is None else {"search_path": schema}
        self.begin(write=False, snapshot=False, settings={**settings, **path})
        try:
            yield self
        finally:
            if not self.broken:
                self.rollback()

    def wait(self, gen: Any, *arguments: Any, **options: Any) -> Any:
        """Wait for an answer of the server, as psycopg does, and report a lock."""
        return super().wait(self._watched(gen), *arguments, **options)

    def _watched(self, gen: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        pause = lock_waits.SAY_AFTER_SECONDS
        due = time.monotonic() + pause
        holders: list[LockHolder] = []
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if ready == Ready.NONE and not holders and time.monotonic() >= due:
                    holders = self._blockers()
                    if holders:
                        lock_waits.tell(holders)
                    pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
                    due = time.monotonic() + pause
                wanted = gen.send(ready)
        except StopIteration as stop:
            return stop.value
        except psycopg.errors.LockNotAvailable as error:
            error.holders = holders  # type: ignore[attr-defined]
            raise

    def _blockers(self) -> list[LockHolder]:
        """Ask over another connection; if there is none, there is nothing to report."""
        parameters = {**self.parameters, "connect_timeout": _CONNECT_SECONDS}
        with (
            suppress(psycopg.Error),
            psycopg.connect(**parameters, prepare_threshold=None, autocommit=True) as other,
        ):
            return lock_holders.blockers(other, self.backend_pid)
        return []


def _set_local(name: str, value: str) -> sql.Composable:
    setting = sql.SQL(".").join(map(sql.Identifier, name.split(".")))
    written = sql.Identifier(value) if name == "search_path" else sql.Literal(value)
    return sql.SQL("SET LOCAL {} = {}").format(setting, written)
