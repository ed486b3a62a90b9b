"""A PostgreSQL connection that reports what it waits for, and applies chatdb's settings."""

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from typing import Any, Self

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus
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
        # PgBouncer before 1.21 fails at prepared statements: another client's session has the name.
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
        # The condition is in the query: asking first would cost a second message.
        self.execute(query.format(calls, self.info.backend_pid))

    def begin(self, *, write: bool, snapshot: bool, settings: Mapping[str, str]) -> None:
        """Begin a transaction with its settings in one message to the server.

        A role's time limit on transactions runs from BEGIN on: the setting that lifts it must not
        wait for an answer.
        """
        everything = transaction_settings(self.info.server_version) | dict(settings)
        # Named: a role's default of SERIALIZABLE would make imports fail with 40001.
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
        """Wait for an answer of the server, as psycopg does, and report a lock.

        An interruption leaves no command under way: what it cut off is cancelled, or the connection
        closed, which rolls back.
        """
        try:
            watch: Any = _Watch(gen, self._blockers)
            return super().wait(watch, *arguments, **options)
        except (KeyboardInterrupt, SystemExit):
            self._break_off()
            raise

    def _break_off(self) -> None:
        """End a command whose answer nobody will read.

        psycopg does so unless the interruption came while its steps in Python ran: they are over
        then, and the connection would refuse even a rollback.
        """
        if self.pgconn.transaction_status != TransactionStatus.ACTIVE:
            return
        with suppress(psycopg.Error):
            # A statement goes on in the server after its client is gone, and keeps its locks.
            self.cancel_safe(timeout=_CONNECT_SECONDS)
        self.close()

    def _blockers(self) -> list[LockHolder]:
        """Ask over another connection; if there is none, there is nothing to report."""
        parameters = {**self.parameters, "connect_timeout": _CONNECT_SECONDS}
        with (
            suppress(psycopg.Error),
            psycopg.connect(**parameters, prepare_threshold=None, autocommit=True) as other,
        ):
            return lock_holders.blockers(other, self.backend_pid)
        return []


class _Watch:
    """The steps of one command; `blockers` returns who holds the lock that it waits for.

    Not a generator: an exception raised in this code, as Ctrl-C may be, would end it, and psycopg
    could not go on with the steps to read the answer to its cancellation.
    """

    def __init__(
        self, steps: Generator[Any, Any, Any], blockers: Callable[[], list[LockHolder]]
    ) -> None:
        self._steps = steps
        self._blockers = blockers
        self._holders: list[LockHolder] = []
        self._pause = lock_waits.SAY_AFTER_SECONDS
        self._due = time.monotonic() + self._pause

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        return self.send(None)

    def send(self, ready: Any) -> Any:
        """Return what the next step waits for; raises StopIteration with the result."""
        if ready == Ready.NONE and not self._holders and time.monotonic() >= self._due:
            self._look()
        try:
            return self._steps.send(ready)
        except psycopg.errors.LockNotAvailable as error:
            error.holders = self._holders  # type: ignore[attr-defined]
            raise

    def _look(self) -> None:
        self._holders = self._blockers()
        if self._holders:
            lock_waits.tell(self._holders)
        # A long statement that waits for nobody is asked about seldom:
        # each look is a new connection.
        self._pause = min(self._pause * 2, _LONGEST_PAUSE_SECONDS)
        self._due = time.monotonic() + self._pause


def _set_local(name: str, value: str) -> sql.Composable:
    setting = sql.SQL(".").join(map(sql.Identifier, name.split(".")))
    written = sql.Identifier(value) if name == "search_path" else sql.Literal(value)
    return sql.SQL("SET LOCAL {} = {}").format(setting, written)
