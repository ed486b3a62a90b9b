"""Checks of the smoke test that no user or tenant sees another's data."""

from contextlib import closing
from typing import TYPE_CHECKING, Any
from uuid import UUID

from chatdb.db.connect import connect_postgresql
from chatdb.errors import NotFoundError
from chatdb.operations.conversations.public import list_page, read_conversation
from chatdb.operations.searching.public import SearchOptions, search
from chatdb.operations.smoke_test.check import (
    CheckFailedError,
    CheckSkippedError,
    SmokeCheck,
    SmokePlace,
    expect,
)
from chatdb.operations.smoke_test.conversation import ADDED, CREATED, USER
from chatdb.records import organization_id_of
from chatdb.store.selecting import ConversationFilter, count_conversations

if TYPE_CHECKING:
    import psycopg

    from chatdb.operations.security.public import Role

_OTHER_USER = "smoke-test-other-user"
_SHOWN = 3
_SET = "SELECT set_config('app.organization_id', %s, true), set_config('app.user_id', %s, true)"
_SEEN = "SELECT count(*) FROM conversations WHERE id = %s"


def _listed_ids(place: SmokePlace, key: str, user_id: str) -> list[UUID]:
    wanted = ConversationFilter(user_id=user_id)
    page = list_page(place.database, organization_key=key, wanted=wanted)
    return [item.id for item in page.items]


def _listed(place: SmokePlace) -> str:
    found = _listed_ids(place, place.traces.own, USER)
    expect(found == [place.conversation], f"its organization lists {found}")
    return "it is listed in its organization, for its user"


def _hidden_elsewhere(place: SmokePlace) -> str:
    database, other = place.database, place.traces.other
    expect(not _listed_ids(place, other, USER), "another organization lists it")
    _expect_not_found(place, other, user_id=None)
    found = search(database, place.word, organization_key=other, options=SearchOptions())
    expect(not found.hits, "a search in another organization finds it")
    count = count_conversations(database, ConversationFilter(), organization_key=other)
    expect(count == 0, f"another organization would export {count} conversations")
    return "another organization does not list, read, find or export it"


def _hidden_from_others(place: SmokePlace) -> str:
    own = place.traces.own
    expect(not _listed_ids(place, own, _OTHER_USER), "another user's list has it")
    _expect_not_found(place, own, user_id=_OTHER_USER)
    options = SearchOptions(users=frozenset([_OTHER_USER]))
    found = search(place.database, place.word, organization_key=own, options=options)
    expect(not found.hits, "a search among another user's messages finds it")
    return "another user does not list, read or find it"


def _expect_not_found(place: SmokePlace, key: str, *, user_id: str | None) -> None:
    for name in (str(place.conversation), place.conversation.hex[-8:]):
        try:
            read_conversation(place.database, name, organization_key=key, user_id=user_id)
        except NotFoundError:
            continue
        raise CheckFailedError(f"{name} can be read as {user_id or key}")


def _row_security(place: SmokePlace) -> str:
    """Act as each application role, on the existing conversation and as `prove` does."""
    database = place.database
    if database.url.path is not None:
        raise CheckSkippedError("SQLite has no roles")
    import psycopg

    from chatdb.operations.security.public import list_roles, prove

    found = [role for role in list_roles(database) if role.row_security]
    if not found:
        raise CheckSkippedError(
            "there is no application role here; to create one: chatdb roles create app"
        )
    attempts = 0
    for role in found:
        try:
            with closing(connect_postgresql(database.url, autocommit=True)) as connection:
                _expect_own_only(connection, role, place)
                may_write = role.kind == "app"
                proof = prove(connection, role.name, may_write=may_write, schema=database.schema)
        except psycopg.errors.InsufficientPrivilege as error:
            text = f"this user may not act as {role.name}: {error.diag.message_primary}"
            raise CheckSkippedError(text) from error
        shown = "; ".join(proof.breaches[:_SHOWN])
        expect(not proof.breaches, f"{role.name} {shown} (chatdb security check)")
        attempts += proof.attempts
    names = ", ".join(role.name for role in found)
    return f"as {names}: only their own data, in {attempts} attempts to access more"


def _expect_own_only(
    connection: "psycopg.Connection[Any]", role: "Role", place: SmokePlace
) -> None:
    """Require that the role sees the conversation only in its organization, for its user."""
    from psycopg import sql

    own, other = (str(organization_id_of(key)) for key in place.traces.keys)
    with connection.transaction(force_rollback=True):
        if place.database.schema is not None:
            schema = sql.Identifier(place.database.schema)
            connection.execute(sql.SQL("SET LOCAL search_path = {}").format(schema))
        connection.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role.name)))
        for organization, user, expected in (
            *((own, "", 1), (own, USER, 1), (own, _OTHER_USER, 0)),
            *((other, "", 0), (other, USER, 0), ("", "", 0)),
        ):
            connection.execute(_SET, (organization, user))
            seen = connection.execute(_SEEN, (place.conversation,)).fetchall()[0][0]
            where = organization and ("its organization" if organization == own else "another")
            expect(
                seen == expected,
                f"{role.name} sees {seen} of it instead of {expected}, set to"
                f" {where or 'no organization'} and {user or 'no user'}",
            )


ISOLATION_CHECKS: tuple[SmokeCheck, ...] = (
    SmokeCheck(name="listed-in-its-organization", run=_listed, needs=(CREATED,)),
    SmokeCheck(name="not-in-another-organization", run=_hidden_elsewhere, needs=(ADDED,)),
    SmokeCheck(name="not-for-another-user", run=_hidden_from_others, needs=(ADDED,)),
    SmokeCheck(name="row-level-security", run=_row_security, needs=(ADDED,)),
)
"""In this order."""
