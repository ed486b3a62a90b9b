"""chatdb's commands with the URL of an application, also through a pooler."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from chatdb.errors import ExitCode
from tests.cli.conftest import Run
from tests.cli.test_doctor import findings
from tests.operations.app_roles import Deployment
from tests.operations.tenants import ACME, GLOBEX

pytestmark = pytest.mark.postgresql


@pytest.fixture
def command(run: Run, deployment: Deployment) -> Callable[..., Any]:
    """Run a command as the application's role, for the first organization."""
    return lambda *words, **options: run(
        "-d", deployment.app.exposed(), "--org", ACME, *words, **options
    )


def rows(answer: Any) -> Any:
    assert answer.exit_code == 0, answer.stderr
    return json.loads(answer.stdout)


def test_the_daily_commands_work_as_the_applications_role(
    command: Callable[..., Any], deployment: Deployment
) -> None:
    made = rows(
        command(
            *("conversations", "create", "--title", "New", "--user", "ann", "--format", "json"),
        )
    )
    identifier = made["id"]
    added = command("messages", "add", identifier, "shared words", "--user", "ann")
    assert added.exit_code == 0, added.stderr
    for words in (
        ("conversations", "rename", identifier, "Other"),
        ("conversations", "star", identifier),
        ("conversations", "archive", identifier),
        ("conversations", "touch", identifier),
        ("conversations", "list", "--sort", "title"),
        ("conversations", "show", identifier, "--user", "ann"),
        ("messages", "list", identifier),
        ("users", "list"),
        ("search", "shared", "-C", "5", "--user", "ann"),
        ("export", "--user", "ann"),
        ("stats",),
        ("status",),
        ("conversations", "delete", identifier, "--yes", "--no-keep"),
    ):
        answer = command(*words)
        assert answer.exit_code == 0, (words, answer.stderr)
        assert "globex" not in answer.stdout
    listed = rows(command("conversations", "list", "--all", "--format", "json"))
    assert {row["id"] for row in listed} == set(map(str, deployment.first.conversations.values()))


def test_a_hit_has_its_place_and_neighbours_for_the_applications_role(
    command: Callable[..., Any],
) -> None:
    (hit,) = rows(command("search", "secret", "-C", "5", "--user", "ann", "--format", "json"))

    assert (hit["number"], hit["messages"]) == (1, 2)
    assert [each["excerpt"] for each in hit["context"]] == ["shared answer acme"]


def test_what_is_another_users_or_tenants_is_not_found(
    command: Callable[..., Any], deployment: Deployment
) -> None:
    bobs = str(deployment.first.conversations["bob"])
    other = str(deployment.second.conversations["ann"])

    for words in (
        ("conversations", "show", bobs, "--user", "ann"),
        ("messages", "add", bobs, "x", "--user", "ann"),
        ("export", "--id", bobs, "--user", "ann"),
        ("conversations", "show", other),
        ("messages", "list", other),
        ("conversations", "delete", other, "--yes"),
        ("conversations", "list", "--org", "made-up"),
    ):
        assert command(*words).exit_code == ExitCode.NOT_FOUND, words


def test_the_doctor_knows_a_role_of_an_application(run: Run, deployment: Deployment) -> None:
    for url in (deployment.app, deployment.readonly):
        found = findings(run, url=url)

        assert found["server-rights"]["severity"] == "info"
        assert [
            row
            for row in found.values()
            if row["severity"] == "error" and row["id"].startswith(("server", "schema", "leases"))
        ] == []


def test_what_the_role_may_not_do_says_so(command: Callable[..., Any]) -> None:
    for words in (
        ("organizations", "create", "mine"),
        ("organizations", "delete", GLOBEX, "--yes"),
        ("organizations", "rename", ACME, "x"),
        ("schema", "history"),
        ("roles", "create", "app", "--name", "more", "--generate"),
    ):
        answer = command(*words)
        assert answer.exit_code not in (0, None), words
        assert "Traceback" not in answer.stderr
