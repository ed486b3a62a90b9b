"""Checks of the smoke test that nobody sees what is not theirs."""

from uuid import UUID

from chatdb.errors import NotFoundError
from chatdb.operations.conversation_batches import ConversationFilter, count_conversations
from chatdb.operations.conversations import list_page, read_conversation
from chatdb.operations.search import SearchOptions, search
from chatdb.workflows.smoke_check import Check, CheckFailedError, Place, expect
from chatdb.workflows.smoke_conversation import ADDED, CREATED, USER

_OTHER_USER = "smoke-test-other-user"


def _listed_ids(place: Place, key: str, user_id: str) -> list[UUID]:
    wanted = ConversationFilter(user_id=user_id)
    page = list_page(place.database, organization_key=key, wanted=wanted)
    return [item.id for item in page.items]


def _listed(place: Place) -> str:
    found = _listed_ids(place, place.traces.own, USER)
    expect(found == [place.conversation], f"its organization lists {found}")
    return "it is listed in its organization, for its user"


def _hidden_elsewhere(place: Place) -> str:
    database, other = place.database, place.traces.other
    expect(not _listed_ids(place, other, USER), "another organization lists it")
    _expect_not_found(place, other, user_id=None)
    found = search(database, place.word, organization_key=other, options=SearchOptions())
    expect(not found.hits, "a search in another organization finds it")
    count = count_conversations(database, ConversationFilter(), organization_key=other)
    expect(count == 0, f"another organization would export {count} conversations")
    return "another organization does not list, read, find or export it"


def _hidden_from_others(place: Place) -> str:
    own = place.traces.own
    expect(not _listed_ids(place, own, _OTHER_USER), "another user's list has it")
    _expect_not_found(place, own, user_id=_OTHER_USER)
    options = SearchOptions(users=frozenset([_OTHER_USER]))
    found = search(place.database, place.word, organization_key=own, options=options)
    expect(not found.hits, "a search among another user's messages finds it")
    return "another user does not list, read or find it"


def _expect_not_found(place: Place, key: str, *, user_id: str | None) -> None:
    for name in (str(place.conversation), place.conversation.hex[-8:]):
        try:
            read_conversation(place.database, name, organization_key=key, user_id=user_id)
        except NotFoundError:
            continue
        raise CheckFailedError(f"{name} can be read as {user_id or key}")


ISOLATION_CHECKS: tuple[Check, ...] = (
    Check(name="listed-in-its-organization", run=_listed, needs=(CREATED,)),
    Check(name="not-in-another-organization", run=_hidden_elsewhere, needs=(ADDED,)),
    Check(name="not-for-another-user", run=_hidden_from_others, needs=(ADDED,)),
)
"""In this order."""
