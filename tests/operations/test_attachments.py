"""`chatdb attachments`: kept files are listed, exported, compared and removed."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from chatdb.db import schema
from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from chatdb.errors import ExitCode
from chatdb.formats.files.given_names import numbered, safe_name
from chatdb.primitives.file_store import FileStore
from chatdb.records import organization_id_of
from tests.chatgpt_files import FILES, OTHER_PNG, PDF, PNG, write_export
from tests.operations.test_import_attachments import KEPT, files_in

PACKED = gzip.compress(b'{"digest":"' + b"0" * 64 + b'"}' * 100)[:-20]
"""A packed file without its end."""

LEFT = {digest for digest, data in KEPT.items() if data == OTHER_PNG}
"""What the second talk has."""

Run = Callable[..., Any]
Own = tuple[object, ...]


@pytest.fixture
def own(
    run: Run, database_url: DatabaseUrl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Own:
    """The options of a database with three kept files, in a folder of its own."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    options = ("-d", database_url.exposed(), "--attachments-dir", tmp_path / "kept")
    run("import", write_export(tmp_path / "export.zip"), "--attachments", *options)
    return options


def listed(run: Run, *words: object) -> list[dict[str, Any]]:
    done = run("attachments", "list", "--format", "json", *words)
    assert done.exit_code == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def answer(run: Run, *words: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("attachments", *words, "--format", "json").stdout)
    return found


def identifiers(run: Run, own: Own) -> dict[str, str]:
    found = json.loads(run("conversations", "list", "--format", "json", *own).stdout)
    return {each["title"]: each["id"] for each in found}


def test_a_list_has_every_attachment_in_pages(run: Run, own: Own) -> None:
    whole = listed(run, *own)

    pages: list[dict[str, Any]] = []
    after: tuple[str, ...] = ()
    for _ in whole:
        done = run("attachments", "list", "--limit", "1", *after, "--format", "json", *own)
        pages += json.loads(done.stdout)
        after = ("--after", done.stderr.rpartition("--after ")[2].split()[0]) if done.stderr else ()
    assert pages == whole
    assert {each["name"] for each in whole} == {"my cat.png", "../../paper.pdf", "sanitized.png"}
    assert {each["digest"] for each in whole} == set(KEPT)
    keys = [(each["conversation_id"], each["message_id"], each["position"]) for each in whole]
    assert keys == sorted(keys)


def test_a_table_of_attachments_fits_a_line(run: Run, own: Own) -> None:
    whole = listed(run, *own)

    lines = run("attachments", "list", *own).stdout.splitlines()

    assert lines[0].split() == ["Conversation", "Message", "Name", "Type", "Size", "Digest"]
    assert max(map(len, lines)) <= 100
    for each, line in zip(whole, lines[2:], strict=True):
        assert line.split()[0] == each["conversation_id"][-8:]
        assert line.split()[-1] == each["digest"][:12]


def test_a_list_of_a_conversation_of_a_user_and_of_a_type(run: Run, own: Own) -> None:
    first = identifiers(run, own)["Talk 1"]

    assert len(listed(run, "--conversation", first, *own)) == 2
    assert len(listed(run, "--type", "image/", *own)) == 2
    assert listed(run, "--type", "image_", *own) == []
    assert listed(run, "--user", "nobody", *own) == []
    missing = run("attachments", "list", "--conversation", "ffffffff", *own)
    assert missing.exit_code == ExitCode.NOT_FOUND


def test_what_cannot_be_read_is_not_called_missing(run: Run, own: Own, tmp_path: Path) -> None:
    place = tmp_path / "kept" / str(organization_id_of("default"))
    place.rename(tmp_path / "away")
    place.symlink_to(place)

    exported = run("attachments", "export", "-o", tmp_path / "out", *own)
    checked = run("attachments", "check", *own)
    saved = run("backup", "create", "-o", tmp_path / "backups", *own)

    assert exported.exit_code == ExitCode.PARTIAL
    assert exported.stderr.count("its bytes cannot be read: Too many levels") == 3
    for done in (checked, saved):
        assert done.exit_code == ExitCode.FAILED
        assert f"{place}" in done.stderr
        assert "cannot be read: Too many levels" in done.stderr


