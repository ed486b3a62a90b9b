"""Tar archives of pg_dump, whole and cut."""

from pathlib import Path

from chatdb.db.url import DatabaseUrl
from tests.operations.restoring import Run, contents, execute, fill, kept_removed, pg_dump
from tests.postgres_server import PostgresServer


def test_a_tar_archive_comes_back_and_one_that_is_cut_is_refused(
    run: Run, postgresql_url: DatabaseUrl, postgres: PostgresServer, tmp_path: Path
) -> None:
    fill(postgresql_url)
    before = contents(postgresql_url).content_hash
    path = tmp_path / "chat.tar"
    pg_dump(postgres, postgresql_url, "--format=tar", f"--file={path}")
    into = ("--yes", "--database-url", postgresql_url.exposed())
    execute(postgresql_url, "DELETE FROM conversations")

    with kept_removed(postgresql_url):
        assert run("backup", "verify", path).exit_code == 0
        done = run("restore", path, *into)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        verified = run("backup", "verify", path)
        refused = run("restore", path, *into)
        after = contents(postgresql_url).content_hash

    assert done.exit_code == 0, done.stderr
    assert (verified.exit_code, refused.exit_code) == (1, 1)
    assert "tar archive" in refused.stderr
    assert after == before
