"""A role that sees one user never takes the attachments of the others for unused."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from chatdb.db.database import Database
from chatdb.db.schema import conversations
from chatdb.errors import ExitCode
from tests.chatgpt_files import OTHER_PNG, write_export
from tests.cli.conftest import Run
from tests.operations.app_roles import Deployment, new_deployment
from tests.operations.tenants import ACME
from tests.operations.test_import_attachments import KEPT, files_in
from tests.postgres_server import TEMPLATE, PostgresServer

pytestmark = pytest.mark.postgresql

Command = Callable[..., Any]


@pytest.fixture
def made(postgres: PostgresServer) -> Iterator[Deployment]:
    """A database of this test's own."""
    with new_deployment(postgres, TEMPLATE) as made:
        yield made


@pytest.fixture
def command(run: Run, made: Deployment, tmp_path: Path) -> Command:
    """Run a command as the application: Talk 1, with two files, is ann's, Talk 2 is bob's."""
    kept = ("--org", ACME, "--attachments-dir", tmp_path / "kept")
    export = write_export(tmp_path / "export.zip")
    done = run("-d", made.owner.exposed(), "import", export, "--attachments", *kept)
    assert done.exit_code == 0, done.stderr
    with Database.open(made.owner).transaction(write=True) as connection:
        for title, user in (("Talk 1", "ann"), ("Talk 2", "bob")):
            own = conversations.c.title == title
            connection.execute(sa.update(conversations).where(own).values(user_id=user))
    return lambda *words: run("-d", made.app.exposed(), *kept, *words)


@pytest.fixture
def as_ann(command: Command, made: Deployment) -> Command:
    """Run a command as a role that always sees only ann."""
    with Database.open(made.owner).transaction(write=True) as connection:
        connection.exec_driver_sql(f"ALTER ROLE {made.app.user} SET app.user_id = 'ann'")
    return command


def talk(command: Command, title: str) -> str:
    rows = json.loads(command("conversations", "list", "--format", "json").stdout)
    (found,) = [each["id"] for each in rows if each["title"] == title]
    return str(found)


def there(tmp_path: Path) -> set[bytes]:
    return set(files_in(tmp_path / "kept", ACME).values())


def test_pruning_is_refused_to_who_sees_one_user(as_ann: Command, tmp_path: Path) -> None:
    for words in (("--yes",), ("--dry-run",)):
        done = as_ann("attachments", "prune", *words)

        assert done.exit_code == ExitCode.REFUSED
        assert "shows this role only one user" in done.stderr
        assert "connect as the owner of the tables" in done.stderr
    assert there(tmp_path) == set(KEPT.values())


def test_a_check_does_not_tell_who_sees_one_user_what_is_unused(as_ann: Command) -> None:
    done = as_ann("attachments", "check", "--format", "json")

    told = json.loads(done.stdout)
    assert done.exit_code == 0, done.stderr
    assert (told["unused"], told["kept_for_undo"], told["problems"]) == (None, None, [])
    assert "unused files are not looked for" in done.stderr


def test_a_deletion_leaves_the_bytes_to_who_sees_all_users(as_ann: Command, tmp_path: Path) -> None:
    done = as_ann("conversations", "delete", talk(as_ann, "Talk 1"), "--yes", "--no-keep")

    assert done.exit_code == ExitCode.PARTIAL
    assert "Conversations  1" in done.stdout
    assert "not removed yet: row-level security shows this role only one user" in done.stderr
    assert "the owner of the tables removes them with attachments prune" in done.stderr
    assert there(tmp_path) == set(KEPT.values())


def test_the_doctor_tells_a_role_of_one_organization_who_can_compare_all(command: Command) -> None:
    done = command("doctor", "--fail-on", "never", "--format", "json")

    (found,) = [each for each in json.loads(done.stdout) if each["id"] == "attachments"]
    assert found["severity"] == "info"
    assert "shows this role only one organization" in found["text"]
    assert "--all-orgs" not in done.stdout + done.stderr


def test_who_sees_all_users_of_an_organization_prunes_and_deletes(
    command: Command, tmp_path: Path
) -> None:
    pruned = command("attachments", "prune", "--yes", "--format", "json")
    checked = command("attachments", "check")
    gone = command(
        *("conversations", "delete", talk(command, "Talk 1"), "--yes", "--no-keep"),
        *("--user", "ann"),
    )

    assert json.loads(pruned.stdout)["files"] == 0
    assert checked.exit_code == 0
    assert gone.exit_code == 0, gone.stderr
    assert there(tmp_path) == {OTHER_PNG}


def test_a_file_that_another_user_has_too_stays_after_a_deletion_for_one_user(
    command: Command, made: Deployment, tmp_path: Path
) -> None:
    first = talk(command, "Talk 1")
    forked = command("conversations", "fork", first, "--at", "last", "--format", "json")
    identifier = json.loads(forked.stdout)["id"]
    with Database.open(made.owner).transaction(write=True) as connection:
        own = conversations.c.id == sa.bindparam("id", identifier, conversations.c.id.type)
        connection.execute(sa.update(conversations).where(own).values(user_id="bob"))

    gone = command("conversations", "delete", first, "--yes", "--no-keep", "--user", "ann")

    assert gone.exit_code == 0, gone.stderr
    assert there(tmp_path) == set(KEPT.values())
