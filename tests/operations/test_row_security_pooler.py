"""Row-level security through PgBouncer in transaction mode, all clients on one connection."""

from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest

from chatdb.db.database import Database
from chatdb.operations.conversations import lists as conversations
from chatdb.operations.searching import search
from chatdb.operations.searching.search import SearchOptions
from tests import postgres_server
from tests.migrations.test_pooler import answers, start_pooler
from tests.operations.app_roles import Deployment, new_deployment
from tests.operations.tenants import ACME, GLOBEX
from tests.postgres_server import TEMPLATE, PostgresServer, wait_until
from tests.programs import program

pytestmark = pytest.mark.postgresql


@pytest.fixture
def pooled(postgres: PostgresServer) -> Iterator[Deployment]:
    """A deployment whose application's address is the pooler's."""
    program("pgbouncer")
    with new_deployment(postgres, TEMPLATE) as made:
        port = postgres_server._free_port()
        folder = postgres.folder / made.app.user
        folder.mkdir()
        (folder / "users").write_text(f'"{made.app.user}" "{made.app.password}"\n')
        (folder / "ini").write_text(
            f"[databases]\n{made.app.database} = host=127.0.0.1 port={postgres.port}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_type = plain\nauth_file = {folder / 'users'}\n"
            "pool_mode = transaction\ndefault_pool_size = 1\n"
        )
        url = replace(made.app, port=str(port))
        process = start_pooler(folder)
        try:
            wait_until(lambda: answers(url))
            yield replace(made, app=url)
        finally:
            process.terminate()
            process.wait(10)


def test_no_setting_of_one_client_is_left_for_the_next(pooled: Deployment) -> None:
    other = pooled.second
    with (
        pooled.open(pooled.app, user="ann") as database,
        Database.open(pooled.app).for_tenant(other.id) as elsewhere,
        psycopg.connect(**pooled.app.libpq(), autocommit=True) as bare,  # type: ignore[arg-type]
    ):
        for _ in range(3):
            mine = conversations.list_page(database, organization_key=ACME)
            theirs = conversations.list_page(elsewhere, organization_key=GLOBEX)
            hits = search.search(database, "shared", organization_key=ACME, options=SearchOptions())
            [count] = bare.execute("SELECT count(*) FROM messages").fetchall()

            assert [item.user_id for item in mine.items] == ["ann"]
            assert {item.id for item in theirs.items} == set(other.conversations.values())
            assert len(hits.hits) == 2
            assert count == (0,)
