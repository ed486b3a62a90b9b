"""What a search that found nothing offers: words that begin like one of its own."""

import pytest

from chatdb.db.connect import connect_postgresql
from chatdb.db.database import Database
from chatdb.operations.searching.search import SearchOptions, search
from tests.operations.app_roles import new_deployment
from tests.operations.conversation_rows import add_conversation, add_organization
from tests.operations.tenants import ACME
from tests.postgres_server import TEMPLATE, PostgresServer

LONGER = {
    "baker": "baker*",
    "town baker": "baker*",
    "baker tow": None,
    "bakery": None,
    "ba": None,
    "baker nowhere": None,
    '"town baker"': None,
    "baker -town": None,
    "baker user:bob": None,
    "baker user:ann has:code": None,
    "baker user:ann": "baker*",
    "othe": None,
    "学习 bread": None,
}


def test_longer_words_are_offered_where_they_would_be_found(database: Database) -> None:
    add_conversation(database, ["a bakery in town"], user_id="ann")
    add_organization(database, "acme")
    add_conversation(database, ["others"], number=2, organization="acme")

    found = {
        text: search(database, text, organization_key="default", options=SearchOptions()).longer
        for text in LONGER
    }

    assert found == LONGER


@pytest.mark.postgresql
@pytest.mark.parametrize("who", ["app", "readonly"])
def test_no_word_of_another_tenant_is_offered(postgres: PostgresServer, who: str) -> None:
    with new_deployment(postgres, TEMPLATE) as made:
        with connect_postgresql(made.owner, autocommit=True) as connection:
            connection.execute(
                "UPDATE messages SET content = CASE WHEN organization_id = %s"
                " THEN 'bakery' ELSE 'lighthouse' END",
                (made.first.id,),
            )
        with made.open(getattr(made, who)) as database:
            offered = [
                search(database, text, organization_key=ACME, options=SearchOptions()).longer
                for text in ("baker", "light")
            ]

    assert offered == ["baker*", None]
