"""Search by meaning through pgvector's index, and as roles that row-level security binds."""

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from chatdb.db.database import Database
from chatdb.db.postgresql import vectors as postgresql_vectors
from chatdb.db.url import DatabaseUrl
from chatdb.errors import NotFoundError, RefusedError, UsageError
from chatdb.operations.embeddings.index import build_index
from chatdb.operations.embeddings.models import Model, open_model
from chatdb.operations.embeddings.status import drop_vectors, embeddings_status
from chatdb.operations.schema.check import check
from chatdb.store.every_organization import EVERY
from tests.operations.app_roles import deployed
from tests.operations.conversation_rows import add_conversation
from tests.operations.copying import Watch
from tests.operations.tenants import ACME, GLOBEX
from tests.operations.test_meaning import TEXTS, build, fill, find, near_secrets


@pytest.fixture(scope="module")
def model() -> Model:
    """The model in wordllama's wheel."""
    return open_model("wordllama")


@pytest.fixture
def indexed(pgvector_url: DatabaseUrl, model: Model) -> Iterator[Any]:
    """Two tenants on PostgreSQL whose vectors pgvector has indexed, with an application's role."""
    with deployed(pgvector_url) as made, Database.open(pgvector_url) as owner:
        build(owner, model, scope=EVERY)
        build_index(owner, "wordllama", Watch())
        yield made


@pytest.mark.postgresql
@pytest.mark.parametrize("few", [postgresql_vectors.FEW, 0])
@pytest.mark.parametrize("hybrid", [False, True])
def test_a_bound_role_sees_its_own_alone(
    indexed: Any, model: Model, monkeypatch: pytest.MonkeyPatch, few: int, hybrid: bool
) -> None:
    """Compared one by one, or (of more than `few`) found by the index."""
    monkeypatch.setattr(postgresql_vectors, "FEW", few)
    monkeypatch.setattr("chatdb.operations.searching.nearest._CANDIDATES", 2)
    monkeypatch.setattr(postgresql_vectors, "_OVER_FETCHED", 2)

    with indexed.open(indexed.app) as database:
        own = near_secrets(database, model, hybrid=hybrid)
        nearest = find(database, model, like="secret of bob", scope=ACME, limit=1)
        with pytest.raises(NotFoundError):
            near_secrets(database, model, hybrid=hybrid, scope=GLOBEX)
        with pytest.raises(RefusedError):
            near_secrets(database, model, hybrid=hybrid, scope=EVERY)
        assert build(database, model, scope=ACME).unchanged == 4
    with indexed.open(indexed.app, user="ann") as database:
        anns = near_secrets(database, model, hybrid=hybrid)

    assert own
    assert all(ACME in text for text in own)
    assert nearest.hits[0].snippet == "shared secret of bob at acme: acmebob"
    assert anns
    assert not [text for text in anns if "bob" in text]


@pytest.mark.postgresql
def test_an_index_is_asked_for_many_and_its_order_made_exact(
    pgvector_url: DatabaseUrl, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql_vectors, "FEW", 100)
    words = [f"{one} {other}" for one in TEXTS["bread"].split() for other in TEXTS["tax"].split()]
    with Database.open(pgvector_url) as database:
        for number, user in enumerate(("ann", "bob", "ann"), 1):
            texts = [f"{each} {number}" for each in words]
            add_conversation(database, texts, number=number, user_id=user)
        build(database, model)
        options: dict[str, Any] = {"users": frozenset({"ann"}), "limit": 5}
        exact = find(database, model, **options)
        build_index(database, "wordllama", Watch())
        build_index(database, "wordllama", Watch())
        asked: list[str] = []
        sa.event.listen(
            database.engine, "before_cursor_execute", lambda *found: asked.append(found[2])
        )

        near = find(database, model, **options)

        assert [hit.message_id for hit in near.hits] == [hit.message_id for hit in exact.hits]
        assert any("ROLLBACK TO SAVEPOINT" in text for text in asked)
        assert check(database).differences == ()
        (status,) = embeddings_status(database, scope="default")
        assert status.index_bytes
        drop_vectors(database, scope="default", model="wordllama", dry_run=False)
        with database.transaction() as connection:
            assert database.dialect.vectors().index_bytes(connection, "wordllama") is None


def test_without_the_extension_an_index_is_refused(database: Database, model: Model) -> None:
    fill(database)
    with pytest.raises(NotFoundError, match="no vectors of wordllama"):
        build_index(database, "wordllama", Watch())
    build(database, model)

    with pytest.raises(UsageError, match="index on vectors"):
        build_index(database, "wordllama", Watch())
