"""Dumps are known by what is in them, never by their names."""

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from chatdb.backups.dump_files import find_dump
from chatdb.errors import InvalidInputError

SQL = b"--\n-- PostgreSQL database dump\n--\n\nSET client_encoding = 'UTF8';\n"
BOM = b"\xef\xbb\xbf"
ARCHIVE = b"PGDMP\x01\x0f\x00\x04\x08\x01"


def tar_archive() -> bytes:
    """Return what pg_dump -Ft begins with."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("toc.dat"), io.BytesIO())
    return stream.getvalue()


@pytest.mark.parametrize(
    "pack", [bytes, gzip.compress, zstandard.compress], ids=["bare", "gzip", "zstandard"]
)
@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (SQL, "plain"),
        (BOM + SQL, "plain"),
        (b"\n\n\\restrict abc\n", "plain"),
        (b"SET statement_timeout = 0;\n", "plain"),
        (b"create table chats (id integer);", "plain"),
        (ARCHIVE, "custom"),
        (tar_archive(), "tar"),
    ],
)
@pytest.mark.parametrize("name", ["a.json", "relay"])
def test_a_dump_is_known_under_any_name(
    tmp_path: Path, name: str, start: bytes, kind: str, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / name
    path.write_bytes(pack(start))

    found = find_dump(path)

    assert found is not None
    assert found.kind == kind
    with found.open() as stream:
        assert stream.read() == start.removeprefix(BOM)


@pytest.mark.parametrize(
    "start",
    [
        *(b"", b"{}", b"[1]", b"toc.dat", b"\x1f\x8b\x08broken", b"---\ntitle: chat\n---\n"),
        *(b"Create a plan", b"Set the table and copy this", b"Select all of it", b"Begin here"),
    ],
)
def test_anything_else_is_no_dump(tmp_path: Path, start: bytes) -> None:
    path = tmp_path / "relay.sql"
    path.write_bytes(start)

    assert find_dump(path) is None


def test_a_folder_is_a_dump_by_its_table_of_contents(tmp_path: Path) -> None:
    assert find_dump(tmp_path) is None

    (tmp_path / "toc.dat").write_bytes(ARCHIVE)

    found = find_dump(tmp_path)
    assert found is not None
    assert found.kind == "directory"


def test_sql_in_utf_16_is_read_as_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "relay.sql"
    path.write_bytes(SQL.decode().encode("utf-16"))

    found = find_dump(path)

    assert found is not None
    with found.open() as stream:
        assert stream.read() == SQL


@pytest.mark.parametrize(
    ("start", "system"),
    [("-- MySQL dump 10.13\n", "MySQL"), ("PRAGMA foreign_keys=OFF;\nBEGIN;\n", "SQLite")],
)
def test_the_dump_of_another_system_is_named(tmp_path: Path, start: str, system: str) -> None:
    path = tmp_path / "relay.sql"
    path.write_text(start)

    with pytest.raises(InvalidInputError, match=f"is a dump of {system}"):
        find_dump(path)


@pytest.mark.parametrize(
    ("name", "database"),
    [
        ("relay_dev_20231220_143022.sql", "relay_dev"),
        ("relay_dev_20231220_143022.sql.gz", "relay_dev"),
        ("relay_dev_20261125T193300Z.dump.zst", "relay_dev"),
        ("2026-11-25-relay.dump", "relay"),
        ("relay.txt", "relay"),
        ("relay", "relay"),
    ],
)
def test_the_file_tells_the_name_of_the_database(tmp_path: Path, name: str, database: str) -> None:
    path = tmp_path / name
    path.write_bytes(SQL)

    found = find_dump(path)

    assert found is not None
    assert found.database == database
