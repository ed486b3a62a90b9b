"""Queries of a role that row-level security binds go by the same indexes as the owner's."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from chatdb.db.connect import connect_postgresql
from chatdb.db.database import Database
from chatdb.operations.conversations import lists as conversations_operation
from chatdb.operations.searching import search
from chatdb.operations.searching.search import SearchOptions
from tests.operations.app_roles import Deployment, new_deployment
from tests.operations.tenants import ACME
from tests.postgres_server import TEMPLATE, PostgresServer, wait_until

if TYPE_CHECKING:
    import psycopg

pytestmark = pytest.mark.postgresql


def used(connection: "psycopg.Connection[Any]", index: str) -> int:
    connection.execute("SELECT pg_stat_force_next_flush()")
    row = connection.execute(
        "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = %s", (index,)
    ).fetchone()
    assert row is not None
    return int(row[0] or 0)


@pytest.fixture(scope="module")
def many(postgres: PostgresServer) -> Iterator[Deployment]:
    """A database in which the way of a query matters; no letter of a rare word has accents."""
    with new_deployment(postgres, TEMPLATE) as made:
        with connect_postgresql(made.owner, autocommit=True) as connection:
            for tenant in (made.first, made.second):
                values = (tenant.id,)
                connection.execute(
                    "INSERT INTO conversations (organization_id, id, user_id, title, created_at,"
                    " updated_at, metadata) SELECT %s, gen_random_uuid(), 'u' || n %% 20, 't',"
                    " now(), now() - n * interval '1 minute', '{}'"
                    " FROM generate_series(1, 1000) n",
                    values,
                )
                connection.execute(
                    "INSERT INTO messages (organization_id, conversation_id, id, position, role,"
                    " content, metadata, created_at)"
                    " SELECT organization_id, id, gen_random_uuid(), n, 'user',"
                    " 'common words ' || CASE n WHEN 7 THEN"
                    " 'x' || translate(md5(id::text), 'acde', '') ELSE 'more' END,"
                    " '{}', now() - n * interval '1 minute'"
                    " FROM conversations, generate_series(7, 9) n WHERE organization_id = %s",
                    values,
                )
            connection.execute("VACUUM ANALYZE")
        yield made


def plans(database: Database, act: Callable[[Database], object]) -> list[str]:
    """Run an operation and return the plans of its statements, explained as the same role."""
    seen: list[tuple[str, Any]] = []
    engine = database.engine

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.lstrip().startswith(("SELECT", "WITH")):
            seen.append((statement, parameters))

    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        act(database)
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)
    found = []
    with database.transaction() as connection:
        for statement, parameters in seen:
            rows = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
            found.append("\n".join(row[0] for row in rows))
    return found


@pytest.mark.parametrize("who", ["owner", "app", "readonly"])
def test_lists_and_conversations_are_read_by_their_indexes(many: Deployment, who: str) -> None:
    with many.open(getattr(many, who)) as database:
        listed = plans(
            database,
            lambda d: conversations_operation.list_page(d, organization_key=ACME, limit=20),
        )
        shown = plans(
            database,
            lambda d: conversations_operation.read_conversation(
                d, str(many.first.conversations["ann"]), organization_key=ACME
            ),
        )

    assert "ix_conversations_updated_at" in "".join(listed)
    assert "Seq Scan on messages" not in "".join([*listed, *shown])
    assert "Seq Scan on conversations" not in "".join(listed)
    assert "_messages" in "".join(shown)


@pytest.mark.parametrize("who", ["owner", "app", "readonly"])
def test_words_are_looked_up_in_the_index(many: Deployment, who: str) -> None:
    with connect_postgresql(many.owner, autocommit=True) as connection:
        row = connection.execute(
            "SELECT split_part(content, ' ', 3) FROM messages WHERE position = 7"
            " AND organization_id = %s LIMIT 1",
            (many.first.id,),
        ).fetchone()
        assert row is not None
        before = used(connection, "ix_messages_search")
        with many.open(getattr(many, who)) as database:
            hits = search.search(
                database, str(row[0]), organization_key=ACME, options=SearchOptions()
            )
            common = search.search(
                database, "common", organization_key=ACME, options=SearchOptions()
            )
        wait_until(lambda: used(connection, "ix_messages_search") > before)

    assert len(hits.hits) == 1
    assert len(common.hits) == 20
