"""What a schedule prints is what systemd, cron and Compose read, whatever is in its words."""

import json
import os
import subprocess
from collections.abc import Callable
from datetime import time
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.url import DatabaseUrl, parse_url
from chatdb.errors import UsageError
from chatdb.operations.backups.schedule import (
    ENVIRONMENT_FILE,
    HOME,
    ScheduleFile,
    ScheduleOptions,
    Target,
    schedule_files,
)
from tests.programs import program

ODD = "/srv/ba $HOME %d \"q\" 'a' \\b"
POSTGRESQL = parse_url("postgresql://ada:very-secret@127.0.0.1/chat")
PROGRAM = "/bin/true"


def options(**changes: Any) -> ScheduleOptions:
    fields: dict[str, Any] = {
        "every": "daily",
        "at": time(2, 30),
        "place": "/srv/backups",
        "create": ("--verify",),
        "prune": ("--keep-daily", "7"),
        "program": PROGRAM,
        "database": POSTGRESQL,
    }
    return ScheduleOptions(**{**fields, **changes})


def only(target: Target, **changes: Any) -> ScheduleFile:
    return schedule_files(options(**changes), [target])[0]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"place": "s3://bucket/chat", "prune": (), "every": "hourly"},
        {"place": ODD, "every": "weekly", "create": ("--encrypt-to", "ssh-ed25519 AAAA me@x")},
        {"database": DatabaseUrl(dialect_name="sqlite", path=Path("/srv/my data/chat.db"))},
    ],
    ids=["folder", "object store", "odd words", "sqlite"],
)
def test_systemd_finds_nothing_wrong(tmp_path: Path, changes: dict[str, Any]) -> None:
    for file in schedule_files(options(**changes), ["systemd"]):
        (tmp_path / Path(file.path).name).write_text(file.text)

    done = subprocess.run(
        [program("systemd-analyze"), "verify", "--recursive-errors=no", *tmp_path.glob("*.*er*")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("every", "calendar", "crontab"),
    [
        ("hourly", "*-*-* *:30:00", "30 * * * *"),
        ("daily", "*-*-* 02:30:00", "30 2 * * *"),
        ("weekly", "Sun *-*-* 02:30:00", "30 2 * * 0"),
    ],
)
def test_the_time_is_the_same_in_each(every: str, calendar: str, crontab: str) -> None:
    timer = schedule_files(options(every=every), ["systemd"])[1]

    assert f"OnCalendar={calendar}\n" in timer.text
    assert f"\n{crontab} chatdb cd " in only("cron", every=every).text
    understood = subprocess.run(
        [program("systemd-analyze"), "calendar", calendar], capture_output=True, check=False
    )
    assert understood.returncode == 0


def test_words_reach_the_program_as_they_are(tmp_path: Path) -> None:
    """The cron line, run by its shell as cron would: `\\%` is a `%` by then."""
    told = tmp_path / "told"
    recorder = tmp_path / "chatdb program"
    recorder.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$SECRET" "$@" "" >> "{told}"\numask >> "{told}"\n'
    )
    recorder.chmod(0o755)
    (tmp_path / "environment").write_text("SECRET='a $b %c'\n")
    file = only("cron", place=ODD, program=str(recorder))
    line = file.text.splitlines()[-1].partition(" chatdb ")[2].replace("\\%", "%")
    for place, ours in ((ENVIRONMENT_FILE, tmp_path / "environment"), (HOME, tmp_path)):
        line = line.replace(place, f"'{ours}'")

    subprocess.run(["/bin/sh", "-c", line], env={"PATH": os.environ["PATH"]}, check=True)

    create = ["a $b %c", "--quiet", "backup", "create", "--output", ODD, "--verify", "", "0077"]
    prune = ["--quiet", "backup", "prune", ODD, "--keep-daily", "7", "--yes", "", "0077"]
    assert told.read_text().splitlines() == [*create, "a $b %c", *prune]
    assert "%" not in file.text.splitlines()[-1].replace("\\%", "")


@pytest.mark.parametrize("place", ["/srv/backups", "s3://bucket/chat $x"])
@pytest.mark.parametrize("database", [POSTGRESQL, parse_url("sqlite:////srv/my data/chat$1.db")])
def test_compose_reads_its_service(tmp_path: Path, place: str, database: DatabaseUrl) -> None:
    path = tmp_path / "docker-compose.yml"
    path.write_text(only("compose", place=place, database=database).text)

    done = subprocess.run(
        [program("docker-compose"), "-f", path, "config"],
        env={"PATH": os.environ["PATH"], "POSTGRES_PASSWORD": "x"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "--max-age" in done.stdout


def of_schedule() -> str:
    """Return the script of the sidecar that a schedule prints."""
    text = only("compose", place="/srv/backups").text
    line = next(line for line in text.splitlines() if line.startswith('      - "run()'))
    return str(json.loads(line.removeprefix("      - ")))


def of_production() -> str:
    """Return the script of the sidecar in the compose file for production."""
    path = files("chatdb") / "project_files" / "docker-compose.production.yml"
    block = path.read_text().partition("      - >-\n")[2].partition("    healthcheck:")[0]
    return " ".join(block.split())


@pytest.mark.parametrize("script_of", [of_schedule, of_production])
@pytest.mark.parametrize("is_fresh", [False, True])
def test_the_sidecar_backs_up_at_once_where_none_is_fresh_and_then_by_the_clock(
    tmp_path: Path, script_of: Callable[[], str], is_fresh: bool
) -> None:
    """Its script, with programs of the test's own in the place of chatdb and sleep."""
    told = tmp_path / "told"
    for name, body in {
        "chatdb": f'echo "$@" >> "{told}"\ncase "$*" in *check*) exit {int(not is_fresh)};; esac',
        "sleep": f'echo sleep "$@" >> "{told}"\n[ ! -e "{told}.once" ] && touch "{told}.once"',
        "date": "echo 1764037800",  # 2025-11-25 02:30:00 UTC, on the dot
    }.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    # The loop has no end: here it ends when sleep fails, the second time.
    script = script_of().replace("$$", "$").replace("; run; done", " || exit 9; run; done")
    settings = {
        "BACKUP_KEEP": "--keep-daily 7",
        "BACKUP_MAX_AGE": "26h",
        "BACKUP_EVERY_SECONDS": "86400",
    }

    done = subprocess.run(
        ["/bin/sh", "-c", script],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}", **settings},
        capture_output=True,
        text=True,
        check=False,
    )

    said = [
        line.replace("--quiet ", "").replace("/backups ", "").replace("--output ", "")
        for line in told.read_text().splitlines()
    ]
    run = [
        "wait --timeout 300",
        "backup create --verify",
        "backup prune --keep-daily 7 --yes",
    ]
    once = [] if is_fresh else run
    check = "backup check --max-age 26h"
    assert said == [check, *once, "sleep 86400", *run, "sleep 86400"]
    assert (done.returncode, done.stderr) == (9, "")


def test_no_secret_is_printed() -> None:
    made = schedule_files(options(), ["systemd", "cron", "compose"])

    assert [file.path for file in made] == [
        "/etc/systemd/system/chatdb-backup.service",
        "/etc/systemd/system/chatdb-backup.timer",
        "/etc/cron.d/chatdb-backup",
        "docker-compose.backup.yml",
    ]
    for file in made:
        assert "very-secret" not in file.text


def test_a_word_that_no_line_can_hold_is_refused() -> None:
    with pytest.raises(UsageError, match="control character"):
        schedule_files(options(place="/srv/a\nExecStart=/bin/sh"), ["systemd"])
