"""Databases that change places: one or the other is there, whole, and can be put back."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Timer
from typing import Any
from zlib import crc32

import pytest

from chatdb.db.connect import connect_postgresql, connect_sqlite
from chatdb.db.contract.replacement import KeptDatabase
from chatdb.db.opening import open_replacement
from chatdb.db.postgresql.replacement import scratch, sweep
from chatdb.db.postgresql.server_databases import Server
from chatdb.db.url import DatabaseUrl
from chatdb.errors import DatabaseLockedError, NotFoundError, RefusedError, StorageError
from tests.postgres_server import PostgresServer, wait_until

ROOT = Path(__file__).resolve().parents[2]


def silent(_: str) -> None:
    """Hear nothing."""


def execute(url: DatabaseUrl, *statements: str) -> Any:
    """Run statements on either kind; return the rows of the last."""
    if url.path is not None:
        with closing(connect_sqlite(url, create=True)) as file:
            rows = [file.execute(statement).fetchall() for statement in statements]
        return rows[-1]
    with connect_postgresql(url, autocommit=True) as connection:
        for statement in statements:
            cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else None


def put_new(url: DatabaseUrl, number: int, *, force: bool = False) -> KeptDatabase | None:
    """Put a database with nothing but a number in it into the place."""
    with open_replacement(url, silent) as replacement, replacement.new() as new:
        execute(new, "CREATE TABLE mine (n integer)", f"INSERT INTO mine VALUES ({number})")
        return replacement.put(new, force=force)


def number_in(url: DatabaseUrl) -> int:
    """Return the number that `put_new` put there."""
    return int(execute(url, "SELECT n FROM mine")[0][0])


@pytest.fixture
def place(empty_database_url: DatabaseUrl) -> Iterator[DatabaseUrl]:
    """A place with the number 1 in it; on a server all that was kept is gone afterwards."""
    url = empty_database_url
    execute(url, "CREATE TABLE mine (n integer)", "INSERT INTO mine VALUES (1)")
    yield url
    if url.path is None:
        with open_replacement(url, silent) as replacement:
            for kept in replacement.kept():
                with Server.open(url) as server:
                    server.drop(kept.name)


def left_over(url: DatabaseUrl) -> list[str]:
    """Name what was begun and neither put nor removed."""
    if url.path is not None:
        return [path.name for path in url.path.parent.iterdir() if ".restoring" in path.name]
    start = f"chatdb_scratch_{crc32(url.database.encode()):08x}_"
    rows = execute(url.with_database("postgres"), "SELECT datname FROM pg_database")
    return [row[0] for row in rows if row[0].startswith(start)]


def test_what_was_there_is_kept_and_comes_back_as_often_as_asked(place: DatabaseUrl) -> None:
    kept = put_new(place, 2)

    assert kept is not None
    assert f"{place.name}_before_restore_20" in kept.name
    assert number_in(place) == 2
    for expected in (1, 2, 1):
        with open_replacement(place, silent) as replacement:
            replacement.put_back(replacement.find_kept(None), force=False)
            assert len(replacement.kept()) == 1
        assert number_in(place) == expected
    assert left_over(place) == []


def test_a_place_with_nothing_in_it_keeps_nothing(
    empty_database_url: DatabaseUrl, postgres: PostgresServer
) -> None:
    url = empty_database_url
    if url.path is None:
        url = url.with_database(url.database + "_new")

    assert put_new(url, 1) is None

    assert number_in(url) == 1
    with open_replacement(url, silent) as replacement, pytest.raises(NotFoundError):
        replacement.find_kept(None)
    if url.path is None:
        postgres.execute(f"DROP DATABASE {url.database}")


def test_a_failure_leaves_the_place_as_it_was_and_nothing_beside_it(place: DatabaseUrl) -> None:
    def fail() -> None:
        with open_replacement(place, silent) as replacement, replacement.new() as new:
            execute(new, "CREATE TABLE mine (n integer)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert number_in(place) == 1
    assert left_over(place) == []


def test_two_at_once_do_not_meet(place: DatabaseUrl) -> None:
    with (
        open_replacement(place, silent) as replacement,
        replacement.new(),
        pytest.raises(DatabaseLockedError, match="another chatdb"),
    ):
        put_new(place, 2)

    assert number_in(place) == 1


def test_who_is_connected_is_named_and_nothing_changes(place: DatabaseUrl) -> None:
    with use_elsewhere(place) as pid:
        with (
            open_replacement(place, silent) as replacement,
            pytest.raises(RefusedError, match=f"pid {pid}: "),
        ):
            replacement.require_alone()
        assert number_in(place) == 1
        if place.path is not None:
            with pytest.raises(RefusedError, match=f"pid {pid}: "):
                put_new(place, 2, force=True)
            assert execute(place, "PRAGMA journal_mode") == [("wal",)]
        else:
            put_new(place, 2, force=True)
            assert number_in(place) == 2


def test_who_comes_during_a_long_restore_is_waited_for_at_the_swap(
    empty_postgresql_url: DatabaseUrl,
) -> None:
    url, notes = empty_postgresql_url, list[str]()
    with open_replacement(url, notes.append) as replacement, replacement.new() as new:
        execute(new, "CREATE TABLE mine AS SELECT 2 AS n")
        session = connect_postgresql(url, application_name="late", autocommit=True)
        leaving = Timer(0.8, session.close)
        leaving.start()
        replacement.put(new, force=False)
        leaving.join()

    assert number_in(url) == 2
    # The server is that of all workers: what another test was ended with may be swept just now.
    (waited,) = (note for note in notes if note.startswith("waiting"))
    assert "late of chatdb" in waited
    with open_replacement(url, silent) as replacement, Server.open(url) as server:
        server.drop(replacement.find_kept(None).name)


class use_elsewhere:  # noqa: N801 - reads as the verb it is
    """Another program that holds the database open; entering gives the pid that is named."""

    def __init__(self, url: DatabaseUrl) -> None:
        self._url = url

    def __enter__(self) -> int:
        if self._url.path is None:
            self._session = connect_postgresql(self._url, autocommit=True)
            return int(self._session.info.backend_pid)
        script = (
            "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]);"
            "c.execute('SELECT * FROM mine').fetchall(); print(flush=True); sys.stdin.read()"
        )
        words = (sys.executable, "-c", script, str(self._url.path))
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self._process.stdout.readline()
        return self._process.pid

    def __exit__(self, *_: object) -> None:
        if self._url.path is None:
            self._session.close()
        else:
            self._process.communicate()


def test_a_kill_after_the_swap_leaves_the_new_one_and_the_next_sweeps(place: DatabaseUrl) -> None:
    script = """
