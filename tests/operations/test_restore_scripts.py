"""A plain SQL file that psql does not run to its end restores nothing, and says so."""

from pathlib import Path

import pytest

from chatdb.db.url import DatabaseUrl
from tests.operations.restoring import Run, plain_backup, without_log
from tests.postgres_server import PostgresServer

FILLER = f"-- {'x' * 100}\n" * 50_000


@pytest.mark.large
@pytest.mark.parametrize("way", [(), ("--in-place",)], ids=str)
@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("\\q", FILLER, "psql ended before it had read the whole script"),
        ("\\q", "", "psql ended before it had read the whole script"),
        ("\\if false", "", "invalid command"),
        ("\\set ON_ERROR_STOP 0", "SELECT 1/0;\n", "division by zero"),
        ("", "\\if false\n", "reached EOF without finding closing"),
    ],
    ids=["ends", "ends at once", "is no case", "goes on after errors", "leaves a case open"],
)
def test_a_trusted_script_that_psql_does_not_run_to_its_end_is_no_success(
    run: Run,
    filled_server: DatabaseUrl,
    postgres: PostgresServer,
    tmp_path: Path,
    way: tuple[str, ...],
    first: str,
    last: str,
    said: str,
) -> None:
    path = plain_backup(filled_server, tmp_path, postgres)
    path.write_text(f"{first}\n{path.read_text()}{last}")
    before = without_log(filled_server)

    done = run("restore", path, *way, "--trust", "--yes", "-d", filled_server.exposed())

    assert done.exit_code == 1
    assert said in done.stderr
    assert without_log(filled_server) == before
