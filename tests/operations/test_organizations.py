"""Organizations and users: what is counted, named and deleted."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import sqlalchemy as sa

from chatdb.db.database import Database
from chatdb.db.schema import conversations, log, metadata
from chatdb.db.url import DatabaseUrl
from chatdb.errors import DatabaseFailedError, NotFoundError, RefusedError, StorageError, UsageError
from chatdb.operations.organizations import organizations as operation
from chatdb.operations.organizations import users
from chatdb.operations.organizations.delete import DeletionWatch, delete_organization, keep_path
from chatdb.records import organization_id_of
from tests.operations.importing import conversation, load, message
from tests.operations.tenants import ACME, GLOBEX, HOSTILE_TEXTS, two_tenants

if TYPE_CHECKING:
    from collections.abc import Callable

TABLES = [table for table in metadata.sorted_tables if table.name != "chatdb_log"]


def state(database: Database, *, without: str | None = None) -> dict[str, list[Any]]:
    """Return every row of every table but the log, those of one organization left out."""
    gone = organization_id_of(without or "nobody")
    found = {}
    with database.transaction() as connection:
        for table in TABLES:
            rows = [tuple(row) for row in connection.execute(sa.select(table))]
            found[table.name] = sorted((row for row in rows if gone not in row), key=repr)
    return found


def keys(database: Database) -> list[str]:
    return [item.key for item in operation.list_page(database).items]


def test_the_list_counts_what_each_has(database: Database) -> None:
    two_tenants(database)

    page = operation.list_page(database)

    found = {
        item.key: (item.users, item.conversations, item.messages, item.last_activity_at)
        for item in page.items
    }
    newest = datetime(2025, 1, 12, 12, tzinfo=UTC)
    assert found[ACME] == (2, 2, 4, newest)
    assert found["default"] == (0, 0, 0, None)
    assert [item.key for item in page.items] == [ACME, "default", GLOBEX]


def test_pages_of_organizations_and_users_join_without_a_gap(database: Database) -> None:
    first, _ = two_tenants(database)
    load(database, [conversation("x", user_id=None)], organization=ACME)

    seen, after = [], None
    while True:
        page = operation.list_page(database, limit=1, after=after)
        seen += [item.key for item in page.items]
        after = page.next_key
        if after is None:
            break
    found: list[str | None] = []
    while True:
        listed = users.list_page(database, organization_key=first.key, limit=1, after=after)
        found += [item.user_id for item in listed.items]
        after = listed.next_user
        if after is None:
            break

    assert seen == [ACME, "default", GLOBEX]
    assert found == ["ann", "bob"]
    everybody = users.list_page(database, organization_key=first.key).items
    assert [(each.user_id, each.conversations, each.messages) for each in everybody] == [
        ("ann", 1, 2),
        ("bob", 1, 2),
        (None, 1, 0),
    ]


def test_creating_twice_is_refused_or_changes_nothing(database: Database) -> None:
    made = operation.create(database, ACME, name="Acme Ltd.")

    with pytest.raises(RefusedError, match="already"):
        operation.create(database, ACME)
    assert operation.create(database, ACME, name="Other", if_missing=True) == made
    assert made.id == organization_id_of(ACME)


@pytest.mark.parametrize("key", ["", " ", " acme", "a\nb", "a\x1b[31m", "\u202ea", "x" * 201])
def test_a_key_that_nobody_could_type_again_is_refused(database: Database, key: str) -> None:
    with pytest.raises(UsageError):
        operation.create(database, key)


def test_renaming_keeps_key_and_id(database: Database) -> None:
    made = operation.create(database, ACME)

    renamed = operation.rename(database, ACME, " Ünï 'Acme' ")

    assert (renamed.id, renamed.key, renamed.name) == (made.id, ACME, "Ünï 'Acme'")
    with pytest.raises(NotFoundError):
        operation.rename(database, "nobody", "x")


def test_deleting_takes_one_organization_whole_and_its_file_brings_it_back(
    database: Database, tmp_path: Path, run: Any
) -> None:
    two_tenants(database)
    before, others = state(database), state(database, without=ACME)
    path = tmp_path / "kept.jsonl.zst"
    told: list[int] = []

    report = delete_organization(
        database,
        ACME,
        keep_to=path,
        watch=DeletionWatch(on_kept=told.append, on_deleted=told.append),
    )

    assert state(database) == others
    assert (report.contents.conversations, report.contents.messages) == (2, 4)
    assert sum(told) == 4
    assert path.stat().st_mode & 0o077 == 0
    back = run("import", path, "-d", database.url.exposed(), "--org", ACME, "--restore-deleted")
    assert back.exit_code == 0, back.stderr
    after = state(database)
    assert {name: after[name] for name in after if name != "organizations"} == {
        name: before[name] for name in before if name != "organizations"
    }
    with database.transaction() as connection:
        [row] = connection.execute(sa.select(log).where(log.c.kind == "deletion")).fetchall()
    assert (row.subject, row.details["messages"], row.details["kept"]) == (ACME, 4, str(path))


def test_the_default_organization_can_be_emptied_only(database: Database) -> None:
    load(database, [conversation("x", [message("a")])])

    with pytest.raises(RefusedError, match="default"):
        delete_organization(database, "default", keep_to=None)
    report = delete_organization(database, "default", keep_to=None, keep_row=True)

    assert report.contents.messages == 1
    assert keys(database) == ["default"]
    assert operation.contents(database, "default").conversations == 0
    again = load(database, [conversation("x", [message("a")])])
    assert again.messages_new == 1


def test_nothing_is_deleted_when_it_cannot_be_kept(database: Database, tmp_path: Path) -> None:
    two_tenants(database)
    before = state(database)
    taken = tmp_path / "taken"
    taken.write_text("x")

    with pytest.raises(StorageError, match="already exists"):
        delete_organization(database, ACME, keep_to=taken)
    with pytest.raises(NotFoundError):
        delete_organization(database, "nobody", keep_to=tmp_path / "y.jsonl")

    assert state(database) == before
    assert taken.read_text() == "x"
    assert not (tmp_path / "y.jsonl").exists()


def test_an_interrupted_deletion_leaves_everything_and_no_file(
    database: Database, tmp_path: Path
) -> None:
    two_tenants(database)
    before, path = state(database), tmp_path / "kept.jsonl"

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        delete_organization(database, ACME, keep_to=path, watch=DeletionWatch(on_deleted=interrupt))

    assert state(database) == before
    assert list(tmp_path.glob("kept*")) == []


@pytest.mark.parametrize("times", [1, 9])
def test_a_message_written_meanwhile_is_kept_or_nothing_goes(
    postgresql_url: DatabaseUrl, tmp_path: Path, times: int
) -> None:
    path = tmp_path / "kept.jsonl"
    written: list[str] = []
    with Database.open(postgresql_url) as database:
        first, _ = two_tenants(database)

        def write(_: int) -> None:
            if len(written) < times:
                written.append(f"meanwhile {len(written)}")
                with psycopg.connect(**postgresql_url.libpq()) as other:  # type: ignore[arg-type]
                    other.execute(
                        "UPDATE messages SET content = %s WHERE organization_id = %s",
                        (written[-1], first.id),
                    )

        watch = DeletionWatch(on_kept=write)
        if times == 1:
            delete_organization(database, ACME, keep_to=path, watch=watch)
            assert "meanwhile 0" in path.read_text()
            assert keys(database) == ["default", GLOBEX]
        else:
            with pytest.raises(DatabaseFailedError, match="aborted the statement"):
                delete_organization(database, ACME, keep_to=path, watch=watch)
            assert not path.exists()
            assert operation.contents(database, ACME).messages == 4


def test_the_kept_files_name_is_one_that_every_system_takes(database: Database) -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)

    assert keep_path(database, "../a b/'c", now=now).name.startswith("a-b-c_20260102T")
    assert keep_path(database, "漢字", now=now).name.startswith("organization_2026")


def test_a_renamed_user_stays_renamed_when_the_source_comes_again(database: Database) -> None:
    records = [conversation("x", [message("a")], user_id="ann"), conversation("y", user_id="bob")]
    load(database, records)

    planned = users.rename(database, "ann", "eve", organization_key="default", dry_run=True)
    assert users.show(database, "ann", organization_key="default").conversations == 1
    done = users.rename(database, "ann", "eve", organization_key="default")
    again = load(database, records)

    assert (planned.conversations, planned.messages, planned.dry_run) == (1, 1, True)
    assert (done.conversations, done.merged) == (1, 0)
    assert again.unchanged == 2
    found = users.list_page(database, organization_key="default").items
    assert [each.user_id for each in found] == ["bob", "eve"]
    with database.transaction() as connection:
        times = connection.scalars(sa.select(conversations.c.updated_at)).all()
    assert set(times) == {records[0].updated_at}


def test_users_are_put_together_only_when_asked_for(database: Database) -> None:
    first, second = two_tenants(database)

    with pytest.raises(RefusedError, match="already"):
        users.rename(database, "ann", "bob", organization_key=first.key)
    report = users.rename(database, "ann", "bob", organization_key=first.key, merge=True)

    assert (report.conversations, report.merged) == (1, 1)
    assert users.show(database, "bob", organization_key=first.key).conversations == 2
    assert users.show(database, "ann", organization_key=second.key).conversations == 1
    with pytest.raises(NotFoundError):
        users.show(database, "ann", organization_key=first.key)
    with pytest.raises(UsageError):
        users.rename(database, "bob", "bob", organization_key=first.key)


@pytest.fixture
def kept(database: Database) -> Iterator[Database]:
    """The test's database on one connection, for many short transactions."""
    with Database.open(database.url, keep=True) as handle:
        yield handle


def test_a_hostile_id_or_key_is_only_a_text(kept: Database) -> None:
    database = kept
    two_tenants(database)
    before = state(database)

    for text in HOSTILE_TEXTS:
        acts: tuple[Callable[[], object], ...] = (
            partial(users.show, database, text, organization_key=ACME),
            partial(users.rename, database, text, "new", organization_key=ACME),
            partial(users.list_page, database, organization_key=text),
            partial(operation.contents, database, text),
            partial(operation.rename, database, text, "new"),
            partial(delete_organization, database, text, keep_to=None),
        )
        for act in acts:
            with pytest.raises(NotFoundError):
                act()
        users.list_page(database, organization_key=ACME, after=text)

    assert state(database) == before


def test_a_hostile_id_is_given_and_found_as_it_is(kept: Database) -> None:
    database = kept
    two_tenants(database)
    before = "ann"

    for text in HOSTILE_TEXTS:
        users.rename(database, before, text, organization_key=ACME)
        before = text

        assert users.show(database, text, organization_key=ACME).conversations == 1
        assert users.list_page(database, organization_key=GLOBEX).items[0].user_id == "ann"
    assert keys(database) == [ACME, "default", GLOBEX]
