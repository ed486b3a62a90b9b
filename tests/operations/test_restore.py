"""`chatdb restore`: the backup is there, whole, or the database is what it was."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from chatdb.db.url import DatabaseUrl
from tests.operations.restoring import (
    Run,
    conversations_in,
    execute,
    foreign_backup,
    kept_removed,
    plain_backup,
    without_log,
)
from tests.postgres_server import PostgresServer

FIXTURES = Path(__file__).parents[1] / "dumps"


@pytest.fixture
def restore(run: Run, filled: DatabaseUrl) -> Run:
    """Run the command on this database."""
    return lambda *words: run("restore", *words, "--database-url", filled.exposed())


def test_a_backup_comes_back_to_the_last_byte(
    restore: Run, filled: DatabaseUrl, backup: Path
) -> None:
    before = without_log(filled)
    texts = execute(filled, "SELECT content FROM messages ORDER BY id")
    execute(filled, "DELETE FROM messages", "DELETE FROM conversations")

    done = restore(backup, "--yes")

    assert done.exit_code == 0, done.stderr
    assert "3 conversations, 6 messages" in done.stdout
    assert without_log(filled) == before
    assert execute(filled, "SELECT content FROM messages ORDER BY id") == texts


def test_what_was_there_is_kept_and_undo_goes_back_and_forth(
    restore: Run, filled: DatabaseUrl, backup: Path
) -> None:
    execute(filled, "DELETE FROM conversations")
    done = restore(backup, "--yes")
    assert "_before_restore_20" in done.stderr
    assert "restore --undo" in done.stderr

    for expected in (0, 3):
        undone = restore("--undo", "--yes", "--format", "json")
        assert undone.exit_code == 0, undone.stderr
        assert conversations_in(filled) == expected
        assert json.loads(undone.stdout)["kept"] != json.loads(undone.stdout)["put_back"]


def test_a_dry_run_tells_and_writes_nothing(
    restore: Run, filled: DatabaseUrl, backup: Path, tmp_path: Path
) -> None:
    execute(filled, "DELETE FROM conversations")
    before = sorted(path.name for path in tmp_path.iterdir())

    done = restore(backup, "--dry-run", "--format", "json")

    assert done.exit_code == 0, done.stderr
    plan = json.loads(done.stdout)
    assert (plan["replaces"], plan["dry_run"]) == (True, True)
    assert plan["backup"].endswith(backup.name)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert conversations_in(filled) == 0
    assert restore("--undo", "--dry-run").exit_code == 5


def test_it_is_asked_for_and_on_production_by_name(
    restore: Run, run: Run, filled: DatabaseUrl, backup: Path
) -> None:
    refused = restore(backup)
    assert refused.exit_code == 6
    assert "This will replace" in refused.stderr

    run("environment", "set", "production", "--database-url", filled.exposed())
    assert restore(backup, "--yes").exit_code == 6
    done = restore(backup, "--yes", "--confirm", filled.name)
    assert done.exit_code == 0, done.stderr


def test_the_label_stays_with_the_place(
    restore: Run, run: Run, filled: DatabaseUrl, backup: Path
) -> None:
    label = "SELECT value FROM chatdb_settings WHERE key = 'environment'"
    run("environment", "set", "staging", "--database-url", filled.exposed())
    assert restore(backup, "--yes").exit_code == 0
    assert execute(filled, label) == [("staging",)]

    log = "SELECT kind, subject FROM chatdb_log WHERE kind = 'restore'"
    assert execute(filled, log) == [("restore", backup.name)]


def test_leases_of_long_ago_do_not_come_back(
    restore: Run, filled: DatabaseUrl, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    execute(
        filled,
        "INSERT INTO chatdb_leases (name, owner, expires_at)"
        " VALUES ('import', 'nobody', '2999-01-01 00:00:00+00')",
    )
    server = request.getfixturevalue("postgres") if filled.path is None else None

    assert restore(foreign_backup(filled, tmp_path, server), "--yes").exit_code == 0

    assert execute(filled, "SELECT count(*) FROM chatdb_leases") == [(0,)]


def test_a_place_without_a_database_gets_one(
    run: Run, filled: DatabaseUrl, backup: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if filled.path is None:
        place = filled.with_database(filled.database + "_new")
    else:
        place = replace(filled, path=tmp_path / "deep" / "new.db")

    done = run("restore", backup, "--into", place.exposed())

    assert done.exit_code == 0, done.stderr
    assert conversations_in(place) == 3
    if place.path is None:
        request.getfixturevalue("postgres").execute(f"DROP DATABASE {place.database}")


@pytest.mark.parametrize("harm", ["cut", "other", "empty"])
def test_a_file_that_is_no_backup_changes_nothing(
    restore: Run, filled: DatabaseUrl, backup: Path, harm: str
) -> None:
    whole = backup.read_bytes()
    backup.write_bytes(
        {"cut": whole[: len(whole) * 2 // 3], "other": b"\x00chat\n" * 99, "empty": b""}[harm]
    )
    execute(filled, "DELETE FROM conversations WHERE title LIKE '% 3'")

    done = restore(backup, "--yes")

    assert done.exit_code == 1, done.stderr
    assert conversations_in(filled) == 2
    assert restore("--undo", "--dry-run").exit_code == 5


def test_a_backup_of_the_other_kind_is_told_the_way(
    run: Run, sqlite_url: DatabaseUrl, tmp_path: Path
) -> None:
    copy = foreign_backup(sqlite_url, tmp_path)

    done = run("restore", copy, "--into", "postgresql://localhost:1/x", "--yes")

    assert done.exit_code == 2
    assert "chatdb copy" in done.stderr


# --- PostgreSQL --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options", [(), ("--clean",), ("--create",), ("--inserts",), ("--schema=public",)]
)
def test_plain_dumps_come_back_however_they_were_made(
    run: Run,
    filled_server: DatabaseUrl,
    postgres: PostgresServer,
    tmp_path: Path,
    options: tuple[str, ...],
) -> None:
    before = without_log(filled_server)
    path = plain_backup(filled_server, tmp_path, postgres, *options, packed=not options)
    execute(filled_server, "DELETE FROM conversations")

    done = run("restore", path, "--yes", "--database-url", filled_server.exposed())

    assert done.exit_code == 0, done.stderr
    assert (
        "can run any statement"
        in run("restore", path, "--dry-run", "--database-url", filled_server.exposed()).stdout
    )
    assert without_log(filled_server) == before


def test_a_script_that_would_run_programs_is_refused_and_run_when_trusted(
    run: Run, filled_server: DatabaseUrl, postgres: PostgresServer, tmp_path: Path
) -> None:
    path = plain_backup(filled_server, tmp_path, postgres)
    mark = tmp_path / "mark"
    path.write_text(path.read_text() + f"\n\\! touch {mark}\n")
    words = ("restore", path, "--yes", "--database-url", filled_server.exposed())

    refused = run(*words)
    assert refused.exit_code == 6
    assert "is a psql command" in refused.stderr
    assert not mark.exists()

    assert run(*words, "--trust").exit_code == 0
    assert mark.exists()


def test_a_script_with_an_error_in_it_changes_nothing(
    run: Run, filled_server: DatabaseUrl, postgres: PostgresServer, tmp_path: Path
) -> None:
    path = plain_backup(filled_server, tmp_path, postgres)
    path.write_text(path.read_text() + "\nSELECT * FROM no_such_table;\n")
    execute(filled_server, "DELETE FROM conversations")

    done = run("restore", path, "--yes", "--database-url", filled_server.exposed())

    assert done.exit_code == 1
    assert 'relation "no_such_table" does not exist' in done.stderr
    assert conversations_in(filled_server) == 0


def test_a_script_that_lacks_its_end_or_any_table_is_refused_before_anything(
    run: Run, filled_server: DatabaseUrl, postgres: PostgresServer, tmp_path: Path
) -> None:
    path = plain_backup(filled_server, tmp_path, postgres)
    whole = path.read_text()
    cut = whole[: whole.index("ALTER TABLE ONLY")]
    words = ("restore", path, "--yes", "--database-url", filled_server.exposed())

    for text, why in (("", "no tables"), ("-- nothing\n", "no tables"), (cut, "is truncated")):
        path.write_text(text)
        done = run(*words)

        assert done.exit_code == 1
        assert why in done.stderr
    assert conversations_in(filled_server) == 3
    assert run(*words, "--force", "--dry-run").exit_code == 0


def test_roles_that_are_missing_are_named_and_done_without(
    run: Run, filled_server: DatabaseUrl, postgres: PostgresServer, tmp_path: Path
) -> None:
    gone, there = f"gone_{filled_server.database}", f"there_{filled_server.database}"
    execute(
        filled_server,
        f"CREATE ROLE {gone}",
        f"CREATE ROLE {there}",
        f"GRANT SELECT ON messages TO {gone}, {there}",
        f"ALTER TABLE snapshots OWNER TO {gone}",
    )
    backups = [
        foreign_backup(filled_server, tmp_path, postgres),
        plain_backup(filled_server, tmp_path, postgres),
    ]
    execute(
        filled_server,
        f"REASSIGN OWNED BY {gone} TO chatdb",
        f"DROP OWNED BY {gone}",
        f"DROP ROLE {gone}",
    )
    for path in backups:
        done = run("restore", path, "--yes", "--database-url", filled_server.exposed())

        assert done.exit_code == 0, done.stderr
        told = run("restore", path, "--dry-run", "--database-url", filled_server.exposed())
        assert f"the server lacks role {gone}" in told.stdout
        query = "SELECT relacl::text FROM pg_class WHERE relname = 'messages'"
        assert there in execute(filled_server, query)[0][0]


def test_an_owner_who_is_no_member_of_the_roles_of_the_backup_gets_what_was_theirs(
    run: Run, filled_server: DatabaseUrl, postgres: PostgresServer, tmp_path: Path
) -> None:
    name = filled_server.database
    role = f"maker_of_{name}"
    archive = foreign_backup(filled_server, tmp_path, postgres)
    script = plain_backup(filled_server, tmp_path, postgres)
    execute(
        filled_server,
        f"CREATE ROLE {role} LOGIN CREATEDB PASSWORD 'abc'",
        f"ALTER DATABASE {name} OWNER TO {role}",
        "DROP SCHEMA public CASCADE",
        "CREATE SCHEMA public",
    )
    try:
        as_maker = ("--database-url", replace(filled_server, user=role, password="abc").exposed())
        verified = run("backup", "verify", archive, "--restore", *as_maker)
        done = run("restore", script, "--yes", *as_maker)

        assert verified.exit_code == 0, verified.stdout
        assert done.exit_code == 0, done.stderr
        assert "not a member of role chatdb" in done.stderr
        owner = "SELECT tableowner FROM pg_tables WHERE tablename = 'messages'"
        assert execute(filled_server, owner) == [(role,)]
        assert conversations_in(filled_server) == 3
    finally:
        # What was restored, and what is kept, go with their databases.
        postgres.execute(f"REASSIGN OWNED BY {role} TO chatdb")
        postgres.execute(f"REASSIGN OWNED BY {role} TO chatdb", database=name)


@pytest.mark.parametrize("major", [15, 18])
def test_a_dump_goes_to_a_server_as_new_or_newer_and_to_no_older_one(
    run: Run, filled_server: DatabaseUrl, major: int
) -> None:
    path = FIXTURES / f"relay_{major}_20251125_100000.dump"
    execute(filled_server, "DELETE FROM conversations")
    (version,) = execute(filled_server, "SHOW server_version_num")[0]
    there = int(version) // 10_000

    done = run("restore", path, "--yes", "--database-url", filled_server.exposed())

    if there < major:
        assert done.exit_code == 6
        assert "an older server cannot restore it" in done.stderr
        assert conversations_in(filled_server) == 0
    else:
        assert done.exit_code == 0, done.stderr
        assert conversations_in(filled_server) == 3
        status = run("schema", "status", "--format", "json", "-d", filled_server.exposed())
        assert json.loads(status.stdout)["state"] == "current"


def test_tables_that_the_backup_has_not_are_not_lost_unsaid(
    run: Run, filled_server: DatabaseUrl, postgres: PostgresServer, tmp_path: Path
) -> None:
    path = foreign_backup(filled_server, tmp_path, postgres)
    execute(filled_server, "CREATE SCHEMA app", "CREATE TABLE app.users (id int)")
    words = ("restore", path, "--yes", "--database-url", filled_server.exposed())

    refused = run(*words)

    assert refused.exit_code == 6
    assert "app.users" in refused.stderr
    assert run(*words, "--force").exit_code == 0
    assert execute(filled_server, "SELECT to_regclass('app.users')::text") == [(None,)]


def test_an_extension_that_the_server_lacks_is_named_before_anything(
    run: Run, filled_server: DatabaseUrl, postgres: PostgresServer, tmp_path: Path
) -> None:
    path = plain_backup(filled_server, tmp_path, postgres)
    path.write_text("CREATE EXTENSION IF NOT EXISTS no_such_thing;\n" + path.read_text())

    done = run("restore", path, "--yes", "--database-url", filled_server.exposed())

    assert done.exit_code == 6
    assert "no_such_thing" in done.stderr


@pytest.mark.corpus
@pytest.mark.parametrize("name", ["seed-chatmcp", "seed-helvino", "seed-relay2"])
def test_real_dumps_of_other_applications_come_in_with_every_row(
    run: Run, empty_postgresql_url: DatabaseUrl, corpus: Path, name: str
) -> None:
    url = empty_postgresql_url
    with kept_removed(url):
        done = run("restore", corpus / "pg_dump" / f"{name}.sql", "--yes", "-d", url.exposed())

        if "uuid-ossp" in done.stderr:  # the wheel's server comes without it
            assert done.exit_code == 6
            assert execute(url, "SELECT to_regclass('messages')::text") == [(None,)]
        else:
            assert done.exit_code == 0, done.stderr
            assert "public.messages: " in done.stdout
