"""On PostgreSQL a word with many letters that have accents is looked up, never read for."""

import pytest
import sqlalchemy as sa

from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from chatdb.operations.searching.search import SearchOptions, search
from chatdb.records import organization_id_of
from tests.operations.test_index_use import plans_of

MESSAGES = 100_000
RARE = ("authentication", "restaurant", "hippopotamus")
"""Each is asked for in up to 400 forms; it stands, with accents or without, in ten messages."""

_ROWS = """
INSERT INTO messages (organization_id, conversation_id, id, position, role, content, metadata,
                      created_at)
SELECT c.organization_id, c.id, lpad(to_hex(n), 32, '0')::uuid, n, 'user',
       'common w' || n % 5000 || CASE n % 10000
         WHEN 1 THEN ' authentication' WHEN 2 THEN ' restaurant' WHEN 3 THEN ' hippopotamus'
         WHEN 4 THEN ' r\u00e9staurant' ELSE CASE WHEN n % 2 = 0 THEN ' ubiquitous' ELSE '' END END,
       '{}', timestamptz '2025-01-01' + n * interval '1 minute'
FROM conversations c, generate_series(1, :count) n
"""


def fill(database: Database) -> None:
    with database.transaction(write=True, settings={"chatdb.bulk": "on"}) as connection:
        connection.execute(
            sa.text(
                "INSERT INTO conversations (organization_id, id, created_at, updated_at, metadata)"
                " VALUES (:organization, gen_random_uuid(), now(), now(), '{}')"
            ),
            {"organization": organization_id_of("default")},
        )
        bulk = database.dialect.bulk()
        statements = bulk.drop_search_index(connection)
        connection.execute(sa.text(_ROWS), {"count": MESSAGES})
        bulk.build_search_index(connection, statements)
        connection.exec_driver_sql("ANALYZE")


@pytest.mark.large
@pytest.mark.postgresql
def test_no_word_of_an_archive_reads_every_message(postgresql_url: DatabaseUrl) -> None:
    with Database.open(postgresql_url) as database:
        fill(database)
        hits: dict[str, int] = {}

        def look_for(words: str) -> str:
            def work() -> None:
                page = search(database, words, organization_key="default", options=SearchOptions())
                hits[words] = len(page.hits)

            return "".join(plans_of(database, work))

        rare = {word: look_for(word) for word in (*RARE, "elephantine", "restaurant -common")}
        common = look_for("common")
        filtered = look_for("common role:tool")
        rare["ubiquitous role:tool"] = look_for("ubiquitous role:tool")

    for word, plan in rare.items():
        assert "ix_messages_search" in plan, word
        assert "Seq Scan on messages" not in plan, word
    assert "Seq Scan on messages" not in common + filtered
    assert hits == {
        "authentication": 10,
        "restaurant": 20,
        "hippopotamus": 10,
        "elephantine": 0,
        "restaurant -common": 0,
        "ubiquitous role:tool": 0,
        "common": 20,
        "common role:tool": 0,
    }
