"""`chatdb import --attachments`: the files of an export are kept with the messages they are of."""

import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.url import DatabaseUrl
from chatdb.errors import ExitCode
from chatdb.records import organization_id_of
from tests.chatgpt_files import (
    FILES,
    OTHER_PNG,
    PDF,
    PNG,
    export_bytes,
    talk,
    write_export,
    write_folder,
)
from tests.postgres_server import wait_until
from tests.small_disk import enlarge, small_disk

Run = Callable[..., Any]

KEPT = {hashlib.sha256(data).hexdigest(): data for data in (PNG, OTHER_PNG, PDF)}


@pytest.fixture
def own(database_url: DatabaseUrl, tmp_path: Path) -> tuple[object, ...]:
    """The options that name the database and the folder of attachments."""
    return ("-d", database_url.exposed(), "--attachments-dir", tmp_path / "kept")


def files_in(folder: Path, organization: str = "default") -> dict[str, bytes]:
    place = folder / str(organization_id_of(organization))
    return {each.name: each.read_bytes() for each in place.iterdir()} if place.is_dir() else {}


def rows(run: Run, own: tuple[object, ...]) -> list[tuple[str, str, int, str | None]]:
    done = run("export", "--to", "jsonl", *own)
    records = [json.loads(line) for line in done.stdout.splitlines()[1:]]
    return [
        (each["digest"], each.get("name"), each["size"], each.get("media_type"))
        for record in sorted(records, key=lambda record: record["title"])
        for each in record.get("files", ())
    ]


WANTED = [
    (hashlib.sha256(PNG).hexdigest(), "my cat.png", len(PNG), "image/png"),
    (hashlib.sha256(PDF).hexdigest(), "../../paper.pdf", len(PDF), "application/pdf"),
    (hashlib.sha256(OTHER_PNG).hexdigest(), "sanitized.png", len(OTHER_PNG), "image/png"),
]


@pytest.mark.parametrize("kind", ["zip", "folder", "zip in zip", "stored zip in zip", "two zips"])
def test_the_files_that_messages_name_are_kept(
    run: Run, own: tuple[object, ...], tmp_path: Path, kind: str
) -> None:
    paths = [tmp_path / "export.zip"]
    if kind == "folder":
        paths = [write_folder(tmp_path / "export")]
    elif "in zip" in kind:
        how = zipfile.ZIP_STORED if "stored" in kind else zipfile.ZIP_DEFLATED
        with zipfile.ZipFile(paths[0], "w", how) as archive:
            archive.writestr("Online Activity/inner.zip", export_bytes())
    elif kind == "two zips":
        paths.append(tmp_path / "files.zip")
        write_export(paths[0], {})
        paths[1].write_bytes(export_bytes(FILES, []))
    else:
        write_export(paths[0])

    done = run("import", *paths, "--attachments", *own)

    assert "3 attachments kept" in done.stderr
    assert "1 attachment not in the export" in done.stderr
    assert files_in(tmp_path / "kept") == KEPT
    assert rows(run, own) == WANTED


def test_importing_again_adds_nothing_and_what_was_imported_without_files_gets_them(
    run: Run, own: tuple[object, ...], tmp_path: Path
) -> None:
    export = write_export(tmp_path / "export.zip")

    without = run("import", export, *own)
    assert without.exit_code == 0
    assert not (tmp_path / "kept").exists()
    first = run("import", export, "--attachments", *own)
    before = {each: each.stat().st_mtime_ns for each in (tmp_path / "kept").rglob("*/*")}
    again = run("import", export, "--attachments", *own, "--format", "json")

    assert "3 attachments kept" in first.stderr
    assert "0 attachments kept (0 B), 3 already here" in again.stderr
    assert json.loads(again.stdout)["unchanged"] == 2
    assert {each: each.stat().st_mtime_ns for each in before} == before
    assert rows(run, own) == WANTED


