"""Dumps on a server of chatdb's own: as a user who may do nothing but that."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from chatdb.backups.dump_files import find_dump
from chatdb.db.url import DatabaseUrl
from chatdb.errors import DatabaseFailedError, NotFoundError
from chatdb.operations.dumps.archive import Archive, prepared
from chatdb.operations.dumps.archive_script import archive_script
from chatdb.operations.importing.dump_places import Places, ScratchOptions, places
from chatdb.operations.importing.dumps import restored_dump, restored_dumps
from chatdb.operations.importing.inputs import Input, find_inputs
from chatdb.servers.dump_programs import DumpPrograms
from tests.layouts.foreign_databases import make_postgresql
from tests.operations.restoring import Silence, execute, pg_dump
from tests.postgres_server import PostgresServer
from tests.servers.projects import open_folder

TRICK = """
SET check_function_bodies = false;
CREATE FUNCTION public.trick() RETURNS integer LANGUAGE plpgsql AS $$
BEGIN EXECUTE 'CO' || 'PY (SELECT 1) TO PRO' || 'GRAM ''touch {target}'''; RETURN 1; END $$;
CREATE TABLE public.chats (id integer DEFAULT public.trick(), title text);
INSERT INTO public.chats (title) VALUES ('x');
"""


def no_development_server() -> DatabaseUrl:
    """Do as where none was started."""
    raise NotFoundError("there is none")


@pytest.fixture(scope="module")
def own() -> Iterator[Places]:
    """Places on a server that is made for them."""
    before = tempfile.tempdir
    with open_folder() as folder:
        tempfile.tempdir = str(folder)
        options = ScratchOptions(
            programs=DumpPrograms(dict(os.environ)), dev_database=no_development_server
        )
        try:
            with places(options, Silence()) as made:
                yield made
            assert list(folder.glob("chatdb-scratch-*")) == []
        finally:
            tempfile.tempdir = before


def restore(path: Path, made: Places) -> DatabaseUrl:
    """Restore a dump and return its database."""
    dump = find_dump(path)
    assert dump is not None
    url = restored_dump(Input(str(path), dump=dump), dump, made).url
    assert url is not None
    return url


def test_who_restores_may_do_nothing_else(own: Places, tmp_path: Path) -> None:
    path = tmp_path / "x.sql"
    path.write_text("CREATE TABLE public.chats (id integer);")

    url = restore(path, own)

    rights = (
        "SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user"
    )
    assert execute(url, rights) == [(False, False, False)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        execute(url, "COPY (SELECT 1) TO PROGRAM 'true'")


def test_a_program_that_no_look_finds_cannot_be_run(own: Places, tmp_path: Path) -> None:
    path = tmp_path / "x.sql"
    path.write_text(TRICK.format(target="/tmp/chatdb-trick"))  # noqa: S108

    with pytest.raises(DatabaseFailedError) as refused:
        restore(path, own)

    assert refused.value.text.startswith(f"{path} could not be restored: ")
    assert "permission denied" in refused.value.text
    assert not Path("/tmp/chatdb-trick").exists()  # noqa: S108


def test_text_of_no_known_encoding_is_kept_byte_by_byte(own: Places, tmp_path: Path) -> None:
    path = tmp_path / "x.sql"
    path.write_bytes(
        b"SET client_encoding = 'SQL_ASCII';\nCREATE TABLE public.chats (title text);\n"
        b"COPY public.chats (title) FROM stdin;\ncaf\xe9\n\\.\n"
    )

    url = restore(path, own)

    assert execute(url, "SELECT encode(title::bytea, 'hex') FROM chats") == [("636166e9",)]


def test_the_development_server_is_taken_where_there_are_no_programs(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    path = tmp_path / "threads_20251125.sql"
    path.write_text(
        "CREATE TABLE public.chat_threads (id integer, user_id integer, title text,"
        " messages json, created_at timestamp, updated_at timestamp);"
    )
    empty = tmp_path / "bin"
    empty.mkdir()
    options = ScratchOptions(
        programs=DumpPrograms(dict(os.environ), empty),
        dev_database=lambda: postgres.url("postgres"),
    )
    watch = Silence()

    with restored_dumps(find_inputs([str(path)]), options, watch) as ready:
        (found,) = ready.inputs
        assert found.url is not None
        assert (found.url.port, found.source_name) == (str(postgres.port), "threads")

    told, warned = watch.notes
    assert told == f"{path} is restored temporarily on the development server"
    assert warned.startswith("the dump's functions run as a superuser of postgresql:")
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        execute(found.url, "SELECT 1")


def test_an_archive_that_nobody_reads_on_is_let_go(
    postgres: PostgresServer, empty_postgresql_url: DatabaseUrl, tmp_path: Path
) -> None:
    url = make_postgresql(
        empty_postgresql_url,
        "CREATE TABLE much AS SELECT repeat('x', 1000000) FROM generate_series(1, 8)",
    )
    path = tmp_path / "much.dump"
    path.write_bytes(pg_dump(postgres, url, "-Fc", "-Z0"))
    dump = find_dump(path)
    assert dump is not None
    programs = DumpPrograms(dict(os.environ))
    archive = Archive(kind="custom", open=dump.open)

    def look_and_leave() -> None:
        with (
            prepared(programs, archive, url=None, tool_major=None) as readable,
            archive_script(programs, readable, None) as stream,
        ):
            stream.read(10)
            raise InterruptedError

    with pytest.raises(InterruptedError):
        look_and_leave()
