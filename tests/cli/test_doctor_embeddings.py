"""The doctor tells of an index on embeddings that keeps a tenant's nearest from it."""

from typing import Any

import pytest

from chatdb.db.url import DatabaseUrl
from tests.cli.test_doctor import findings
from tests.postgres_server import PostgresServer

pytestmark = pytest.mark.postgresql


@pytest.mark.large
@pytest.mark.parametrize("method", ["hnsw", "ivfflat"])
def test_an_index_without_iterative_scan_is_a_warning(
    run: Any, postgres: PostgresServer, pgvector_url: DatabaseUrl, method: str
) -> None:
    name = pgvector_url.database
    index = f"CREATE INDEX near ON message_embeddings USING {method} (vector vector_cosine_ops)"
    without = findings(run, url=pgvector_url)["embeddings-index"]
    postgres.execute(
        "ALTER TABLE message_embeddings ALTER COLUMN vector TYPE vector(4)", index, database=name
    )
    advised = findings(run, url=pgvector_url)["embeddings-index"]
    postgres.execute(f"ALTER ROLE chatdb IN DATABASE {name} SET {method}.iterative_scan = 'off'")
    off = findings(run, url=pgvector_url)["embeddings-index"]
    postgres.execute(
        f"ALTER ROLE chatdb IN DATABASE {name} SET {method}.iterative_scan = 'relaxed_order'"
    )
    one_role = findings(run, url=pgvector_url)["embeddings-index"]
    fix = advised["fix"].partition(";")[0]
    postgres.execute(fix, database=name)
    mended = findings(run, url=pgvector_url)["embeddings-index"]

    assert (without["severity"], advised["severity"], off["severity"]) == ("ok", *["warning"] * 2)
    assert f"the index near ({method})" in advised["text"]
    assert (one_role["severity"], "is on only for chatdb" in one_role["text"]) == ("info", True)
    assert fix == f"ALTER DATABASE {name} SET {method}.iterative_scan = relaxed_order"
    assert mended["severity"] == "ok"


def test_an_index_of_one_tenant_is_none_of_its_business(
    run: Any, postgres: PostgresServer, pgvector_url: DatabaseUrl
) -> None:
    postgres.execute(
        "ALTER TABLE message_embeddings ALTER COLUMN vector TYPE vector(4)",
        "CREATE INDEX near ON message_embeddings USING hnsw (vector vector_cosine_ops)"
        " WHERE organization_id = '00000000-0000-0000-0000-000000000007'",
        database=pgvector_url.database,
    )

    assert findings(run, url=pgvector_url)["embeddings-index"]["severity"] == "ok"