def test_what_was_lost_of_a_file_comes_back(
    run: Run, own: tuple[object, ...], tmp_path: Path
) -> None:
    export = write_export(tmp_path / "export.zip")
    run("import", export, "--attachments", *own)
    first, second, _ = sorted(KEPT)
    place = tmp_path / "kept" / str(organization_id_of("default"))
    (place / first).unlink()
    (place / second).write_bytes(b"cut")

    done = run("import", export, "--attachments", *own)

    assert "2 attachments kept" in done.stderr
    assert files_in(tmp_path / "kept") == KEPT


def test_two_organizations_have_files_of_their_own(
    run: Run, own: tuple[object, ...], tmp_path: Path
) -> None:
    export = write_export(tmp_path / "export.zip")

    for key in ("acme", "other"):
        run("organizations", "create", key, *own)
        run("import", export, "--attachments", "--org", key, *own)

    for key in ("acme", "other"):
        assert files_in(tmp_path / "kept", key) == KEPT
    assert files_in(tmp_path / "kept") == {}


def test_a_file_that_is_too_large_is_named_and_kept_when_asked_for(
    run: Run, own: tuple[object, ...], tmp_path: Path
) -> None:
    export = write_export(tmp_path / "export.zip")

    small = run("import", export, "--attachments", "--attachments-max", "20B", *own)
    large = run("import", export, "--attachments", "--attachments-max", "1kB", *own)

    assert small.exit_code == 0
    assert "1 attachment kept" in small.stderr
    assert "file-Cat1234567-cat.png (my cat.png): it has 158 bytes, more than 20" in small.stderr
    assert "2 attachments kept" in large.stderr


def test_a_damaged_member_is_named_and_the_others_are_kept(
    run: Run, own: tuple[object, ...], tmp_path: Path
) -> None:
    export = tmp_path / "export.zip"
    data = io.BytesIO()
    packed = zipfile.ZipFile(io.BytesIO(export_bytes()))
    with packed as whole, zipfile.ZipFile(data, "w") as archive:
        for info in whole.infolist():
            archive.writestr(info.filename, whole.read(info))
    export.write_bytes(data.getvalue().replace(PDF, PDF[:-1] + b"!", 1))

    report = tmp_path / "report.json"
    done = run("import", export, "--attachments", "--report", report, *own)

    assert done.exit_code == ExitCode.PARTIAL
    assert "file-Paper99999.dat" in done.stderr
    assert "CRC" in done.stderr
    told = json.loads(report.read_text())["attachments"]
    assert (told["kept"], len(told["unreadable"])) == (2, 1)
    assert hashlib.sha256(PDF).hexdigest() not in files_in(tmp_path / "kept")


@pytest.mark.parametrize("dry_run", [(), ("--dry-run",)])
def test_a_link_is_named_and_never_kept(
    run: Run, own: tuple[object, ...], tmp_path: Path, dry_run: tuple[str, ...]
) -> None:
    folder = write_folder(tmp_path / "export")
    secret = tmp_path / "secret"
    secret.write_bytes(b"%PDF-1.4 not of the export")
    (folder / "file-Paper99999.dat").unlink()
    (folder / "file-Paper99999.dat").symlink_to(secret)

    done = run("import", folder, "--attachments", *dry_run, *own)

    assert done.exit_code == ExitCode.PARTIAL
    assert "2 attachments" in done.stderr
    assert "(../../paper.pdf): it cannot be read: it is a link" in done.stderr
    assert secret.read_bytes() not in files_in(tmp_path / "kept").values()


def test_a_dry_run_counts_and_keeps_nothing(
    run: Run, own: tuple[object, ...], tmp_path: Path
) -> None:
    export = write_export(tmp_path / "export.zip")

    done = run("import", export, "--attachments", "--attachments-max", "100B", "--dry-run", *own)

    assert "1 attachment would be kept or are here" in done.stderr
    assert done.stderr.count("bytes, more than 100") == 2
    assert not (tmp_path / "kept").exists()


