"""What is deleted for good takes its files along; doctor and security check look at the folder."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.url import DatabaseUrl
from chatdb.errors import ExitCode
from chatdb.records import organization_id_of
from tests.chatgpt_files import OTHER_PNG, PDF, PNG, write_export
from tests.operations.test_attachments import identifiers
from tests.operations.test_import_attachments import KEPT, files_in

Run = Callable[..., Any]
Own = tuple[object, ...]


@pytest.fixture
def own(
    run: Run, database_url: DatabaseUrl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Own:
    """The options of a database whose default organization and acme have three files each."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    options = ("-d", database_url.exposed(), "--attachments-dir", tmp_path / "kept")
    export = write_export(tmp_path / "export.zip")
    run("organizations", "create", "acme", *options)
    for key in ("default", "acme"):
        run("import", export, "--attachments", "--org", key, *options)
    return options


def there(tmp_path: Path, organization: str = "default") -> set[bytes]:
    return set(files_in(tmp_path / "kept", organization).values())


def finding(run: Run, own: Own) -> tuple[str, str]:
    done = run("doctor", "--fail-on", "never", "--format", "json", *own)
    (found,) = [each for each in json.loads(done.stdout) if each["id"] == "attachments"]
    return found["severity"], found["text"]


def test_a_conversation_that_is_not_kept_takes_its_files_along(
    run: Run, own: Own, tmp_path: Path
) -> None:
    done = run(
        *("conversations", "delete", identifiers(run, own)["Talk 1"], "--yes", "--no-keep", *own)
    )

    assert "2 files of attachments removed for good" in done.stderr
    assert there(tmp_path) == {OTHER_PNG}
    assert there(tmp_path, "acme") == {PNG, PDF, OTHER_PNG}
    assert run("attachments", "check", "--all-orgs", "--read", *own).exit_code == 0


@pytest.mark.parametrize("noun", ["conversations", "messages", "organizations"])
def test_a_deletion_is_told_where_the_bytes_cannot_be_removed(
    run: Run, own: Own, tmp_path: Path, noun: str
) -> None:
    first = identifiers(run, own)["Talk 1"]
    listed = json.loads(run("messages", "list", first, "--format", "json", *own).stdout)
    lock = tmp_path / "kept" / ".lock"
    lock.unlink()
    lock.mkdir()
    named = {"conversations": [first], "messages": [first, listed[0]["id"]]}.get(noun, ["acme"])

    done = run(noun, "delete", *named, "--yes", "--no-keep", "--format", "json", *own)

    assert done.exit_code == ExitCode.PARTIAL
    assert json.loads(done.stdout)["messages"] == {"messages": 1, "organizations": 4}.get(noun, 2)
    assert f"in {tmp_path / 'kept'} are not removed yet" in done.stderr
    assert "cannot be written: Is a directory" in done.stderr
    assert "attachments prune --all-orgs" in done.stderr
    assert there(tmp_path, "acme") | there(tmp_path) == set(KEPT.values())
    lock.rmdir()
    pruned = run("attachments", "prune", "--all-orgs", "--yes", "--format", "json", *own)
    assert json.loads(pruned.stdout)["files"] == (3 if noun == "organizations" else 2)


def test_a_file_that_another_message_has_stays(run: Run, own: Own, tmp_path: Path) -> None:
    first = identifiers(run, own)["Talk 1"]
    run("conversations", "fork", first, "--at", "last", *own)

    run("conversations", "delete", first, "--yes", "--no-keep", *own)

    assert there(tmp_path) == set(KEPT.values())


def test_a_message_that_is_not_kept_takes_its_files_along(
    run: Run, own: Own, tmp_path: Path
) -> None:
    first = identifiers(run, own)["Talk 1"]
    listed = json.loads(run("messages", "list", first, "--format", "json", *own).stdout)

    run("messages", "delete", first, listed[0]["id"], "--yes", "--no-keep", *own)

    assert there(tmp_path) == {OTHER_PNG}


@pytest.mark.parametrize("keep_row", [(), ("--keep-organization",)])
def test_an_organization_that_is_not_kept_takes_its_files_along(
    run: Run, own: Own, tmp_path: Path, keep_row: tuple[str, ...]
) -> None:
    done = run("organizations", "delete", "acme", "--yes", "--no-keep", *keep_row, *own)

    assert done.exit_code == 0, done.stderr
    assert there(tmp_path, "acme") == set()
    assert there(tmp_path) == set(KEPT.values())


def test_an_organization_that_is_kept_comes_back_with_its_files(
    run: Run, own: Own, tmp_path: Path
) -> None:
    run("organizations", "delete", "acme", "--yes", *own)
    pruned = run("attachments", "prune", "--all-orgs", "--yes", "--format", "json", *own)
    (kept,) = tmp_path.rglob("acme*.jsonl.zst")

    back = run("import", kept, "--all-orgs", "--restore-deleted", *own)

    assert json.loads(pruned.stdout)["files"] == 0
    assert json.loads(pruned.stdout)["kept_for_undo"] == 3
    assert back.exit_code == 0
    assert run("attachments", "check", "--all-orgs", "--read", *own).exit_code == 0

    run("organizations", "delete", "acme", "--yes", *own)
    for path in tmp_path.rglob("acme*.jsonl.zst"):
        path.unlink()
    run("attachments", "prune", "--all-orgs", "--yes", *own)
    assert there(tmp_path, "acme") == set()
    assert there(tmp_path) == set(KEPT.values())


@pytest.mark.large
def test_the_doctor_tells_of_missing_and_unused_files(run: Run, own: Own, tmp_path: Path) -> None:
    whole = finding(run, own)
    place = tmp_path / "kept" / str(organization_id_of("acme"))
    lost, *_ = sorted(KEPT)
    (place / lost).unlink()

    assert whole[0] == "ok"
    assert "6 attachments" in whole[1]
    severity, text = finding(run, own)
    assert severity == "warning"
    assert ": 1 missing, 0 damaged" in text

    (place / lost).write_bytes(KEPT[lost])
    (place / ("0" * 64)).write_bytes(b"nobody's")
    severity, text = finding(run, own)
    assert severity == "info"
    assert "of no message: 1" in text


def test_the_security_check_tells_of_files_that_others_can_open(
    run: Run, sqlite_url: DatabaseUrl, tmp_path: Path
) -> None:
    own = ("-d", sqlite_url.exposed(), "--attachments-dir", tmp_path / "kept")
    run("import", write_export(tmp_path / "export.zip"), "--attachments", *own)
    place = tmp_path / "kept" / str(organization_id_of("default"))

    def severity() -> str:
        done = run("security", "check", "--fail-on", "never", "--format", "json", *own)
        (found,) = [each for each in json.loads(done.stdout) if each["id"] == "attachment-files"]
        level: str = found["severity"]
        return level

    assert severity() == "ok"
    place.chmod(0o755)
    (place / min(KEPT)).chmod(0o644)
    assert severity() == "warning"
