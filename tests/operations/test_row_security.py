"""Row-level security: what an application's role sees and does, whatever it asks for."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatdb.db.connect import connect_postgresql
from chatdb.db.database import Database
from chatdb.db.migrating.migrations import downgrade, upgrade
from chatdb.db.schema import (
    conversations,
    message_embeddings,
    messages,
    snapshots,
    tombstones,
)
from chatdb.db.url import DatabaseUrl
from chatdb.errors import ChatdbError, DatabaseFailedError
from chatdb.operations.conversations import lists as conversations_operation
from chatdb.operations.conversations.delete import delete_conversations
from chatdb.operations.exporting import exports
from chatdb.operations.organizations import organizations, users
from chatdb.operations.organizations.delete import delete_organization
from chatdb.operations.schema.check import check
from chatdb.operations.searching import search
from chatdb.operations.searching.search import SearchOptions
from chatdb.operations.security import roles
from chatdb.operations.security.isolation import prove
from chatdb.operations.security.roles import RoleKind
from chatdb.records import Conversation
from chatdb.store.lines import native_lines
from chatdb.store.selecting import ConversationFilter
from tests.operations.app_roles import Deployment, deployed, new_deployment
from tests.operations.importing import conversation, load, message
from tests.operations.tenants import ACME, GLOBEX, HOSTILE_TEXTS, Tenant
from tests.postgres_server import TEMPLATE, PostgresServer

pytestmark = pytest.mark.postgresql


@pytest.fixture(scope="module")
def shared(postgres: PostgresServer) -> Iterator[Deployment]:
    """One database for the tests that leave the second tenant as it is."""
    with new_deployment(postgres, TEMPLATE) as made:
        yield made


@pytest.fixture
def own(postgresql_url: DatabaseUrl) -> Iterator[Deployment]:
    """A database of this test's own."""
    with deployed(postgresql_url) as made:
        yield made


def rows_of(deployment: Deployment, tenant: Tenant) -> list[Any]:
    """Return every row of a tenant, as the owner sees it."""
    found: list[Any] = []
    with Database.open(deployment.owner, schema=deployment.schema).transaction() as connection:
        for table in (conversations, messages, snapshots, message_embeddings, tombstones):
            statement = sa.select(table).where(table.c.organization_id == tenant.id)
            found += sorted(map(tuple, connection.execute(statement)), key=repr)
    return found


@pytest.mark.parametrize("kind", list(RoleKind))
def test_no_attempt_of_a_role_reaches_another_tenant(shared: Deployment, kind: RoleKind) -> None:
    url = shared.app if kind is RoleKind.APP else shared.readonly
    before = rows_of(shared, shared.first)
    with connect_postgresql(shared.owner, autocommit=True) as connection:
        proof = prove(connection, url.user, may_write=kind is RoleKind.APP)

    assert proof.breaches == ()
    assert proof.attempts > 50
    assert rows_of(shared, shared.first) == before


_WITHOUT_USER = (
    "ALTER POLICY messages_tenant ON messages"
    " USING (organization_id = current_setting('app.organization_id', true)::uuid)"
)


@pytest.mark.parametrize(
    "hole",
    [
        "ALTER TABLE messages DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE tombstones DISABLE ROW LEVEL SECURITY",
        "CREATE POLICY more ON snapshots USING (true)",
        "ALTER VIEW conversation_summaries RESET (security_invoker)",
        "DROP POLICY conversations_tenant ON conversations",
        "ALTER POLICY organizations_tenant ON organizations USING (true)",
        "GRANT ALL ON organizations TO {role}",
        "GRANT TRUNCATE ON messages TO {role}",
        "GRANT CREATE ON SCHEMA public TO {role}",
        _WITHOUT_USER,
        "ALTER FUNCTION chatdb_search_hits SET search_path = pg_catalog",
        "ALTER FUNCTION chatdb_search_hits SECURITY INVOKER",
        "REVOKE INSERT ON messages FROM {role}",
    ],
)
def test_the_proof_finds_every_hole(shared: Deployment, hole: str) -> None:
    """SECURITY INVOKER is no hole: it leaves the function as good as without the index."""
    with connect_postgresql(shared.owner) as connection:
        connection.execute(hole.format(role=shared.app.user).encode())
        proof = prove(connection, shared.app.user, may_write=True)
        connection.rollback()

    assert bool(proof.breaches) == ("INVOKER" not in hole)


Act = Callable[[Database, str, str], object]


def _delete(database: Database, key: str, text: str) -> object:
    ids = exports.find_ids(database, [text], organization_key=key)
    return delete_conversations(database, ids, organization_key=key, keep_to=None)


