"""What is kept in a folder that databases share, or for a role that may not read the log."""

import json
from typing import Any

import pytest

from chatdb.db.url import DatabaseUrl
from tests.operations.app_roles import deployed
from tests.operations.restoring import Run, fill
from tests.operations.tenants import ACME


def listed(run: Run, *at: str) -> list[dict[str, Any]]:
    """Return the rows of `chatdb kept list`."""
    rows: list[dict[str, Any]] = json.loads(run("kept", "list", "--format", "json", *at).stdout)
    return rows


def test_what_another_database_deleted_is_not_listed_but_its_folder_is_named(
    run: Run, database_url: DatabaseUrl, request: pytest.FixtureRequest
) -> None:
    fill(database_url)
    own = ("-d", database_url.exposed())
    assert run("conversations", "delete", "last", "--yes", *own).exit_code == 0
    (entry,) = listed(run, *own)
    if database_url.path is not None:
        other = database_url.path.with_name("other.db")
        assert run("migrate", "-d", f"sqlite:///{other}").exit_code == 0
        at = ("-d", f"sqlite:///{other}")
    else:
        at = ("-d", request.getfixturevalue("empty_postgresql_url").exposed())

    told = run("kept", "list", "--format", "json", *at)
    status = json.loads(run("status", "--format", "json", *at).stdout)
    pruned = run("kept", "prune", "--older-than", "0m", "--force", "--yes", *at)

    assert json.loads(told.stdout) == []
    assert "chatdb-deleted has 1 file of deletions from other databases" in told.stderr
    assert status["kept"] is None
    assert pruned.exit_code == 0, pruned.stderr
    assert listed(run, *own) == [entry]
    others = ("--older-than", "0m", "--others", "--dry-run", "--format", "json")
    (left,) = json.loads(run("kept", "prune", *others, *at).stdout)
    assert (left["name"], left["action"]) == (entry["name"], "leave")


@pytest.mark.postgresql
def test_a_role_that_may_not_read_the_log_is_told_so(run: Run, postgresql_url: DatabaseUrl) -> None:
    with deployed(postgresql_url) as deployment:
        owner, at = ("-d", postgresql_url.exposed()), ("-d", deployment.app.exposed())
        deleted = run("conversations", "delete", "last", "--org", ACME, "--yes", *owner)
        assert deleted.exit_code == 0, deleted.stderr
        told = run("kept", "list", *at)
        (entry,) = listed(run, *at)
        pruned = run("kept", "prune", "--older-than", "0m", "--dry-run", *at)
        refused = run("kept", "restore", entry["name"], *at)
        restored = run("kept", "restore", entry["name"], "--org", ACME, *at)

    assert "not in the log" not in told.stdout + pruned.stdout
    assert "permission denied for table chatdb_log" in told.stderr
    assert "could not be read" in pruned.stdout
    assert refused.exit_code == 6
    assert "--all-orgs" not in refused.stderr
    assert "--org KEY" in refused.stderr
    assert restored.exit_code == 0, restored.stderr
    assert "1 new conversation" in restored.stderr
