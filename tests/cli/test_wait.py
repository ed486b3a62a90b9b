"""`chatdb wait` is for scripts: an exit code, and a reason on stderr."""

from dataclasses import replace
from typing import Any

import pytest

from chatdb.db.url import DatabaseUrl

NOWHERE = "postgresql://ada:secret@127.0.0.1:1/chat"


def test_wait_says_that_the_database_answers(run: Any, database_url: DatabaseUrl) -> None:
    result = run("wait", "-d", database_url.exposed())

    assert (result.exit_code, result.stdout) == (0, "")
    assert f"{database_url.redacted()} answers" in result.stderr


def test_quiet_wait_says_nothing(run: Any, database_url: DatabaseUrl) -> None:
    result = run("wait", "--quiet", "-d", database_url.exposed())

    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")


def test_wait_in_vain_exits_with_3_and_the_reason(run: Any) -> None:
    result = run("wait", "--timeout", "0.2", "-d", NOWHERE)

    assert result.exit_code == 3
    assert "did not answer within 0.2 s: nothing listens at 127.0.0.1:1" in result.stderr
    assert "hint: start the server" in result.stderr
    assert "secret" not in result.stderr


def test_every_command_gives_the_reason_of_a_refused_login(
    run: Any, postgresql_url: DatabaseUrl
) -> None:
    url = replace(postgresql_url, password="wrong")

    result = run("conversations", "list", "-d", url.exposed())

    assert result.exit_code == 3
    assert "refuses the login of user chatdb" in result.stderr


@pytest.mark.parametrize("value", ["nan", "-1", "-nan", "inf", "soon"])
@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("wait", "--timeout"),
        ("migrate", "--wait"),
        ("migrate", "--lock-wait"),
        ("migrate", "--lock-timeout"),
    ],
)
def test_a_time_that_is_none_is_refused(run: Any, command: str, option: str, value: str) -> None:
    result = run(command, f"{option}={value}")

    assert result.exit_code == 2
    assert option in result.stderr
