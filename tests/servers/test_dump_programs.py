"""The programs of PostgreSQL that dump and restore: which one, how it is run and what it says."""

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from chatdb.db.url import DatabaseUrl
from chatdb.errors import (
    ChatdbError,
    DatabaseFailedError,
    DatabaseLockedError,
    DatabaseUnreachableError,
    InvalidInputError,
    ProgramMissingError,
    StorageError,
)
from chatdb.servers.dump_failures import failure_of
from chatdb.servers.dump_programs import DumpPrograms
from tests.postgres_server import PostgresServer

URL = DatabaseUrl(dialect_name="postgresql", host="db.example", database="relay", password="s3cret")


@pytest.fixture
def programs(postgres: PostgresServer) -> DumpPrograms:
    return DumpPrograms(os.environ, bindir=postgres.binaries)


def test_a_program_that_fits_the_server_is_found(programs: DumpPrograms) -> None:
    found = programs.find("pg_dump", 15)

    assert found.name == "pg_dump"
    assert found.version[0] >= 15
    assert found.container is None


def test_a_server_newer_than_every_program_is_told(programs: DumpPrograms) -> None:
    with pytest.raises(ProgramMissingError, match="is older than PostgreSQL 99") as caught:
        programs.find("pg_dump", 99)

    assert "postgresql-client-99" in str(caught.value.hint)


def test_a_dump_comes_through_without_its_password_among_the_words(
    programs: DumpPrograms, postgresql_url: DatabaseUrl
) -> None:
    client = programs.find("pg_dump", 15)
    with programs.running(client, ["--schema-only"], url=postgresql_url) as running:
        words = Path(f"/proc/{running._process.pid}/cmdline").read_bytes()
        text = running.stdout.read()
        running.finish()

    assert b"CREATE TABLE public.messages" in text
    assert postgresql_url.password.encode() not in words


def test_a_wrong_password_is_unreachable(
    programs: DumpPrograms, postgresql_url: DatabaseUrl
) -> None:
    url = replace(postgresql_url, password="wrong%@/")
    client = programs.find("pg_dump", 15)

    with (
        programs.running(client, [], url=url, stdout=subprocess.DEVNULL) as running,
        pytest.raises(DatabaseUnreachableError, match="refuses the login") as caught,
    ):
        running.finish()

    assert "wrong%@/" not in caught.value.text


def test_a_program_ends_with_us(programs: DumpPrograms, postgresql_url: DatabaseUrl) -> None:
    client = programs.find("psql", 15)
    with programs.running(client, ["-c", "SELECT pg_sleep(60)"], url=postgresql_url) as running:
        process = running._process

    assert process.returncode is not None


def test_a_build_without_zstandard_is_known(programs: DumpPrograms) -> None:
    client = programs.find("pg_dump", 15)

    assert not programs.can_compress(client, "zstd")  # the wheel's and Debian's 15 have none
    assert not programs.can_compress(client, "shrink")


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("pg_dump: error: aborting because of server version mismatch", ProgramMissingError),
        (
            "pg_dump: error: could not write to file: No space left on device",
            StorageError,
        ),
        (
            'pg_dump: error: connection to server at "db" failed: Connection refused',
            DatabaseUnreachableError,
        ),
        (
            "pg_dump: error: query failed: server closed the connection unexpectedly",
            DatabaseUnreachableError,
        ),
        (
            "pg_restore: error: unsupported version (1.16) in file header",
            ProgramMissingError,
        ),
        (
            "pg_restore: error: this build does not support compression with zstd",
            ProgramMissingError,
        ),
        ("ERROR:  canceling statement due to lock timeout", DatabaseLockedError),
        ("ERROR:  permission denied for table messages", DatabaseFailedError),
        ("pg_dump: error: something new", DatabaseFailedError),
        ("", DatabaseFailedError),
    ],
)
def test_what_a_program_says_becomes_an_error(said: str, kind: type[ChatdbError]) -> None:
    found = failure_of("pg_dump 18.6", 1, said.splitlines(), URL)

    assert type(found) is kind
    assert "s3cret" not in found.text


def test_without_a_server_it_is_the_file_that_is_bad() -> None:
    found = failure_of("pg_restore 18.6", 1, ["pg_restore: error: corrupt tar header"], None)

    assert type(found) is InvalidInputError
    assert found.text == "pg_restore 18.6 failed: corrupt tar header"
