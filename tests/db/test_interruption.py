"""Ctrl-C and termination while a statement is under way: nothing is left behind or done again."""

import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Self

import psycopg
import pytest

import chatdb.db
from chatdb.db.connect import connect_postgresql, driver_connection
from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from chatdb.primitives.interruption import interruption_behind
from tests.postgres_server import wait_until

WATCHED = (str(Path(chatdb.db.__file__).parent), str(Path(psycopg.__file__).parent))
"""Whose calls are interrupted."""


class InterruptAtCall:
    """Raises at the given call that the block makes, or step of a generator; counts them.

    There Python runs a signal's handler; an exception between any two lines would leave locks held.
    """

    def __init__(self, number: int, interruption: BaseException) -> None:
        self.calls = 0
        self._number = number
        self._interruption = interruption

    def __enter__(self) -> Self:
        self._before = sys.gettrace()
        sys.settrace(self._on_call)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _on_call(self, frame: FrameType, _event: str, _value: object) -> None:
        if frame.f_code.co_filename.startswith(WATCHED):
            self.calls += 1
            if self.calls == self._number:
                raise self._interruption


def sessions(url: DatabaseUrl) -> int:
    with connect_postgresql(url, application_name="counting", autocommit=True) as connection:
        rows = connection.execute(
            "SELECT FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'chatdb'"
        )
        return len(rows.fetchall())


def load(database: Database) -> None:
    """Write as a bulk load does: by the driver's own cursor."""
    with database.transaction(write=True) as connection:
        driver = driver_connection(connection)
        with driver.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM messages")
            cursor.fetchall()
            with cursor.copy("COPY loaded FROM STDIN") as copy:
                copy.write(b"1\n")


@pytest.mark.large
@pytest.mark.postgresql
@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_an_interruption_at_any_call_is_raised_and_leaves_the_connections_usable(
    postgresql_url: DatabaseUrl, caplog: pytest.LogCaptureFixture, interruption: type[BaseException]
) -> None:
    with connect_postgresql(postgresql_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE loaded (number int)")
    with Database.open(postgresql_url) as database, database.loading() as loading:
        load(loading)
        with InterruptAtCall(0, interruption()) as counting:
            load(loading)
        assert counting.calls > 100

        for number in range(1, counting.calls):
            with pytest.raises(interruption), InterruptAtCall(number, interruption()):
                load(loading)
            load(loading)
            told = [each for each in caplog.records if not each.name.startswith("psycopg")]
            assert told == [], number  # psycopg's own: a COPY that it could not end

    wait_until(lambda: sessions(postgresql_url) == 0, seconds=10)


@pytest.mark.postgresql
def test_termination_cancels_what_runs_on_the_server(postgresql_url: DatabaseUrl) -> None:
    """Without it the server would go on until it has something to send."""

    def terminate(_number: int, _frame: object) -> None:
        raise SystemExit(143)

    before = signal.signal(signal.SIGTERM, terminate)
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM))
    timer.start()
    began = time.monotonic()
    try:
        with (
            Database.open(postgresql_url) as database,
            pytest.raises(SystemExit),
            database.transaction() as connection,
        ):
            connection.exec_driver_sql("SELECT pg_sleep(300)")
    finally:
        timer.join()
        signal.signal(signal.SIGTERM, before)

    wait_until(lambda: sessions(postgresql_url) == 0, seconds=10)
    assert time.monotonic() - began < 100


def test_the_interruption_behind_an_error_is_found() -> None:
    def raised(first: BaseException, second: Exception) -> BaseException:
        try:
            try:
                raise first
            finally:
                raise second
        except Exception as error:  # noqa: BLE001 - any
            return error

    interruption = KeyboardInterrupt()
    assert interruption_behind(raised(interruption, ValueError())) is interruption
    assert interruption_behind(raised(OSError(), ValueError())) is None
    assert interruption_behind(raised(GeneratorExit(), ValueError())) is None