import os, signal, sys
from chatdb.db.opening import open_replacement
from chatdb.db.url import parse_url
from tests.db.test_replacement import execute, silent
with open_replacement(parse_url(sys.argv[1]), silent) as replacement, replacement.new() as new:
    execute(new, "CREATE TABLE mine (n integer)", "INSERT INTO mine VALUES (2)")
    replacement.put(new, force=False)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    words = (sys.executable, "-c", script, place.exposed())
    done = subprocess.run(words, cwd=ROOT, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)})

    assert done.returncode == -signal.SIGKILL
    assert number_in(place) == 2
    wait_until(lambda: _can_be_opened(place))
    put_new(place, 3)
    assert number_in(place) == 3
    assert left_over(place) == []


def _can_be_opened(url: DatabaseUrl) -> bool:
    try:
        with open_replacement(url, silent):
            return True
    except DatabaseLockedError:
        return False


# --- PostgreSQL --------------------------------------------------------------------------------


def test_owner_rights_comment_and_settings_stay_with_the_name(
    empty_postgresql_url: DatabaseUrl, postgres: PostgresServer
) -> None:
    url, name = empty_postgresql_url, empty_postgresql_url.database
    role = f"owner_of_{name}"
    postgres.execute(
        f"CREATE ROLE {role}",
        f"ALTER DATABASE {name} OWNER TO {role}",
        f"REVOKE ALL ON DATABASE {name} FROM PUBLIC",
        f"GRANT CONNECT ON DATABASE {name} TO {role} WITH GRANT OPTION",
        f"COMMENT ON DATABASE {name} IS 'it''s ours'",
        f"""ALTER DATABASE {name} SET search_path TO "$user", 'odd, name', public""",
        f"ALTER DATABASE {name} SET app.note TO 'it''s = 1'",
        f"ALTER DATABASE {name} CONNECTION LIMIT 17",
        f"ALTER ROLE {role} IN DATABASE {name} SET statement_timeout TO '3s'",
    )
    query = f"""
        SELECT pg_get_userbyid(datdba), datacl::text, shobj_description(oid, 'pg_database'),
               datconnlimit, datcollate,
               (SELECT array_agg(setconfig::text ORDER BY setrole) FROM pg_db_role_setting
                WHERE setdatabase = d.oid)
        FROM pg_database d WHERE datname = '{name}'"""
    before = execute(url, query)
    oid = execute(url, f"SELECT oid FROM pg_database WHERE datname = '{name}'")

    put_new(url, 2)

    try:
        assert execute(url, query) == before
        assert execute(url, f"SELECT oid FROM pg_database WHERE datname = '{name}'") != oid
        assert '"odd, name", public' in before[0][5][0].replace("\\", "")
    finally:
        with open_replacement(url, silent) as replacement, Server.open(url) as server:
            server.drop(replacement.find_kept(None).name)
        postgres.execute(f"REASSIGN OWNED BY {role} TO chatdb; DROP ROLE {role}", database=name)


