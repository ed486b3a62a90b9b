"""A server in recovery: what reads works, what writes says so and names the next command."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import postgres_server
from tests.postgres_server import TEMPLATE, PostgresServer

pytestmark = pytest.mark.postgresql


@pytest.fixture(scope="module")
def standby(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[PostgresServer]:
    """A server of this module's own with a migrated database, which waits for a primary's log."""
    import tempfile

    from tests.conftest import _migrate

    folder = Path(tempfile.mkdtemp(prefix="chatdb-standby-"))
    folder.chmod(0o777)
    server = postgres_server.running_server(folder, request.config.getoption("--pg"))
    try:
        postgres_server.make_template(server, _migrate)
        stop = [postgres.binaries / "pg_ctl", "-D", folder / "data", "-m", "fast", "stop", "-w"]
        postgres_server._run(stop, folder)
        signal = folder / "data" / "standby.signal"
        signal.touch()
        postgres_server._give_away(signal)
        postgres_server._start(server)
        yield server
    finally:
        postgres_server.stop(folder)


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("conversations", "list"),
        ("search", "words"),
        ("export",),
        ("schema", "check"),
        ("backup", "create"),
        ("migrate",),
    ],
    ids=" ".join,
)
def test_what_only_reads_works_on_a_standby(
    run: Any, standby: PostgresServer, words: tuple[str, ...]
) -> None:
    done = run(*words, "-d", standby.url(TEMPLATE).exposed())

    assert done.exit_code == 0, done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("import", "chats.jsonl"),
        ("organizations", "create", "acme"),
        ("seed",),
        ("schema", "downgrade", "0004", "--yes"),
        ("restore", "backups/latest", "--yes"),
        ("restore", "backups/latest", "--yes", "--in-place"),
        ("environment", "set", "staging"),
    ],
    ids=" ".join,
)
def test_what_writes_names_the_standby_and_the_way_to_the_primary(
    run: Any, standby: PostgresServer, words: tuple[str, ...]
) -> None:
    Path("chats.jsonl").write_text('{"format":"chatdb","version":1}\n{"id":"a","messages":[]}\n')
    url = standby.url(TEMPLATE).exposed()
    if "restore" in words:
        assert run("backup", "create", "-d", url).exit_code == 0

    done = run(*words, "-d", url)

    assert done.exit_code == 1, done.stderr
    assert f"the server at 127.0.0.1:{standby.port} is a standby" in done.stderr
    assert "target_session_attrs=read-write" in done.stderr
