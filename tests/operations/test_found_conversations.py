"""Which conversations a search finds: those of its hits, with the same notes."""

from typing import Any

import pytest
import sqlalchemy as sa

from chatdb.db.connect import connect_postgresql
from chatdb.db.database import Database
from chatdb.db.schema import settings
from chatdb.errors import DatabaseFailedError
from chatdb.operations.searching.found import FoundConversations, find_conversations
from chatdb.operations.searching.search import SearchOptions, search
from chatdb.records import organization_id_of
from chatdb.store.every_organization import EVERY
from tests.operations.app_roles import new_deployment
from tests.operations.conversation_rows import add_conversation, add_organization
from tests.operations.tenants import ACME
from tests.operations.test_search import ALIKE, TEXTS
from tests.postgres_server import TEMPLATE, PostgresServer

DEFAULT = organization_id_of("default")
QUERIES = ("system", "system -multi", "学习", "ubuntu OR 学习", "role:user café", "in:title talk")


def find(database: Database, text: str, **options: Any) -> FoundConversations:
    wanted = SearchOptions(**options)
    return find_conversations(database, text, organization_key="default", options=wanted)


@pytest.fixture
def shelf(database: Database) -> Database:
    """A database with a conversation for each text, all of which is indexed."""
    for number, text in enumerate(TEXTS, 1):
        add_conversation(database, [text, "nothing"], number=number)
    find(database, "nothing")
    return database


@pytest.mark.parametrize("state", ["present", "off"])
def test_they_are_those_of_all_hits_with_the_same_notes(shelf: Database, state: str) -> None:
    with shelf.transaction(write=True) as connection:
        connection.execute(sa.insert(settings).values(key="search_index", value=state))
    queries = (*ALIKE, "in:title talk", "role:assistant nothing") if state == "present" else QUERIES

    for text in queries:
        found = find(shelf, text)
        page = search(shelf, text, organization_key="default", options=SearchOptions(limit=1_000))

        assert set(found.ids.get(DEFAULT, ())) == {hit.conversation_id for hit in page.hits}, text
        assert len(found.ids.get(DEFAULT, ())) == len(set(found.ids.get(DEFAULT, ())))
        assert found.notes == page.notes, text


def test_each_of_many_organizations_has_its_own(database: Database) -> None:
    keys = [f"tenant-{number}" for number in range(14)]
    ids = {}
    for number, key in enumerate(keys, 1):
        add_organization(database, key)
        words = "needle" if number % 5 == 0 else "hay"
        ids[key] = add_conversation(database, [words], number=number, organization=key)

    found = find_conversations(
        database, "needle", organization_key=EVERY, options=SearchOptions()
    ).ids

    wanted = {organization_id_of(keys[at]): [ids[keys[at]]] for at in (4, 9)}
    assert {key: list(some) for key, some in found.items() if some} == wanted


@pytest.mark.postgresql
@pytest.mark.parametrize("who", ["owner", "app", "readonly"])
def test_roles_find_those_of_their_tenant(postgres: PostgresServer, who: str) -> None:
    with new_deployment(postgres, TEMPLATE) as made:
        with connect_postgresql(made.owner, autocommit=True) as connection:
            connection.execute("UPDATE messages SET content = content || ' harbour'")
        with made.open(getattr(made, who)) as database:
            found = find_conversations(
                database, "harbour", organization_key=ACME, options=SearchOptions()
            )
            page = search(
                database, "harbour", organization_key=ACME, options=SearchOptions(limit=1_000)
            )

    assert page.hits
    assert set(found.ids[made.first.id]) == {hit.conversation_id for hit in page.hits}


def test_they_end_at_the_timeout(database: Database) -> None:
    add_conversation(database, ["学习习学" * 2_500] * 60)

    with pytest.raises(DatabaseFailedError, match="took longer"):
        find(database, "学习学", timeout_seconds=0.001)