def test_a_list_of_all_organizations_names_each(run: Run, own: Own, tmp_path: Path) -> None:
    run("organizations", "create", "acme", *own)
    run("import", tmp_path / "export.zip", "--attachments", "--org", "acme", *own)

    first = run("attachments", "list", "--all-orgs", "--limit", "4", "--format", "json", *own)
    cursor = first.stderr.rpartition("--after ")[2].split()[0]
    rest = listed(run, "--all-orgs", "--after", cursor, *own)

    found = [*json.loads(first.stdout), *rest]
    pairs = {(each["organization"], each["digest"]) for each in found}
    assert pairs == {(key, digest) for key in ("acme", "default") for digest in KEPT}
    assert len(found) == 6


def test_an_export_has_the_names_that_people_gave_and_overwrites_nothing(
    run: Run, own: Own, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "my cat.png").write_bytes(b"mine")

    first = answer(run, "export", "-o", out, *own)
    again = answer(run, "export", "-o", out, *own)

    assert {each.name: each.read_bytes() for each in out.iterdir()} == {
        "my cat.png": b"mine",
        "my cat (2).png": PNG,
        "paper.pdf": PDF,
        "sanitized.png": OTHER_PNG,
    }
    assert (first["written"], first["unchanged"]) == (3, 0)
    assert (again["written"], again["unchanged"]) == (0, 3)
    assert {
        each.stat().st_mode & 0o777 for each in out.iterdir() if "my cat.p" not in each.name
    } == {0o600}


def test_an_export_names_what_is_missing_or_damaged_and_writes_the_rest(
    run: Run, own: Own, tmp_path: Path
) -> None:
    place = tmp_path / "kept" / str(organization_id_of("default"))
    first, second, _ = sorted(KEPT)
    (place / first).unlink()
    (place / second).write_bytes(b"x" * len(KEPT[second]))

    done = run("attachments", "export", "-o", tmp_path / "out", *own)

    assert done.exit_code == ExitCode.PARTIAL
    assert "its bytes are missing" in done.stderr
    assert "another digest" in done.stderr
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_a_check_finds_what_is_missing_damaged_or_unused(
    run: Run, own: Own, tmp_path: Path
) -> None:
    store = FileStore(tmp_path / "kept")
    organization = organization_id_of("default")
    assert run("attachments", "check", "--read", *own).exit_code == 0
    missing, damaged, _ = sorted(KEPT)
    store.path(organization, missing).unlink()
    store.path(organization, damaged).write_bytes(b"x" * len(KEPT[damaged]))
    store.path(organization, "0" * 64).write_bytes(b"nobody's")

    quick = answer(run, "check", *own)
    done = run("attachments", "check", "--read", *own)
    whole = answer(run, "check", "--read", *own)

    assert (quick["missing"], quick["damaged"], quick["unused"]) == (1, 0, 1)
    assert {each["digest"]: each["problem"] for each in whole["problems"]} == {
        missing: "missing",
        damaged: "damaged",
        "0" * 64: "unused",
    }
    assert done.exit_code == ExitCode.FAILED
    assert "attachments prune" in done.stderr


def test_a_check_tells_what_cannot_be_read_from_what_is_damaged(
    run: Run, own: Own, database_url: DatabaseUrl, tmp_path: Path
) -> None:
    loop, folder, damaged = (
        tmp_path / "kept" / str(organization_id_of("default")) / digest for digest in sorted(KEPT)
    )
    for path in (loop, folder):
        path.unlink()
    loop.symlink_to(loop)
    folder.mkdir()
    damaged.write_bytes(b"x" * len(KEPT[damaged.name]))
    # A folder has a size too: with another one it would be damaged.
    files = schema.files
    told = sa.update(files).where(files.c.digest == folder.name).values(size=folder.stat().st_size)
    with Database.open(database_url) as database, database.transaction(write=True) as connection:
        connection.execute(told)

    done = run("attachments", "check", "--read", *own)

    found = answer(run, "check", "--read", *own)
    problems = {each["digest"]: each["text"] for each in found["problems"]}
    assert (found["unreadable"], found["damaged"], found["missing"]) == (2, 1, 0)
    assert problems[loop.name].startswith(f"{loop} cannot be read: Too many levels")
    assert problems[folder.name] == f"{folder} cannot be read: Is a directory"
    assert done.exit_code == ExitCode.FAILED
    assert f"warning: unreadable: {loop.name}" in done.stderr
    assert "0 missing, 0 damaged, 1 unreadable" in run("doctor", *own).stdout


