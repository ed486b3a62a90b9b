"""What is bound to a database and not to its name: told before a restore puts another there."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from chatdb.db.url import DatabaseUrl
from tests.operations.restoring import Run, conversations_in, execute

pytestmark = pytest.mark.postgresql

Command = Callable[..., Any]
SLOT = "logical replication slot {} stays with "
PREPARED = "prepared transaction '{}' of "


@pytest.fixture
def chatdb(run: Run, owned: tuple[DatabaseUrl, DatabaseUrl]) -> Command:
    """Run a command as the owner."""
    return lambda *words: run(*words, "--format", "json", "--database-url", owned[0].exposed())


@pytest.fixture
def backup(chatdb: Command) -> str:
    """A backup of the database."""
    return str(json.loads(chatdb("backup", "create").stdout)["file"])


def lock_for_ever(url: DatabaseUrl, name: str) -> None:
    """Leave a prepared transaction that has written to the messages."""
    execute(url, f"BEGIN; DELETE FROM messages; PREPARE TRANSACTION '{name}'")


def prepared(url: DatabaseUrl, name: str) -> int:
    """Count the prepared transactions of a name."""
    query = f"SELECT count(*) FROM pg_prepared_xacts WHERE gid = '{name}'"
    return int(execute(url, query)[0][0])


def test_slots_and_subscriptions_are_named_and_stay_with_what_is_kept(
    chatdb: Command, owned: tuple[DatabaseUrl, DatabaseUrl], backup: str
) -> None:
    owner, admin = owned
    slot = f"slot_{admin.database}"
    execute(
        admin,
        f"SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')",
        f"CREATE SUBSCRIPTION s_{slot} CONNECTION 'dbname=x' PUBLICATION p WITH (connect = false)",
    )

    try:
        plan = json.loads(chatdb("restore", backup, "--dry-run").stdout)
        refused = chatdb("restore", backup, "--yes")
        place = f"SELECT database FROM pg_replication_slots WHERE slot_name = '{slot}'"
        assert execute(admin, place) == [(admin.database,)]
        done = chatdb("restore", backup, "--yes", "--force")
        undone = chatdb("restore", "--undo", "--yes", "--force")

        for text in (" ".join(plan["remarks"]), refused.stderr):
            assert SLOT.format(slot) in text
            assert f"subscription s_{slot} stays with " in text
        assert refused.exit_code == 6
        assert "--force" in refused.stderr
        answer = json.loads(done.stdout)
        assert (done.exit_code, undone.exit_code) == (0, 0)
        assert [answer["kept"] in each for each in answer["bound"]] == [True, True]
        assert execute(admin, place) == [(admin.database,)]  # it went away, and came back
        assert conversations_in(owner) == 3
    finally:
        execute(
            admin,
            f"ALTER SUBSCRIPTION s_{slot} DISABLE",
            f"ALTER SUBSCRIPTION s_{slot} SET (slot_name = NONE)",
            f"DROP SUBSCRIPTION s_{slot}",
            f"SELECT pg_drop_replication_slot('{slot}')",
        )


@pytest.mark.large
@pytest.mark.parametrize("way", [[], ["--in-place"]], ids=["swap", "in place"])
def test_a_prepared_transaction_is_named_and_rolled_back_by_force_only(
    chatdb: Command, owned: tuple[DatabaseUrl, DatabaseUrl], backup: str, way: list[str]
) -> None:
    owner, _ = owned
    name = f"orphan-{owner.database}"
    lock_for_ever(owner, name)

    refused = chatdb("restore", backup, "--yes", *way)
    there = prepared(owner, name)
    done = chatdb("restore", backup, "--yes", "--force", *way)

    assert (refused.exit_code, there) == (6, 1)
    assert PREPARED.format(name) in refused.stderr
    assert f"ROLLBACK PREPARED '{name}'" in refused.stderr
    assert (done.exit_code, prepared(owner, name)) == (0, 0), done.stderr
    assert conversations_in(owner) == 3


def test_anothers_prepared_transaction_cannot_be_ended_and_nothing_is_changed(
    chatdb: Command, owned: tuple[DatabaseUrl, DatabaseUrl], backup: str
) -> None:
    owner, admin = owned
    name = f"orphan-{owner.database}"
    lock_for_ever(admin, name)
    execute(owner, "CREATE TABLE since (id int)")

    try:
        refused = chatdb("restore", backup, "--yes", "--force")

        assert refused.exit_code == 6, refused.stderr
        assert f"have it ended in {owner.database}: ROLLBACK PREPARED '{name}'" in refused.stderr
        assert execute(owner, "SELECT to_regclass('since')::text") == [("since",)]
    finally:
        execute(admin, f"ROLLBACK PREPARED '{name}'")
