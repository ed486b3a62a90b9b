"""Options that take a time: everywhere in the same words, and in seconds where one waits."""

from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command

from chatdb.cli.app import app
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