def test_a_saved_deletion_that_cannot_be_read_hides_no_missing_attachment(
    run: Run, own: Own, tmp_path: Path
) -> None:
    run("conversations", "delete", identifiers(run, own)["Talk 1"], "--yes", *own)
    (kept,) = tmp_path.rglob("deleted_*.jsonl")
    kept.write_bytes(PACKED)

    whole = run("attachments", "check", *own)
    next(path for path in (tmp_path / "kept").rglob("*") if path.name in LEFT).unlink()
    done = run("attachments", "check", *own)

    assert (whole.exit_code, done.exit_code) == (ExitCode.PARTIAL, ExitCode.FAILED)
    assert "unused files are not looked for: a saved deletion cannot be read: " in done.stderr
    assert kept.name in done.stderr
    assert "row-level security" not in done.stderr
    found = answer(run, "check", *own)
    assert (found["missing"], found["unused"], found["kept_for_undo"]) == (1, None, None)
    doctor = run("doctor", *own).stdout
    assert "1 missing, 0 damaged" in doctor
    assert kept.name in doctor


def test_what_a_saved_deletion_can_bring_back_is_not_pruned_until_that_is(
    run: Run, own: Own, tmp_path: Path
) -> None:
    first = identifiers(run, own)["Talk 1"]
    gone = run("conversations", "delete", first, "--yes", *own)
    assert gone.exit_code == 0

    checked = run("attachments", "check", *own)
    pruned = answer(run, "prune", "--yes", *own)
    (kept,) = tmp_path.rglob("deleted_*.jsonl")
    back = run("import", kept, "--restore-deleted", *own)

    assert (checked.exit_code, pruned["files"], pruned["kept_for_undo"]) == (0, 0, 2)
    assert back.exit_code == 0
    assert len(listed(run, *own)) == 3
    assert run("attachments", "check", "--read", *own).exit_code == 0

    run("conversations", "delete", first, "--yes", *own)
    for path in tmp_path.rglob("deleted_*.jsonl"):
        path.unlink()
    assert answer(run, "prune", "--yes", *own)["files"] == 2
    assert list(files_in(tmp_path / "kept").values()) == [OTHER_PNG]


@pytest.mark.parametrize(
    "damage", [Path.mkdir, lambda path: path.write_bytes(PACKED)], ids=["a folder", "truncated"]
)
def test_nothing_is_pruned_while_a_saved_deletion_cannot_be_read(
    run: Run, own: Own, tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    run("conversations", "delete", identifiers(run, own)["Talk 1"], "--yes", *own)
    (kept,) = tmp_path.rglob("deleted_*.jsonl")
    kept.unlink()
    damage(kept)

    done = run("attachments", "prune", "--yes", *own)

    assert done.exit_code == ExitCode.FAILED
    assert kept.name in done.stderr
    assert files_in(tmp_path / "kept") == KEPT


def test_a_prune_asks_and_a_dry_run_removes_nothing(run: Run, own: Own, tmp_path: Path) -> None:
    store = FileStore(tmp_path / "kept")
    store.path(organization_id_of("default"), "0" * 64).write_bytes(b"nobody's")

    dry = answer(run, "prune", "--dry-run", *own)
    asked = run("attachments", "prune", *own)
    there = len(files_in(tmp_path / "kept"))
    done = answer(run, "prune", "--yes", *own)

    assert (dry["files"], dry["bytes"], dry["dry_run"]) == (1, 8, True)
    assert asked.exit_code == ExitCode.REFUSED
    assert "1 file that no message has" in asked.stderr
    assert (there, done["files"]) == (4, 1)
    assert files_in(tmp_path / "kept") == KEPT


def test_a_prune_waits_for_an_import_that_adds_files(run: Run, own: Own, tmp_path: Path) -> None:
    store = FileStore(tmp_path / "kept")
    store.path(organization_id_of("default"), "0" * 64).write_bytes(b"just added")

    with store.held():
        done = run("attachments", "prune", "--yes", *own)

    assert done.exit_code == ExitCode.REFUSED
    assert len(files_in(tmp_path / "kept")) == len(FILES)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("cat.png", "cat.png"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\a.doc", "a.doc"),
        ("-rf", "rf"),
        (".bashrc", "bashrc"),
        ("a\x00\x1b[31m\u202eb.png", "a[31mb.png"),
        ("nul.txt", "_nul.txt"),
        ("  ", "attachment"),
        (None, "attachment"),
        ("..", "attachment"),
        ("日" * 100 + ".png", "日" * 38 + ".png"),
        ("e\u0301.txt", "é.txt"),
    ],
)
def test_a_name_is_made_safe(given: str | None, name: str) -> None:
    assert safe_name(given) == name


def test_names_are_numbered_before_their_extension() -> None:
    assert [numbered("a.tar", number) for number in (1, 2)] == ["a.tar", "a (2).tar"]
    assert numbered("README", 3) == "README (3)"
