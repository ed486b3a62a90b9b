"""`chatdb seed` in trouble: killed or interrupted, it leaves whole conversations, and goes on."""

import contextlib
import json
import signal
import subprocess

import pytest
import sqlalchemy as sa

from chatdb.db import schema
from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from chatdb.errors import ChatdbError
from chatdb.store.search_index import search_index_state
from tests.cli.conftest import Run, command_line, process_environment
from tests.cli.importing import count_of
from tests.postgres_server import wait_until

CONVERSATIONS = 3_000
MESSAGES = 2 * CONVERSATIONS
WORDS = ("seed", "--conversations", str(CONVERSATIONS), "--messages", str(MESSAGES))


def start(url: DatabaseUrl) -> subprocess.Popen[str]:
    """Start a seeding as a process."""
    return subprocess.Popen(
        command_line(*WORDS),
        env=process_environment({"DATABASE_URL": url.exposed()}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.large
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_the_next_run_completes_what_was_broken_off(
    database_url: DatabaseUrl, run_process: Run, sent: signal.Signals
) -> None:
    process = start(database_url)

    def some_are_in() -> bool:
        assert process.poll() is None, process.communicate()
        with contextlib.suppress(ChatdbError):
            return count_of(database_url) > 0
        return False

    wait_until(some_are_in, seconds=60)
    process.send_signal(sent)
    _, errors = process.communicate(timeout=60)

    if sent is signal.SIGINT:
        assert process.returncode == 130
        assert "everything made so far is saved; run the same command again for the rest" in errors
    there = count_of(database_url)
    assert 0 < there < CONVERSATIONS
    done = run_process(*WORDS, "--format", "json", env={"DATABASE_URL": database_url.exposed()})
    report = json.loads(done.stdout)
    assert (report["new"], report["unchanged"]) == (CONVERSATIONS - there, there)
    assert report["messages_new"] < MESSAGES
    assert count_of(database_url, schema.messages) == MESSAGES
    with Database.open(database_url) as database, database.transaction() as connection:
        assert search_index_state(connection) == "present"
        query = sa.select(schema.log.c.outcome).where(schema.log.c.kind == "import")
        assert connection.scalars(query).all().count("done") >= 5
