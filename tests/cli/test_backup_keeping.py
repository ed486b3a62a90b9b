"""`chatdb backup prune`, `check`, `schedule`, and whom the commands tell of their outcome."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chatdb.backups.manifest import encode
from chatdb.backups.names import backup_name
from chatdb.db.url import DatabaseUrl
from tests.backups.making import manifest
from tests.object_store import BUCKET, SECRET, ObjectStore
from tests.watch_server import Watch

Run = Callable[..., Any]


@pytest.fixture
def url(sqlite_url: DatabaseUrl) -> str:
    return sqlite_url.exposed()


def aged(*days: int) -> list[str]:
    """Put small backups of these ages into the folder `backups`; returns their names."""
    folder = Path("backups")
    folder.mkdir(exist_ok=True)
    names = []
    for age in days:
        at = datetime.now(UTC) - timedelta(days=age)
        name = backup_name("chatdb", at)
        made = manifest(name, created_at=at, database="chatdb", database_kind="sqlite")
        (folder / f"{name}.dump.zst").write_bytes(b"x" * 100)
        (folder / f"{name}.manifest.json").write_bytes(encode(made))
        names.append(name)
    return names


def left() -> set[str]:
    return {path.name.partition(".")[0] for path in Path("backups").iterdir()}


def test_prune_shows_what_would_go_and_then_removes_it(run: Run, url: str) -> None:
    new, old, oldest = aged(0, 1, 2)
    words = ("backup", "prune", "--keep-last", "1", "-d", url)

    dry = run(*words, "--dry-run")
    assert dry.exit_code == 0
    assert f"{old} " in dry.stdout
    assert dry.stdout.count("would remove") == 2
    refused = run(*words)
    assert refused.exit_code == 6
    assert f"  {oldest} (1.5 kB; no rule keeps it)\n  total 2 backups" in refused.stderr
    assert "1 backup kept" in refused.stderr
    assert "add --yes" in refused.stderr
    assert left() == {new, old, oldest}

    done = run(*words, "--yes", "--format", "json")
    assert done.exit_code == 0
    assert {row["name"]: row["action"] for row in json.loads(done.stdout)} == {
        new: "keep",
        old: "remove",
        oldest: "remove",
    }
    assert left() == {new}


def test_prune_wants_to_know_what_to_keep(run: Run, url: str) -> None:
    aged(0, 1)

    done = run("backup", "prune", "--yes", "-d", url)

    assert done.exit_code == 2
    assert "--keep-last" in done.stderr
    assert len(left()) == 2


def test_prune_names_the_broken_and_those_of_others(run: Run, url: str) -> None:
    _, broken = aged(0, 3)
    (Path("backups") / f"{broken}.dump.zst").unlink()
    (Path("backups") / "relay_20231220_143022.sql").write_text("--")

    done = run("backup", "prune", "--keep-last", "1", "-d", url)

    assert done.exit_code == 0
    assert "1 backup cannot be restored" in done.stderr
    assert "1 other backup in backups" in done.stderr
    assert "is missing" in done.stdout


def test_check_tells_a_watch_by_its_exit_code(run: Run, url: str) -> None:
    none = run("backup", "check", "-d", url)
    assert none.exit_code == 1
    assert "there is no backup of chatdb in backups" in none.stdout
    assert run("backup", "create", "--verify", "-d", url).exit_code == 0

    for words, code in (
        ((), 0),
        (("--max-age", "0m"), 1),
        (("--max-age", "1w", "--max-verified-age", "1h"), 0),
        (("--max-age", "soon"), 2),
    ):
        assert run("backup", "check", *words, "-d", url).exit_code == code
    found = json.loads(run("backup", "check", "-d", url, "--format", "json").stdout)
    assert found["file"] == found["verified_file"]
    assert found["problems"] == []


def test_a_schedule_has_the_words_that_were_typed(run: Run, url: str) -> None:
    words = (
        "--every",
        "weekly",
        "--at",
        "4:05",
        "--output",
        "s3://bucket/chat",
        "--keep-last",
        "3",
    )

    done = run("backup", "schedule", *words, "--no-verify", "-d", url)

    assert done.exit_code == 0
    assert "OnCalendar=Sun *-*-* 04:05:00" in done.stdout
    assert " backup create --output s3://bucket/chat\n" in done.stdout
    kept = "--keep-last 3 --keep-daily 7 --keep-weekly 4 --keep-monthly 12 --yes"
    assert f"backup prune s3://bucket/chat {kept}" in done.stdout
    assert "\n5 4 * * 0 chatdb " in done.stdout

    one = run("backup", "schedule", "--for", "systemd", "-d", url, "--format", "json")
    assert [Path(row["path"]).suffix for row in json.loads(one.stdout)] == [".service", ".timer"]
    assert run("backup", "schedule", "--at", "25:00", "-d", url).exit_code == 2


def test_a_watch_is_told_of_success_and_of_failure(run: Run, url: str, watch: Watch) -> None:
    post = ("--notify-url", watch.url + "/{exit_code}")

    made = run("backup", "-d", url, *post)
    assert made.exit_code == 0, made.stderr
    file = made.stdout.splitlines()[0]
    run("backup", "verify", file, *post, "-d", url)
    Path(file).write_bytes(b"x")
    run("backup", "verify", file, *post, "-d", url)
    run("backup", "prune", "--keep-last", "1", *post, "-d", url)
    gone = run("backup", "-d", "sqlite:///nothing.db", *post)
    assert gone.exit_code == 5

    told = [(each["path"], each["body"]["event"], each["body"]["outcome"]) for each in watch.got]
    assert told == [
        ("/0", "backup", "succeeded"),
        ("/0", "verify", "succeeded"),
        ("/1", "verify", "failed"),
        ("/0", "prune", "succeeded"),
        ("/5", "backup", "failed"),
    ]
    first, *_, last = (each["body"] for each in watch.got)
    assert first["details"]["file"] == file
    assert first["error"] is None
    assert last["error"]["code"] == "not_found"


def test_a_watch_that_is_away_spoils_nothing(
    run: Run, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatdb.operations.backups.notify._WAITS", ())
    monkeypatch.setenv("CHATDB_NOTIFY_URL", "http://127.0.0.1:9/secret-token")

    done = run("backup", "-d", url)

    assert done.exit_code == 0
    assert "was not posted to http://127.0.0.1:9: connection refused" in done.stderr
    assert "secret-token" not in done.stdout + done.stderr + run("config", "show").stdout


def test_a_bad_address_of_a_watch_is_told_before_anything_is_done(run: Run, url: str) -> None:
    done = run("backup", "-d", url, "--notify-url", "ftp://secret-token")

    assert done.exit_code == 2
    assert "secret-token" not in done.stderr
    assert not Path("backups").exists()


@pytest.mark.large
def test_every_command_works_in_an_object_store(
    run: Run, url: str, s3: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHATDB_BACKUP_URL", f"s3://{BUCKET}/cli")
    said = ""

    def ok(*words: str) -> Any:
        nonlocal said
        done = run("backup", *words, "-d", url)
        assert done.exit_code == 0, done.stderr
        said += done.stdout + done.stderr
        return done

    file = ok("create", "--verify").stdout.splitlines()[0]
    ok("create", "--verify")
    assert file.startswith(f"s3://{BUCKET}/cli/chatdb_")
    assert len(json.loads(ok("list", "--format", "json").stdout)) == 2
    assert file in ok("show", file).stdout
    ok("verify", file)
    ok("diff", file, "latest")
    ok("check")
    ok("prune", "--keep-last", "1", "--yes")
    assert [row["file"] != file for row in json.loads(ok("list", "--format", "json").stdout)] == [
        True
    ]
    done = run("restore", "latest", "--yes", "-d", url)
    assert done.exit_code == 0, done.stderr
    assert SECRET not in said
    assert len([path for path in (s3.folder / "cli").iterdir() if path.is_file()]) == 4


def test_only_a_public_key_is_a_recipient(run: Run, url: str) -> None:
    secret = "AGE-SECRET-KEY-1" + "Q" * 58

    done = run("backup", "-d", url, "--encrypt-to", secret)

    assert done.exit_code == 2
    assert secret not in done.stderr
    assert not Path("backups").exists()