def test_a_name_that_only_a_later_export_tells_is_taken(
    run: Run, own: tuple[object, ...], tmp_path: Path
) -> None:
    export = tmp_path / "export.zip"
    entry = {"content_type": "text", "id": "file-Paper99999"}
    export.write_bytes(export_bytes(FILES, [talk(1, entry, [])]))
    run("import", export, "--attachments", *own)
    before = rows(run, own)
    export.write_bytes(export_bytes(FILES, [talk(1, entry | {"name": "Paper.pdf"}, [])]))

    run("import", export, "--attachments", *own)

    names = [each[1] for each in (*before, *rows(run, own))]
    assert names == ["file-Paper99999.dat", "Paper.pdf"]


@pytest.mark.parametrize("kind", ["zip", "folder"])
@pytest.mark.parametrize("dry_run", [(), ("--dry-run",)])
def test_the_printed_record_tells_what_is_kept_and_ignores_only_the_rest(
    run: Run, own: tuple[object, ...], tmp_path: Path, dry_run: tuple[str, ...], kind: str
) -> None:
    export = tmp_path / "export"
    if kind == "zip":
        write_export(export)
    else:
        write_folder(export)
    limit = ("--attachments-max", "157B")

    def record(*words: str) -> dict[str, Any]:
        done = run("import", export, *words, *dry_run, "--format", "json", *own)
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    without = record()
    some = record("--attachments", *limit)
    again = record("--attachments")

    assert without["attachments"] is None
    assert len(without["ignored_files"]) == 4
    told = some["attachments"]
    assert (told["kept"], told["bytes"], told["unreadable"]) == (1, len(PDF), [])
    assert {each["name"] for each in told["too_large"]} == {"my cat.png", "sanitized.png"}
    assert len(some["ignored_files"]) == 3
    assert again["attachments"]["kept"] + again["attachments"]["unchanged"] == 3
    (nobodys,) = again["ignored_files"]
    assert nobodys["place"].endswith("file-Nobody0000-secret.txt")


