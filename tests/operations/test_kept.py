"""What is kept of a database is listed, brought back, and removed by age or number."""

import fcntl
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.database import Database
from chatdb.db.migrating.scripts import head_revision
from chatdb.db.url import DatabaseUrl
from chatdb.operations.kept.entries import KeptEntry
from chatdb.operations.kept.prune import KeptRules, PrunedItem, plan_prune
from tests.operations.restoring import (
    Run,
    conversations_in,
    execute,
    fill,
    foreign_backup,
    kept_removed,
)
from tests.postgres_server import PostgresServer

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def chatdb(run: Run, filled: DatabaseUrl) -> Run:
    """Run a command on this database, which must end well."""

    def invoke(*words: object, exit_code: int = 0) -> Any:
        result = run(*words, "--database-url", filled.exposed())
        assert result.exit_code == exit_code, result.stderr
        return result

    return invoke


def listed(chatdb: Run) -> list[dict[str, Any]]:
    """Return the rows of `chatdb kept list`."""
    rows: list[dict[str, Any]] = json.loads(chatdb("kept", "list", "--format", "json").stdout)
    return rows


def test_what_a_restore_and_deletions_kept_is_listed_and_brought_back(
    chatdb: Run, filled: DatabaseUrl, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    assert listed(chatdb) == []
    server = request.getfixturevalue("postgres") if filled.path is None else None
    backup = foreign_backup(filled, tmp_path, server)
    chatdb("conversations", "delete", "last", "--yes", "--org", "default")
    elsewhere = tmp_path / "elsewhere.jsonl"
    chatdb("conversations", "delete", "last", "--yes", "--keep-to", elsewhere)
    deletions = listed(chatdb)
    chatdb("restore", backup, "--yes")
    entries = listed(chatdb)

    assert [(row["made_by"], row["organization"], row["conversations"]) for row in deletions] == [
        ("deletion", "default", 1),
        ("deletion", "default", 1),
    ]
    assert deletions[1]["name"] == str(elsewhere)
    # The log that named them went with the database that was replaced.
    named = {row["made_by"]: row for row in entries}
    assert {made: row["organization"] for made, row in named.items()} == dict.fromkeys(
        ("deletion", "restore")
    )
    assert all(row["bytes"] > 100 for row in entries)
    chatdb("kept", "restore", named["restore"]["name"], "--yes")
    assert conversations_in(filled) == 1
    chatdb("kept", "restore", Path(deletions[0]["name"]).name)
    chatdb("kept", "restore", "elsewhere.jsonl")
    assert conversations_in(filled) == 3
    assert [row["made_by"] for row in listed(chatdb)].count("restore") == 1


def test_a_deletion_comes_back_into_its_own_organization(chatdb: Run, filled: DatabaseUrl) -> None:
    chatdb("seed", "--org", "acme", "--conversations", "4", "--messages", "9")
    chatdb("organizations", "delete", "acme", "--yes")
    (entry,) = listed(chatdb)
    assert (entry["organization"], entry["conversations"], entry["messages"]) == ("acme", 4, 9)

    shown = json.loads(chatdb("kept", "show", entry["name"], "--format", "json").stdout)
    chatdb("kept", "restore", entry["name"])

    assert shown == {**entry, "revision": None}
    query = "SELECT key FROM organizations o JOIN conversations c ON c.organization_id = o.id"
    assert [key for (key,) in execute(filled, query)].count("acme") == 4


def test_a_deletion_that_the_log_does_not_name_goes_where_its_file_says(
    chatdb: Run, filled: DatabaseUrl
) -> None:
    chatdb("seed", "--org", "acme", "--conversations", "4", "--messages", "9")
    chatdb("conversations", "delete", "last", "--org", "acme", "--yes")
    (entry,) = listed(chatdb)
    execute(filled, "DELETE FROM chatdb_log")

    chatdb("kept", "restore", entry["name"])

    query = "SELECT key FROM organizations o JOIN conversations c ON c.organization_id = o.id"
    keys = [key for (key,) in execute(filled, query)]
    assert (keys.count("acme"), keys.count("default")) == (4, 3)


def test_deleted_messages_are_listed_with_their_organization(chatdb: Run) -> None:
    message = json.loads(chatdb("messages", "list", "last", "--format", "json").stdout)[0]["id"]
    chatdb("messages", "delete", "last", message, "--yes")

    (entry,) = listed(chatdb)

    assert (entry["organization"], entry["conversations"], entry["messages"]) == ("default", 1, 1)


def test_the_copy_of_a_migration_is_listed_shown_and_put_back(
    run: Run, sqlite_url: DatabaseUrl
) -> None:
    fill(sqlite_url)
    at = ("--database-url", sqlite_url.exposed())
    assert run("schema", "downgrade", "0004", "--yes", *at).exit_code == 0
    (entry,) = json.loads(run("kept", "list", "--format", "json", *at).stdout)
    shown = json.loads(run("kept", "show", entry["name"], "--format", "json", *at).stdout)

    back = run("kept", "restore", Path(entry["name"]).name, "--yes", *at)

    assert (entry["made_by"], shown["revision"]) == ("migration", head_revision())
    assert back.exit_code == 0, back.stderr
    assert run("schema", "check", *at).exit_code == 0
    (swapped,) = json.loads(run("kept", "list", "--format", "json", *at).stdout)
    assert swapped["made_by"] == "restore"


def test_prune_removes_what_no_rule_keeps_and_asks_first(
    chatdb: Run, filled: DatabaseUrl, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    server = request.getfixturevalue("postgres") if filled.path is None else None
    backup = foreign_backup(filled, tmp_path, server)
    for _ in range(2):
        chatdb("restore", backup, "--yes")
    chatdb("conversations", "delete", "last", "--yes")
    before = listed(chatdb)

    refused = chatdb("kept", "prune", "--keep-last", "0", exit_code=6)
    planned = chatdb("kept", "prune", "--keep-last", "0", "--dry-run", "--format", "json")
    assert listed(chatdb) == before
    done = chatdb("kept", "prune", "--keep-last", "0", "--yes", "--format", "json")

    assert "none of it is kept" in refused.stderr
    assert json.loads(planned.stdout) == json.loads(done.stdout)
    assert [(row["made_by"], row["action"]) for row in json.loads(done.stdout)] == [
        ("restore", "remove"),
        ("restore", "leave"),
        ("deletion", "leave"),
    ]
    assert listed(chatdb) == before[1:]
    chatdb("kept", "prune", "--older-than", "0m", "--force", "--yes")
    assert listed(chatdb) == []
    assert conversations_in(filled) == 2


@pytest.mark.postgresql
def test_a_kept_database_that_is_in_use_is_not_removed(
    run: Run, postgresql_url: DatabaseUrl, postgres: PostgresServer, tmp_path: Path
) -> None:
    fill(postgresql_url)
    at = ("--database-url", postgresql_url.exposed())
    with kept_removed(postgresql_url):
        backup = foreign_backup(postgresql_url, tmp_path, postgres)
        assert run("restore", backup, "--yes", *at).exit_code == 0
        (entry,) = json.loads(run("kept", "list", "--format", "json", *at).stdout)
        with Database.open(postgresql_url.with_database(entry["name"])) as kept, kept.transaction():
            done = run("kept", "prune", entry["name"], "--force", "--yes", *at)

        assert done.exit_code == 7
        assert "is in use" in done.stdout
        (still,) = json.loads(run("kept", "list", "--format", "json", *at).stdout)
        del still["bytes"], entry["bytes"]  # the server's own work changes them
        assert still == entry


def test_on_production_its_name_is_wanted(chatdb: Run, filled: DatabaseUrl) -> None:
    chatdb("conversations", "delete", "last", "--yes")
    chatdb("environment", "set", "production", "--yes")

    refused = chatdb("kept", "prune", "--keep-last", "0", "--force", "--yes", exit_code=6)

    assert "is labelled production" in refused.stderr
    name = filled.name if filled.path is None else filled.path.name
    chatdb("kept", "prune", "--keep-last", "0", "--force", "--yes", "--confirm", name)
    assert listed(chatdb) == []


def entry(made_by: Any, days: float, *, organization: str | None = "default") -> KeptEntry:
    return KeptEntry(
        name=f"{made_by}-{days}",
        made_by=made_by,
        kept_at=NOW - timedelta(days=days),
        bytes=1,
        organization=organization if made_by == "deletion" else None,
    )


KEPT = [
    entry("deletion", 100),
    entry("deletion", 90, organization=None),
    entry("restore", 60),
    entry("restore", 50),
    entry("migration", 40),
    entry("deletion", 3),
    entry("restore", 2),
    entry("broken_off", 1),
]


@pytest.mark.parametrize(
    ("rules", "gone"),
    [
        ({}, []),
        ({"older_than": timedelta(days=55)}, ["deletion-100", "restore-60"]),
        ({"older_than": timedelta(days=55), "others": True}, [
            "deletion-100", "deletion-90", "restore-60"]),
        ({"keep_last": 1}, ["deletion-100", "restore-60", "restore-50"]),
        ({"keep_last": 1, "older_than": timedelta(days=55)}, ["deletion-100", "restore-60"]),
        ({"keep_last": 0}, ["deletion-100", "restore-60", "restore-50", "migration-40"]),
        ({"keep_last": 0, "force": True}, [
            "deletion-100", "restore-60", "restore-50", "migration-40", "deletion-3",
            "restore-2"]),
        ({"names": ["restore-50", "deletion-90"]}, ["deletion-90", "restore-50"]),
        ({"names": ["restore-2"]}, []),
        ({"names": ["restore-2"], "force": True}, ["restore-2"]),
    ],
)  # fmt: skip
def test_rules_take_the_old_and_the_many_and_never_the_only_way_back(
    rules: dict[str, Any], gone: list[str]
) -> None:
    plan = plan_prune(KEPT, KeptRules(**rules), now=NOW)

    assert [item.name for item in plan if item.action == "remove"] == [*gone, "broken_off-1"]
    assert [item.name for item in plan] == [item.name for item in KEPT]
    assert all("--force" in item.reason for item in plan if _is_young_and_left(item))


def _is_young_and_left(item: PrunedItem) -> bool:
    return item.action == "leave" and item.name != "deletion-90"


def test_what_killed_runs_left_is_told_and_removed_but_never_what_another_writes(
    run: Run, sqlite_url: DatabaseUrl
) -> None:
    folder = sqlite_url.sqlite_path.parent
    fill(sqlite_url)
    deleted = folder / "chatdb-deleted"
    deleted.mkdir()
    names = (
        deleted / "deleted_20260131T120000_000000Z.jsonl.partial",
        folder / "chatdb.before_0005_20260131T120000000Z.db.partial",
        folder / "chatdb_before_restore_20260131T120000Z.db.partial",
        folder / "chatdb.db.restoring",
        folder / "other.before_0005_20260131T120000000Z.db.partial",
    )
    for path in names:
        path.write_text("half")
    at = ("--database-url", sqlite_url.exposed())
    held = os.open(names[0], os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)

    told = json.loads(run("kept", "list", "--format", "json", *at).stdout)
    doctor = json.loads(run("doctor", "--format", "json", *at).stdout)
    status = json.loads(run("status", "--format", "json", *at).stdout)
    pruned = run("kept", "prune", "--yes", *at)
    os.close(held)

    assert {Path(row["name"]) for row in told} == set(names[1:4])
    assert {row["made_by"] for row in told} == {"broken_off"}
    findings = [each["text"] for each in doctor if each["id"] == "kept"]
    assert "3 of them were left by interrupted runs" in findings
    assert (status["kept"]["items"], status["kept"]["broken_off"]) == (3, 3)
    assert pruned.exit_code == 0, pruned.stderr
    assert [path for path in names if path.exists()] == [names[0], names[4]]


def test_the_next_run_removes_what_a_killed_one_left_half_written(
    run: Run, sqlite_url: DatabaseUrl
) -> None:
    folder = sqlite_url.sqlite_path.parent
    fill(sqlite_url)
    deleted = folder / "chatdb-deleted"
    deleted.mkdir()
    names = [
        deleted / "deleted_20260131T120000_000000Z.jsonl.partial",
        deleted / "acme_20260131T120000_000000Z.jsonl.zst.partial",
        folder / "chatdb.before_0005_20260131T120000000Z.db.partial",
        folder / "chatdb.before_0005_20260131T120000000Z.db.partial-journal",
    ]
    for path in names:
        path.write_text("" if path.name.startswith("acme") else "half")
    at = ("--database-url", sqlite_url.exposed())

    assert run("conversations", "delete", "last", "--yes", *at).exit_code == 0
    assert run("schema", "downgrade", "0004", "--yes", *at).exit_code == 0

    assert [path for path in names if path.exists()] == []
    assert list(folder.rglob("*.partial*")) == []


def test_names_that_nothing_has_and_ages_that_are_none_are_told(chatdb: Run) -> None:
    chatdb("conversations", "delete", "last", "--yes")

    missing = chatdb("kept", "show", "nothing.jsonl", exit_code=5)
    chatdb("kept", "prune", "nothing.jsonl", "--yes", exit_code=5)
    chatdb("kept", "prune", "--older-than", "soon", exit_code=2)

    assert "chatdb" in missing.stderr
    assert "kept list" in missing.stderr
