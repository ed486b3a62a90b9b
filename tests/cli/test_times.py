"""Options that take a time: everywhere in the same words, and in seconds where one waits."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from chatdb.cli.app import app
from chatdb.cli.text import time_text
from chatdb.primitives.time_words import FORMS


def times() -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield every option of every command that takes a number with a point."""
    pending: list[tuple[tuple[str, ...], Any]] = [((), get_command(app))]
    while pending:
        words, command = pending.pop()
        if hasattr(command, "list_commands"):
            names = command.list_commands(None)
            pending += [((*words, name), command.get_command(None, name)) for name in names]
            continue
        for parameter in command.params:
            if "float" in parameter.type.name:
                yield words, parameter.opts[0]


TIMES = sorted(times())


def test_there_are_such_options() -> None:
    assert (("search",), "--timeout") in TIMES
    assert len(TIMES) > 5


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "-1", "1e400", "five"])
@pytest.mark.parametrize(("words", "option"), TIMES, ids="".join)
def test_no_option_takes_what_is_no_time(
    run: Any, words: tuple[str, ...], option: str, value: str
) -> None:
    done = run(*words, f"{option}={value}")

    assert done.exit_code == 2
    assert option in done.stderr


@pytest.mark.usefixtures("lite")
def test_the_commands_that_bound_time_share_the_words(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for words in (
        ("export",),
        ("search", "x"),
        ("stats",),
        ("conversations", "delete", "--dry-run"),
        ("seed", "--dry-run"),
    ):
        option = "--since" if words[0] == "stats" else "--until"
        done = run(*words, option, "no time")
        assert (done.exit_code, FORMS in done.stderr) == (2, True), words
    for words in (("kept", "prune", "--older-than"), ("backup", "check", "--max-age")):
        done = run(*words, "no time")
        assert (done.exit_code, FORMS in done.stderr) == (2, True), words
    both = run("conversations", "delete", "--before", "2025", "--until", "2025", "--dry-run")
    assert "exclude each other" in both.stderr

    monkeypatch.setenv("CHATDB_TIMEZONE", "Nowhere/Atall")
    unknown = run("export", "--since", "yesterday")
    assert unknown.exit_code == 2
    assert "'Nowhere/Atall' (environment CHATDB_TIMEZONE)" in unknown.stderr


@pytest.mark.usefixtures("lite")
def test_before_keeps_what_its_time_begins_with_and_until_does_not(
    run: Any,
) -> None:
    def matched(*words: str) -> int:
        done = run("conversations", "delete", *words, "--dry-run", "--format", "json")
        return int(done.stdout.split('"conversations": ')[1].split(",")[0])

    everything = matched("--until", "9999")
    years = [f"{year}" for year in range(2000, 2030)]
    before = [matched("--before", year) for year in years]
    until = [matched("--until", year) for year in years]

    assert everything > 0
    assert before[1:] == until[:-1]
    assert before[0] == 0


def test_people_read_times_in_their_zone_and_programs_in_utc(
    run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    chats = tmp_path / "chats.jsonl"
    chats.write_text(
        '{"kind": "conversation", "id": "6b0f0d9c-0000-4000-8000-000000000003", "title": "Pasta",'
        ' "created_at": "2025-08-24T20:00:00Z", "updated_at": "2025-08-24T20:05:00Z", "messages":'
        ' [{"id": "6b0f0d9c-0000-4000-8000-000000000004", "role": "user", "content": "salt",'
        ' "created_at": "2025-08-24T20:00:00Z"}]}\n'
    )
    monkeypatch.setenv("CHATDB_TIMEZONE", "Nowhere/Town")
    refused = run("import", chats)
    assert (refused.exit_code, "environment CHATDB_TIMEZONE" in refused.stderr) == (2, True)
    assert not Path("data").exists()

    monkeypatch.setenv("CHATDB_TIMEZONE", "Asia/Kolkata")
    assert run("import", chats).exit_code == 0
    for words in (("show", "last"), ("show", "last", "--tree"), ("search", "salt"), ("status",)):
        assert "2025-08-25 01:30" in run(*words).stdout, words
    assert "2025-08-25 01:30" in run("messages", "list", "last").stdout
    assert "2025-08-25 01:35" in run("list").stdout
    assert "2025-08-25" in run("stats").stdout
    for shown in ("json", "jsonl", "csv"):
        assert "2025-08-24T20:05:00Z" in run("list", "--format", shown).stdout


def test_a_time_at_the_ends_of_the_calendar_is_printed_in_any_zone() -> None:
    west = timezone(timedelta(hours=-8))
    assert time_text(datetime(1, 1, 1, tzinfo=UTC), west) == "0001-01-01 00:00"
    assert time_text(datetime(9999, 12, 31, tzinfo=UTC), west) == "9999-12-30 16:00"
