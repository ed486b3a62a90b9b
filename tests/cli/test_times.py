"""Options that take a time: what is no number of seconds is a usage error, everywhere."""

from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command

from chatdb.cli.app import app


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
