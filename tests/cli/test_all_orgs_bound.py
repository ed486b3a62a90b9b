"""A role that row-level security binds sees one organization, and never takes it for all."""

from collections.abc import Callable
from typing import Any

import pytest

from chatdb.errors import ExitCode
from tests.cli.conftest import Run
from tests.operations.app_roles import Deployment
from tests.operations.tenants import ACME, GLOBEX

pytestmark = pytest.mark.postgresql


@pytest.fixture(params=["app", "readonly"])
def command(request: pytest.FixtureRequest, run: Run, deployment: Deployment) -> Callable[..., Any]:
    """Run a command as a role of the application."""
    url = getattr(deployment, request.param).exposed()
    return lambda *words, **options: run("-d", url, *words, **options)


def test_all_organizations_are_refused_to_a_bound_role(
    command: Callable[..., Any], run: Run, deployment: Deployment
) -> None:
    written = run("-d", deployment.owner.exposed(), "export", "--all-orgs", "--output", "all.jsonl")
    assert written.exit_code == 0
    for words in (
        ("conversations", "list"),
        ("conversations", "list", "--user", "ann"),
        ("conversations", "show", "last"),
        ("messages", "list", "last"),
        ("snapshots", "list", "last"),
        ("users", "list"),
        ("users", "show", "ann"),
        ("search", "shared"),
        ("search", "in:title", "shared"),
        ("stats",),
        ("export",),
        ("export", "--output", "part.jsonl"),
        ("export", "--id", "last"),
        ("export", "--query", "shared"),
        ("import", "all.jsonl"),
        ("import", "all.jsonl", "--dry-run"),
    ):
        answer = command(*words, "--all-orgs")
        assert answer.exit_code == ExitCode.REFUSED, (words, answer.stderr)
        assert "row-level security shows this role only one organization" in answer.stderr, words
        assert ACME not in answer.stdout
        assert GLOBEX not in answer.stdout


def test_a_bound_role_is_not_told_who_else_has_something(command: Callable[..., Any]) -> None:
    for words in (
        ("conversations", "list"),
        ("search", "shared"),
        ("users", "list"),
        ("export",),
        ("conversations", "show", "last"),
        ("messages", "list", "last"),
    ):
        answer = command(*words)
        for key in (ACME, GLOBEX):
            assert key not in answer.stdout + answer.stderr, words


def test_statistics_of_a_bound_role_say_that_they_are_of_one_organization(
    command: Callable[..., Any],
) -> None:
    answer = command("stats")

    assert answer.exit_code == 0, answer.stderr
    assert "row-level security shows this role only the organization default" in answer.stderr