def _import_over(database: Database, _key: str, text: str) -> object:
    """Import a conversation whose id may be another tenant's."""
    with contextlib.suppress(ValueError):
        record = conversation("x", [message("mine")], id=UUID(text), user_id="ann")
        return load(database, [record], organization=ACME)
    return None


def _search(**options: Any) -> Act:
    return lambda database, key, text: search.search(
        database, text, organization_key=key, options=SearchOptions(**options)
    )


def _export(database: Database, key: str, text: str) -> object:
    wanted = ConversationFilter(user_id=text if text in ("ann", "bob") else None)
    return b"".join(native_lines(database, wanted, organization_key=key))


ACTS: dict[str, Act] = {
    "list": lambda d, key, _: conversations_operation.list_page(d, organization_key=key),
    "list of": lambda d, key, text: conversations_operation.list_page(
        d, organization_key=key, wanted=ConversationFilter(user_id=text)
    ),
    "show": lambda d, key, text: conversations_operation.read_conversation(
        d, text, organization_key=key
    ),
    "delete": _delete,
    "import": _import_over,
    "export": _export,
    "export ids": lambda d, key, text: exports.find_ids(d, [text], organization_key=key),
    "search": _search(),
    "search ranked": _search(rank=True, include_hidden=True),
    "search of": lambda d, key, text: search.search(
        d, "shared", organization_key=key, options=SearchOptions(users=frozenset({text}))
    ),
    "search raw": _search(raw=True),
    "search titles": lambda d, key, text: search.search(
        d, f"in:title {text}", organization_key=key, options=SearchOptions()
    ),
    "users": lambda d, key, _: users.list_page(d, organization_key=key),
    "user": lambda d, key, text: users.show(d, text, organization_key=key),
    "rename user": lambda d, key, text: users.rename(
        d, text, "eve", organization_key=key, merge=True
    ),
    "organizations": lambda d, *_: organizations.list_page(d),
    "rename organization": lambda d, key, _: organizations.rename(d, key, "x"),
    "delete organization": lambda d, key, _: delete_organization(d, key, keep_to=None),
    "create organization": lambda d, key, _: organizations.create(d, key, if_missing=True),
}


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_nothing_that_the_api_does_reaches_another_tenant(
    shared: Deployment, data: st.DataObject
) -> None:
    """With the first tenant set, whichever organization, user, id or words are asked for."""
    other = shared.second.conversations
    known = [
        *(str(identifier) for identifier in other.values()),
        *(identifier.hex[-12:] for identifier in other.values()),
        *(str(identifier) for identifier in shared.first.conversations.values()),
        *("last", "shared", "globex", "globexann", "secret", "ann", "bob", "user:bob shared"),
        *HOSTILE_TEXTS,
    ]
    before = rows_of(shared, shared.second)
    user = data.draw(st.sampled_from([None, "ann"]))
    with shared.open(shared.app, user=user) as database:
        for _ in range(data.draw(st.integers(1, 4))):
            act = ACTS[data.draw(st.sampled_from(sorted(ACTS)))]
            key = data.draw(st.sampled_from([ACME, GLOBEX, "default"]))
            text = data.draw(st.sampled_from(known) | st.text(max_size=20))
            answer: object = None
            with contextlib.suppress(ChatdbError):
                answer = act(database, key, text)

            assert not any(
                name in repr(answer) for name in ("globexann", "globexbob", "of globex", "globex ")
            )
    assert rows_of(shared, shared.second) == before


def test_the_application_does_what_is_its_own(own: Deployment) -> None:
    ann = str(own.first.conversations["ann"])
    with own.open(own.app) as database:
        hits = search.search(
            database, "shared", organization_key=ACME, options=SearchOptions(limit=3)
        )
        more = search.search(
            database,
            "shared",
            organization_key=ACME,
            options=SearchOptions(limit=3, after=hits.next_cursor),
        )
        record = conversations_operation.read_conversation(database, ann, organization_key=ACME)
        counts = load(database, [conversation("new", [message("m")])], organization=ACME)
        again = load(database, [conversation("new", [message("m")])], organization=ACME)
        _delete(database, ACME, ann)
        with pytest.raises(DatabaseFailedError, match="refuses this user"):
            load(database, [conversation("new")], organization="made-up")

    assert len(hits.hits) == 3
    assert len(more.hits) == 1
    assert isinstance(record, Conversation)
    assert (counts.messages_new, again.unchanged) == (1, 1)
    with Database.open(own.owner) as database:
        left = [
            item.id
            for item in conversations_operation.list_page(database, organization_key=ACME).items
        ]
    assert UUID(ann) not in left
    assert len(left) == 2