def test_what_was_deleted_here_gets_no_files(
    run: Run, own: tuple[object, ...], tmp_path: Path
) -> None:
    export = write_export(tmp_path / "export.zip")
    run("import", export, *own)
    listed = json.loads(run("conversations", "list", "--format", "json", *own).stdout)
    (identifier,) = [each["id"] for each in listed if each["title"] == "Talk 1"]
    run("conversations", "delete", identifier, "--yes", "--no-keep", *own)

    done = run("import", export, "--attachments", *own)

    assert "1 attachment kept" in done.stderr
    assert rows(run, own) == WANTED[2:]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-", "--attachments"), "standard input"),
        (("e.zip", "--attachments-max", "1MB"), "only for --attachments"),
        (("e.zip", "--attachments", "--attachments-max", "big"), "not a size"),
    ],
)
def test_what_makes_no_sense_is_refused(
    run: Run, words: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_export(tmp_path / "e.zip")

    done = run("import", *words)

    assert done.exit_code == ExitCode.USAGE
    assert said in done.stderr


@pytest.mark.postgresql
def test_postgresql_needs_a_folder(run: Run, postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    export = write_export(tmp_path / "export.zip")

    refused = run("import", export, "--attachments", "-d", postgresql_url.exposed())
    variables = {
        "CHATDB_ATTACHMENTS_DIR": str(tmp_path / "kept"),
        "DATABASE_URL": postgresql_url.exposed(),
    }
    other = run("import", export, "--attachments", "-d", postgresql_url.exposed(), env=variables)
    done = run("import", export, "--attachments", env=variables)

    assert refused.exit_code == ExitCode.USAGE
    assert "--attachments-dir FOLDER, or CHATDB_ATTACHMENTS_DIR" in refused.stderr
    assert other.exit_code == ExitCode.USAGE
    assert "CHATDB_ATTACHMENTS_DIR is for another database" in other.stderr
    assert done.exit_code == 0
    assert files_in(tmp_path / "kept") == KEPT


def test_a_variable_beside_another_database_is_not_meant_for_the_one_that_is_typed(
    run: Run, sqlite_url: DatabaseUrl, tmp_path: Path
) -> None:
    variables = {"CHATDB_ATTACHMENTS_DIR": str(tmp_path / "kept"), "DATABASE_URL": "other.db"}
    export = write_export(tmp_path / "export.zip")

    run("import", export, "--attachments", "-d", sqlite_url.exposed(), env=variables)

    assert files_in(Path(f"{sqlite_url.path}-attachments")) == KEPT
    assert not (tmp_path / "kept").exists()


def test_a_sqlite_file_has_them_beside_it(
    run: Run, sqlite_url: DatabaseUrl, tmp_path: Path
) -> None:
    export = write_export(tmp_path / "export.zip")

    run("import", export, "--attachments", "-d", sqlite_url.exposed())

    assert sqlite_url.path is not None
    assert files_in(Path(f"{sqlite_url.path}-attachments")) == KEPT


def test_a_folder_that_cannot_be_written_is_named_and_leaves_no_row(
    run: Run, database_url: DatabaseUrl, tmp_path: Path
) -> None:
    export = write_export(tmp_path / "export.zip")
    (tmp_path / "file").write_bytes(b"")
    own = ("-d", database_url.exposed(), "--attachments-dir", tmp_path / "file" / "kept")

    done = run("import", export, "--attachments", *own)

    assert done.exit_code == ExitCode.FAILED
    assert "kept cannot be written: Not a directory" in done.stderr
    assert "2 conversations are in the database" in done.stderr
    assert rows(run, own) == []


def test_a_full_disk_is_told_and_the_import_goes_on_when_there_is_room(
    run: Run, database_url: DatabaseUrl, tmp_path: Path
) -> None:
    large = {**FILES, "file-Paper99999.dat": os.urandom(3 << 20)}
    export = write_export(tmp_path / "export.zip", large)
    with small_disk(tmp_path / "disk", 2) as disk:
        own = ("-d", database_url.exposed(), "--attachments-dir", disk / "kept")

        full = run("import", export, "--attachments", *own)
        left = files_in(disk / "kept")
        enlarge(disk, 8)
        done = run("import", export, "--attachments", *own)

        assert full.exit_code == ExitCode.FAILED
        assert "No space left on device" in full.stderr
        assert "free some space" in full.stderr
        assert left == {}
        assert "3 attachments kept" in done.stderr
        assert len(files_in(disk / "kept")) == 3


@pytest.mark.large
def test_a_kill_leaves_no_half_file_and_no_row_without_its_bytes(
    run: Run, own: tuple[object, ...], tmp_path: Path
) -> None:
    folder = write_folder(tmp_path / "export")
    picture = folder / "file-Cat1234567-cat.png"
    with picture.open("r+b") as stream:
        stream.truncate(20 << 30)
    words = ["import", folder, "--attachments", "--attachments-max", "1TB", *own]
    place = tmp_path / "kept" / str(organization_id_of("default"))

    def is_at_work() -> bool:
        return any(each.stat().st_size for each in place.glob(".incoming-*/*"))

    with subprocess.Popen([sys.executable, "-m", "chatdb", *map(str, words)]) as started:
        try:
            wait_until(is_at_work)
        finally:
            started.kill()

    assert files_in_names(place) == []
    assert rows(run, own) == []
    picture.write_bytes(PNG)
    done = run(*words)
    assert "3 attachments kept" in done.stderr
    assert files_in(tmp_path / "kept") == KEPT


def files_in_names(place: Path) -> list[str]:
    return [each.name for each in place.iterdir() if not each.name.startswith(".")]