def test_an_owner_who_is_no_superuser_may_put_a_database_there(
    empty_postgresql_url: DatabaseUrl, postgres: PostgresServer
) -> None:
    name = empty_postgresql_url.database
    role = f"maker_of_{name}"
    postgres.execute(
        f"CREATE ROLE {role} LOGIN CREATEDB PASSWORD 'abc'",
        f"ALTER DATABASE {name} OWNER TO {role}",
    )
    url = replace(empty_postgresql_url, user=role, password="abc")
    kept = put_new(url, 2)

    try:
        assert number_in(url) == 2
    finally:
        with Server.open(empty_postgresql_url) as server:
            server.drop(kept.name if kept else "")
        postgres.execute(f"ALTER DATABASE {name} OWNER TO chatdb")
        postgres.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}", database=name)


def test_a_long_name_is_kept_under_a_name_that_fits(postgres: PostgresServer) -> None:
    name = "wörter_" * 7
    postgres.execute(f'CREATE DATABASE "{name}"')
    url = postgres.url(name)
    try:
        kept = put_new(url, 2)

        assert kept is not None
        assert len(kept.name.encode()) <= 63
        with open_replacement(url, silent) as replacement:
            replacement.put_back(replacement.find_kept(kept.name), force=False)
            names = [name, *(each.name for each in replacement.kept())]
    finally:
        postgres.execute(*(f'DROP DATABASE "{each}"' for each in names))


# --- SQLite ------------------------------------------------------------------------------------


def test_what_stood_in_the_log_only_is_kept_too(sqlite_url: DatabaseUrl) -> None:
    script = (
        "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1]);"
        "c.execute('CREATE TABLE mine AS SELECT 1 AS n'); c.commit(); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", script, str(sqlite_url.path)], check=False)
    assert sqlite_url.sqlite_path.with_name("chatdb.db-wal").stat().st_size > 0

    kept = put_new(sqlite_url, 2)

    assert kept is not None
    assert number_in(sqlite_url) == 2
    assert number_in(replace(sqlite_url, path=Path(kept.name))) == 1
    assert not sqlite_url.sqlite_path.with_name("chatdb.db-wal").exists()


@pytest.mark.parametrize("damage", [b"no database at all", None])
def test_a_damaged_file_can_be_replaced_and_is_kept_with_its_log(
    sqlite_url: DatabaseUrl, damage: bytes | None
) -> None:
    path = sqlite_url.sqlite_path
    log = path.with_name(path.name + "-wal")
    if damage is None:
        damage = path.read_bytes()[:100] + bytes(5000)
    path.write_bytes(damage)
    log.write_bytes(b"the log")

    kept = put_new(sqlite_url, 2)

    assert kept is not None
    assert number_in(sqlite_url) == 2
    assert not log.exists()
    assert Path(kept.name).read_bytes() == damage
    with open_replacement(sqlite_url, silent) as replacement:
        replacement.put_back(replacement.find_kept(None), force=False)
    assert path.read_bytes() == damage


def test_the_log_of_a_file_that_is_gone_is_not_read_into_the_next(sqlite_url: DatabaseUrl) -> None:
    path = sqlite_url.sqlite_path
    with closing(connect_sqlite(sqlite_url)) as connection:
        connection.execute("CREATE TABLE old AS SELECT 1 AS n")
        log = path.with_name(path.name + "-wal")
        bytes_of_the_log = log.read_bytes()
    path.unlink()
    log.write_bytes(bytes_of_the_log)

    put_new(sqlite_url, 2)

    assert number_in(sqlite_url) == 2
    assert execute(sqlite_url, "PRAGMA integrity_check") == [("ok",)]


def test_rights_and_log_mode_stay_with_the_name_and_a_link_stays_one(
    sqlite_url: DatabaseUrl, tmp_path: Path
) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(sqlite_url.sqlite_path)
    sqlite_url.sqlite_path.chmod(0o640)

    put_new(replace(sqlite_url, path=link), 2)

    assert link.is_symlink()
    assert number_in(sqlite_url) == 2
    assert sqlite_url.sqlite_path.stat().st_mode & 0o777 == 0o640
    assert execute(sqlite_url, "PRAGMA journal_mode") == [("wal",)]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    url = DatabaseUrl(dialect_name="sqlite", path=tmp_path / "file" / "a.db")

    with pytest.raises(StorageError, match=r"a\.db"):
        put_new(url, 1)


def test_a_scratch_database_in_use_is_not_swept_by_way_of_another_database(
    postgres: PostgresServer, empty_postgresql_url: DatabaseUrl
) -> None:
    first = postgres.url("postgres")
    with (
        Server.open(first) as one,
        scratch(one, first, like_target=False) as new,
        Server.open(empty_postgresql_url) as other,
    ):
        sweep(other, silent)

        assert execute(new, "SELECT 1") == [(1,)]