def test_a_user_that_is_set_sees_only_what_is_the_users(shared: Deployment) -> None:
    with shared.open(shared.readonly, user="bob") as database:
        page = conversations_operation.list_page(database, organization_key=ACME)
        hits = search.search(database, "shared", organization_key=ACME, options=SearchOptions())

    assert {item.user_id for item in page.items} == {"bob"}
    assert {hit.user_id for hit in hits.hits} == {"bob"}


def test_nothing_can_be_written_by_the_role_for_reading(shared: Deployment) -> None:
    with shared.open(shared.readonly) as database:
        with pytest.raises(DatabaseFailedError, match="refuses this user"):
            users.rename(database, "ann", "eve", organization_key=ACME)
        with pytest.raises(DatabaseFailedError, match="refuses this user"):
            _delete(database, ACME, "last")


def test_filters_that_look_into_the_rows_are_applied_to_hits(own: Deployment) -> None:
    """More hits than are looked at first, most of which a filter leaves out."""
    with Database.open(own.owner) as database, database.transaction(write=True) as connection:
        connection.execute(
            sa.text(
                "INSERT INTO messages (organization_id, conversation_id, id, position, role,"
                " content, metadata, created_at)"
                " SELECT :org, :conversation, gen_random_uuid(), n, 'assistant', 'plenty of words',"
                " '{\"chatdb\": {\"hidden\": true}}', now() + n * interval '1 second'"
                " FROM generate_series(10, 300) AS n"
            ),
            {"org": own.first.id, "conversation": own.first.conversations["ann"]},
        )
        connection.execute(
            sa.text(
                "UPDATE messages SET content = 'plenty' WHERE organization_id = :org"
                " AND position = 0"
            ),
            {"org": own.first.id},
        )
    with own.open(own.app) as bound, Database.open(own.owner) as unbound:
        for options in (
            SearchOptions(limit=2),
            SearchOptions(limit=2, include_hidden=True),
            SearchOptions(limit=2, roles=frozenset({"user"})),
            SearchOptions(limit=2, users=frozenset({"bob"})),
            SearchOptions(limit=50, rank=True),
        ):
            found = [
                search.search(database, "plenty", organization_key=ACME, options=options)
                for database in (bound, unbound)
            ]
            assert found[0] == found[1]
            assert found[0].hits


def test_a_schema_of_its_own_is_kept_apart_too(empty_postgresql_url: DatabaseUrl) -> None:
    schema = "100% Chat 'db'\""
    with Database.open(empty_postgresql_url, schema=schema) as database:
        upgrade(database)
        assert check(database).differences == ()
    with deployed(empty_postgresql_url, schema=schema) as made:
        with connect_postgresql(made.owner, autocommit=True) as connection:
            proof = prove(connection, made.app.user, may_write=True, schema=schema)
        with made.open(made.app) as database:
            hits = search.search(database, "shared", organization_key=ACME, options=SearchOptions())

    assert proof.breaches == ()
    assert len(hits.hits) == 4


def test_the_function_looks_at_no_table_of_the_roles_own(shared: Deployment) -> None:
    with psycopg.connect(**shared.app.libpq()) as connection:  # type: ignore[arg-type]
        connection.execute("CREATE TEMP TABLE messages AS SELECT now() AS created_at")
        connection.execute("CREATE TEMP VIEW conversations AS SELECT 1 / 0 AS boom")
        connection.execute("SET search_path = pg_temp, public")
        connection.execute(
            "SELECT set_config('app.organization_id', %s, false)", (str(shared.first.id),)
        )
        connection.execute("SELECT set_config('app.user_id', 'ann', false)")
        found = connection.execute(
            "SELECT * FROM public.chatdb_search_hits(to_tsquery('simple', 'shared'))"
        ).fetchall()

    assert len(found) == 2


def test_going_back_and_forth_leaves_the_roles_able_to_work(own: Deployment) -> None:
    with Database.open(own.owner) as database:
        downgrade(database, "0003")
        upgrade(database)
        assert check(database).differences == ()
        roles.create(database, RoleKind.APP, own.app.user, password=None, existing=True)
    with own.open(own.app) as database:
        hits = search.search(database, "shared", organization_key=ACME, options=SearchOptions())
    assert len(hits.hits) == 4


def test_another_password_is_refused(shared: Deployment) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        connect_postgresql(replace(shared.app, password="wrong"))
