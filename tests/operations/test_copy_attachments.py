"""`chatdb copy` takes the files of attachments along, between the folders of the two databases."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.url import DatabaseUrl
from chatdb.errors import ExitCode
from chatdb.records import organization_id_of
from tests.chatgpt_files import write_export
from tests.operations.test_import_attachments import KEPT, files_in

Run = Callable[..., Any]


@pytest.fixture
def source(run: Run, sqlite_url: DatabaseUrl, tmp_path: Path) -> str:
    """A SQLite file with kept attachments beside it."""
    export = write_export(tmp_path / "export.zip")
    done = run("import", export, "--attachments", "-d", sqlite_url.exposed())
    assert done.exit_code == 0, done.stderr
    return sqlite_url.exposed()


def test_a_file_to_another_file(run: Run, source: str, tmp_path: Path) -> None:
    target = tmp_path / "other.db"

    done = run("copy", source, target)

    assert done.exit_code == 0, done.stderr
    assert "copied 3 attachments" in done.stderr
    assert files_in(tmp_path / "other.db-attachments") == KEPT
    assert run("attachments", "check", "--read", "-d", target).exit_code == 0


@pytest.mark.postgresql
def test_to_postgresql_and_back_the_folders_have_to_be_known(
    run: Run, source: str, postgresql_url: DatabaseUrl, tmp_path: Path
) -> None:
    url, kept = postgresql_url.exposed(), tmp_path / "kept"

    refused = run("copy", source, url)
    there = run("copy", source, url, "--attachments-dir", kept)
    lost = run("copy", url, tmp_path / "back.db")
    back = run("copy", url, tmp_path / "back.db", "--source-attachments-dir", kept)

    assert refused.exit_code == ExitCode.USAGE
    assert "--attachments-dir FOLDER" in refused.stderr
    assert there.exit_code == 0, there.stderr
    assert files_in(kept) == KEPT
    assert lost.exit_code == ExitCode.USAGE
    assert "--source-attachments-dir FOLDER" in lost.stderr
    assert back.exit_code == 0, back.stderr
    assert files_in(tmp_path / "back.db-attachments") == KEPT


def test_what_is_missing_is_told_and_the_rest_copied(run: Run, source: str, tmp_path: Path) -> None:
    folder = Path(source.removeprefix("sqlite:///") + "-attachments")
    lost, damaged, _ = sorted(KEPT)
    place = folder / str(organization_id_of("default"))
    (place / lost).unlink()
    (place / damaged).write_bytes(b"x")

    done = run("copy", source, tmp_path / "other.db")

    assert done.exit_code == ExitCode.PARTIAL
    assert "missing or damaged" in done.stderr


def test_they_can_be_left_where_they_are(run: Run, source: str, tmp_path: Path) -> None:
    done = run("copy", source, tmp_path / "other.db", "--no-attachments")

    assert done.exit_code == 0, done.stderr
    assert not (tmp_path / "other.db-attachments").exists()


def test_a_copy_that_is_refused_writes_no_file(run: Run, source: str, tmp_path: Path) -> None:
    target = tmp_path / "other.db"
    run("import", tmp_path / "export.zip", "-d", target)
    shutil.rmtree(tmp_path / "other.db-attachments", ignore_errors=True)

    done = run("copy", source, target)

    assert done.exit_code == ExitCode.REFUSED
    assert not (tmp_path / "other.db-attachments").exists()
