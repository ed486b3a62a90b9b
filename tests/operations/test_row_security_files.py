"""Row-level security on kept files: a user has those of the own messages."""

from collections.abc import Iterator
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from chatdb.db.database import Database
from chatdb.db.schema import files, message_files
from tests.operations.app_roles import Deployment, new_deployment
from tests.postgres_server import TEMPLATE, PostgresServer

pytestmark = pytest.mark.postgresql

DIGESTS = {"ann": "a" * 64, "bob": "b" * 64}


@pytest.fixture(scope="module")
def kept(postgres: PostgresServer) -> Iterator[Deployment]:
    """Two tenants in each of which Ann and Bob have a file of their own."""
    with new_deployment(postgres, TEMPLATE) as made:
        with Database.open(made.owner) as database, database.transaction(write=True) as connection:
            for tenant in (made.first, made.second):
                for user, digest in DIGESTS.items():
                    own = {"organization_id": tenant.id, "digest": digest}
                    connection.execute(sa.insert(files).values(**own, size=1))
                    place = {
                        "conversation_id": tenant.conversations[user],
                        "message_id": UUID(int=1),
                        "position": 0,
                    }
                    connection.execute(sa.insert(message_files).values(**own, **place))
        yield made


@pytest.mark.parametrize(
    ("user", "seen"), [(None, set(DIGESTS.values())), ("ann", {DIGESTS["ann"]}), ("eve", set())]
)
@pytest.mark.parametrize("table", [files, message_files], ids=["files", "message_files"])
def test_a_role_sees_the_files_of_its_tenant_and_user(
    kept: Deployment, table: sa.Table, user: str | None, seen: set[str]
) -> None:
    with (
        kept.open(kept.app, user=user) as database,
        database.transaction() as connection,
    ):
        rows = connection.execute(sa.select(table.c.organization_id, table.c.digest)).all()

    assert {digest for _, digest in rows} == seen
    assert {organization for organization, _ in rows} <= {kept.first.id}
    assert len(rows) == len(seen)


def test_a_user_can_neither_change_nor_remove_what_is_anothers(kept: Deployment) -> None:
    other = files.c.digest == DIGESTS["bob"]
    with (
        kept.open(kept.app, user="ann") as database,
        database.transaction(write=True) as connection,
    ):
        changed = connection.execute(sa.update(files).where(other).values(size=2)).rowcount
        removed = connection.execute(sa.delete(files).where(other)).rowcount

    assert (changed, removed) == (0, 0)


def test_a_user_can_add_a_file_that_another_has(kept: Deployment) -> None:
    own = {"organization_id": kept.first.id, "digest": DIGESTS["bob"], "size": 1}
    with (
        kept.open(kept.app, user="ann") as database,
        database.transaction(write=True) as connection,
    ):
        connection.execute(insert(files).values(**own).on_conflict_do_nothing())

    with Database.open(kept.owner) as database, database.transaction() as connection:
        mine = sa.select(sa.func.count()).where(files.c.organization_id == kept.first.id)
        assert connection.scalar(mine) == len(DIGESTS)
