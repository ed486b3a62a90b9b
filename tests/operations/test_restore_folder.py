"""A folder that pg_dump made, without a name that tells it."""

from pathlib import Path

from chatdb.db.url import DatabaseUrl
from tests.operations.restoring import Run, contents, execute, fill, kept_removed, pg_dump
from tests.postgres_server import PostgresServer


def test_a_folder_of_pg_dump_comes_back_whatever_its_name_is(
    run: Run, postgresql_url: DatabaseUrl, postgres: PostgresServer, tmp_path: Path
) -> None:
    fill(postgresql_url)
    before = contents(postgresql_url).content_hash
    path = tmp_path / "mine"
    pg_dump(postgres, postgresql_url, "-Fd", f"--file={path}")
    execute(postgresql_url, "DELETE FROM conversations")

    with kept_removed(postgresql_url):
        done = run("restore", path, "--yes", "--database-url", postgresql_url.exposed())

    assert done.exit_code == 0, done.stderr
    assert contents(postgresql_url).content_hash == before
    assert run("backup", "verify", path).exit_code == 0
    data = (
        max(path.glob("*.dat.gz"), key=lambda each: each.stat().st_size) if path.is_dir() else path
    )
    data.write_bytes(data.read_bytes()[: data.stat().st_size // 2])
    assert run("backup", "verify", path).exit_code == 1
