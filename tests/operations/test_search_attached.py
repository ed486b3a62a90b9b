"""Words beside a message (`attached_text`) are searched as one text with its own words."""

import pytest
import sqlalchemy as sa

from chatdb.db.connect import connect_postgresql
from chatdb.db.database import Database
from chatdb.db.schema import settings
from chatdb.db.url import DatabaseUrl
from chatdb.errors import UsageError
from chatdb.operations.searching.search import SearchOptions, search
from chatdb.operations.searching.search_index import check_search_index
from chatdb.store.attached_text import INCOMPLETE
from chatdb.store.search_index import build_search_index, take_off_search_index
from tests.operations.app_roles import new_deployment
from tests.operations.conversation_rows import add_conversation, change_message, message_id
from tests.operations.tenants import ACME
from tests.operations.test_index_use import plans_of
from tests.operations.test_search import look
from tests.postgres_server import TEMPLATE, PostgresServer

CONTENTS = ("read the lantern report", "a plain lantern", "nothing here", "学习 und mehr")
ATTACHED = {0: "report.txt:\nthe harbour has 40 ships", 2: "学习 in a pasted text"}

FOUND: dict[str, set[int]] = {
    "lantern": {0, 1},
    "harbour": {0},
    "lantern harbour": {0},
    "plain harbour": set(),
    "lantern -harbour": {1},
    "lantern -plain": {0},
    '"lantern report report.txt the harbour"': {0},
    "harbour OR plain": {0, 1},
    "harb*": {0},
    "学习": {2, 3},
    "学习 -nothing": {3},
    "mehr -学习": set(),
    "has:attachment": {0, 2},
    "lantern has:attachment": {0},
    "lantern -has:attachment": {1},
}


def fill(database: Database) -> None:
    add_conversation(database, CONTENTS)
    for position, text in ATTACHED.items():
        change_message(database, message_id(1, position), attached_text=text)


def found(database: Database, text: str) -> set[int]:
    """Return the positions of the messages that are found."""
    ids = [hit.message_id for hit in look(database, text).hits]
    return {each.int - message_id(1, 0).int for each in ids if each is not None}


@pytest.mark.parametrize("state", ["present", "deferred"])
def test_both_are_found_alike_with_and_without_the_index(database: Database, state: str) -> None:
    fill(database)
    if state == "deferred":
        with database.transaction(write=True) as connection:
            assert take_off_search_index(database, connection, "deferred")

    assert {text: found(database, text) for text in FOUND} == FOUND


def test_an_index_that_is_built_again_has_both(database: Database) -> None:
    fill(database)
    with database.transaction(write=True) as connection:
        assert take_off_search_index(database, connection, "off")
    assert build_search_index(database)

    assert {text: found(database, text) for text in FOUND} == FOUND
    assert check_search_index(database).problems == ()


def test_a_text_that_changes_or_goes_is_no_longer_found(database: Database) -> None:
    fill(database)
    first, third = message_id(1, 0), message_id(1, 2)

    change_message(database, first, attached_text="the moor has none")
    change_message(database, third, attached_text=None)

    assert found(database, "harbour") == set()
    assert found(database, "lantern moor") == {0}
    assert found(database, "has:attachment") == {0}
    assert found(database, "nothing") == {2}
    assert check_search_index(database).problems == ()


def test_the_excerpt_shows_the_words_that_were_found_beside(database: Database) -> None:
    fill(database)

    (hit,) = look(database, "ships").hits

    assert hit.snippet == "…lantern report report.txt: the harbour has 40 ships"
    assert [hit.snippet[start:end] for start, end in hit.highlights] == ["ships"]


def test_attachments_without_text_count_as_attachments(database: Database) -> None:
    add_conversation(database, ["one", "two"])
    change_message(database, message_id(1, 1), attachments=[{"name": "a.png"}])

    assert found(database, "has:attachment") == {1}


def test_a_filter_that_only_excludes_is_refused(database: Database) -> None:
    with pytest.raises(UsageError):
        look(database, "-has:attachment")


def test_what_is_still_to_be_filled_is_told(database: Database) -> None:
    fill(database)
    assert INCOMPLETE not in look(database, "lantern").notes
    with database.transaction(write=True) as connection:
        row = {"key": "attached_text", "value": "incomplete"}
        connection.execute(sa.insert(settings).values(**row))

    assert INCOMPLETE in look(database, "lantern").notes


@pytest.mark.postgresql
@pytest.mark.parametrize("who", ["owner", "app", "readonly"])
def test_roles_find_what_is_beside_the_messages_of_their_tenant(
    postgres: PostgresServer, who: str
) -> None:
    with new_deployment(postgres, TEMPLATE) as made:
        with connect_postgresql(made.owner, autocommit=True) as connection:
            connection.execute("UPDATE messages SET attached_text = 'the harbour has ' || content")
        with made.open(getattr(made, who)) as database:
            page = search(database, "harbour", organization_key=ACME, options=SearchOptions())
            none = search(database, "harbour -has", organization_key=ACME, options=SearchOptions())
        with connect_postgresql(made.owner) as connection:
            count = connection.execute(
                "SELECT count(*) FROM messages WHERE organization_id = %s", (made.first.id,)
            ).fetchone()

    assert count is not None
    assert len(page.hits) == min(20, count[0]) > 0
    assert none.hits == ()


@pytest.mark.postgresql
def test_hits_come_from_the_index_without_parsing_texts_again(
    postgresql_url: DatabaseUrl,
) -> None:
    with Database.open(postgresql_url) as database:
        fill(database)
        plan = "".join(plans_of(database, lambda: look(database, "harbour")))

    assert "ix_messages_search" in plan
    filters = [line for line in plan.splitlines() if "Filter:" in line]
    assert not any("chatdb_search_text" in line for line in filters)
