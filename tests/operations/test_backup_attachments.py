"""Backups take kept attachments along, `verify` counts them, and a restore brings them back."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.url import DatabaseUrl
from chatdb.errors import ExitCode
from chatdb.records import organization_id_of
from tests.chatgpt_files import write_export
from tests.operations.restoring import kept_removed
from tests.operations.test_import_attachments import KEPT, WANTED, files_in, rows

Run = Callable[..., Any]
Own = tuple[object, ...]


@pytest.fixture
def own(run: Run, database_url: DatabaseUrl, tmp_path: Path) -> Own:
    """The options of a database whose default organization and acme have three files each."""
    options = ("-d", database_url.exposed(), "--attachments-dir", tmp_path / "kept")
    export = write_export(tmp_path / "export.zip")
    run("organizations", "create", "acme", *options)
    for key in ("default", "acme"):
        run("import", export, "--attachments", "--org", key, *options)
    return options


def back_up(run: Run, folder: Path, *words: object) -> dict[str, Any]:
    """Make a backup and return its manifest, with the place of its archive."""
    done = run("backup", "create", "-o", folder, *words)
    assert done.exit_code == 0, done.stderr
    (path,) = folder.glob("*.manifest.json")
    manifest: dict[str, Any] = json.loads(path.read_text())
    return manifest | {"place": folder / manifest["files"][0]["name"]}


def verify(run: Run, manifest: dict[str, Any], own: Own) -> Any:
    return run("backup", "verify", manifest["place"], "--format", "json", *own)


def test_a_backup_brings_every_file_back(
    run: Run, own: Own, database_url: DatabaseUrl, tmp_path: Path
) -> None:
    manifest = back_up(run, tmp_path / "backups", *own)
    verified = verify(run, manifest, own)
    shutil.rmtree(tmp_path / "kept")

    with kept_removed(database_url):
        done = run("restore", manifest["place"], "--yes", *own)

        assert done.exit_code == 0, done.stderr
        assert "6 attachments restored" in done.stderr
        assert files_in(tmp_path / "kept") == files_in(tmp_path / "kept", "acme") == KEPT
        assert run("attachments", "check", "--all-orgs", "--read", *own).exit_code == 0
    size = 2 * sum(map(len, KEPT.values()))
    told = manifest["attachments"]
    assert (manifest["version"], told["files"], told["bytes"], told["missing"]) == (2, 6, size, 0)
    row = json.loads(verified.stdout)
    assert (row["passed"], row["attachments"]) == (True, 6)


def test_a_backup_of_an_organization_has_its_own_files_only(
    run: Run, own: Own, tmp_path: Path
) -> None:
    manifest = back_up(run, tmp_path / "backups", "--org", "acme", *own)
    run("organizations", "delete", "acme", "--yes", "--no-keep", *own)
    shutil.rmtree(tmp_path / "kept" / str(organization_id_of("acme")), ignore_errors=True)

    done = run("restore", manifest["place"], "--org", "acme", "--yes", *own)

    assert manifest["attachments"]["files"] == 3
    assert done.exit_code == 0, done.stderr
    assert files_in(tmp_path / "kept", "acme") == KEPT
    assert rows(run, (*own, "--org", "acme")) == WANTED


def test_what_is_missing_is_counted_and_told(run: Run, own: Own, tmp_path: Path) -> None:
    lost, *_ = sorted(KEPT)
    (tmp_path / "kept" / str(organization_id_of("acme")) / lost).unlink()

    made = run("backup", "create", "-o", tmp_path / "backups", *own)
    (path,) = (tmp_path / "backups").glob("*.manifest.json")
    manifest = json.loads(path.read_text())
    place = tmp_path / "backups" / manifest["files"][0]["name"]
    verified = json.loads(verify(run, {"place": place}, own).stdout)

    assert "1 kept attachments have no bytes" in made.stderr
    assert (manifest["attachments"]["files"], manifest["attachments"]["missing"]) == (5, 1)
    assert verified["passed"] is True
    assert any("1 attachments were missing" in text for text in verified["warnings"])


def test_the_number_of_files_is_told_also_by_a_test_restore(
    run: Run, own: Own, tmp_path: Path
) -> None:
    manifest = back_up(run, tmp_path / "backups", *own)
    whole = run("backup", "verify", "--restore", manifest["place"], *own)
    wrong, *_ = sorted(KEPT)
    (tmp_path / "kept" / str(organization_id_of("acme")) / wrong).write_bytes(b"x")
    damaged = back_up(run, tmp_path / "others", *own)
    found = run("backup", "verify", "--restore", damaged["place"], *own)

    assert whole.exit_code == 0, whole.stderr
    assert "is intact (6 attachments, " in whole.stdout
    assert found.exit_code == ExitCode.FAILED
    assert f"attachment {wrong} has other bytes" in found.stdout


def test_damaged_files_are_found(run: Run, own: Own, tmp_path: Path) -> None:
    wrong, *_ = sorted(KEPT)
    (tmp_path / "kept" / str(organization_id_of("acme")) / wrong).write_bytes(b"x")

    manifest = back_up(run, tmp_path / "backups", *own)
    done = verify(run, manifest, own)

    assert done.exit_code == ExitCode.FAILED
    assert f"attachment {wrong} has other bytes" in done.stdout


def test_a_database_without_attachments_has_a_backup_as_before(
    run: Run, database_url: DatabaseUrl, tmp_path: Path
) -> None:
    manifest = back_up(run, tmp_path / "backups", "-d", database_url.exposed())

    assert (manifest["version"], manifest["attachments"]) == (1, None)
    assert list((tmp_path / "backups").glob("*.tar*")) == []


@pytest.mark.postgresql
def test_a_restore_without_a_folder_is_refused_before_anything_is_done(
    run: Run, tmp_path: Path, postgresql_url: DatabaseUrl
) -> None:
    export = write_export(tmp_path / "export.zip")
    url = ("-d", postgresql_url.exposed())
    run("import", export, "--attachments", "--attachments-dir", tmp_path / "kept", *url)
    without = run("backup", "create", "-o", tmp_path / "without", *url)
    manifest = back_up(run, tmp_path / "with", "--attachments-dir", tmp_path / "kept", *url)

    done = run("restore", manifest["place"], "--yes", *url)

    assert "the kept attachments are not in the backup" in without.stderr
    assert done.exit_code == ExitCode.USAGE
    assert "--attachments-dir" in done.stderr
