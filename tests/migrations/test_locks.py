"""The locks that a plan tells, against those that PostgreSQL takes."""

import re
from typing import Any

import psycopg
import pytest

from chatdb.db.connect import connect_postgresql
from chatdb.db.contract.migration import LockFacts
from chatdb.db.database import Database
from chatdb.db.migrating.scripts import scripts
from chatdb.db.postgresql.locks import lock_of
from chatdb.db.postgresql.migration import PostgresqlMigrationWays
from chatdb.db.url import DatabaseUrl

ORDER = (
    "none",
    "ACCESS SHARE",
    "ROW SHARE",
    "ROW EXCLUSIVE",
    "SHARE UPDATE EXCLUSIVE",
    "SHARE",
    "SHARE ROW EXCLUSIVE",
    "EXCLUSIVE",
    "ACCESS EXCLUSIVE",
)
MORE = (
    "ALTER TABLE messages ADD COLUMN mood text",
    "ALTER TABLE messages DROP COLUMN author",
    "ALTER TABLE messages ADD CONSTRAINT ck_more CHECK (position >= 0) NOT VALID",
    "ALTER TABLE messages ALTER COLUMN role SET STATISTICS 50",
    "ALTER TABLE messages ADD FOREIGN KEY (organization_id) REFERENCES organizations",
    "DROP INDEX ix_messages_created_at",
    "DROP TRIGGER messages_touch_insert ON messages",
    "DROP VIEW conversation_summaries",
    "DROP POLICY messages_tenant ON messages",
    "ALTER TABLE messages FORCE ROW LEVEL SECURITY",
    "TRUNCATE messages",
    "UPDATE messages SET model = 'x'",
    "DELETE FROM messages",
    "DROP TABLE snapshots",
    "SELECT count(*) FROM messages",
    "CREATE UNIQUE INDEX ix_more ON messages (organization_id, id)",
)


VIEW = "CREATE OR REPLACE VIEW app_titles AS SELECT id, title FROM conversations"


def locks_taken(connection: psycopg.Connection[Any], statement: str) -> dict[str, str]:
    """Run the statement and return the strongest lock on each table that was there before."""
    tables = (
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " AND relkind IN ('r', 'v')"
    )
    before = {row[0] for row in connection.execute(tables)}
    connection.rollback()
    connection.execute(statement.encode())
    rows = connection.execute(
        "SELECT c.relname, l.mode FROM pg_locks l JOIN pg_class c ON c.oid = l.relation"
        " WHERE l.pid = pg_backend_pid() AND c.relkind IN ('r', 'v')"
        " AND c.relnamespace = 'public'::regnamespace"
    ).fetchall()
    strongest: dict[str, str] = {}
    for name, mode in rows:
        spaced = re.sub(r"(?<!^)(?=[A-Z])", " ", mode.removesuffix("Lock")).upper()
        if name in before and ORDER.index(spaced) > ORDER.index(strongest.get(name, "none")):
            strongest[name] = spaced
    return strongest


def test_every_statement_of_the_migrations_takes_the_lock_the_plan_tells(
    empty_postgresql_url: DatabaseUrl,
) -> None:
    ways = PostgresqlMigrationWays()
    with (
        Database.open(empty_postgresql_url) as database,
        connect_postgresql(empty_postgresql_url) as connection,
    ):
        for script in scripts():
            for statement in ways.script_statements(script, down=False, directory=None):
                # Whose an index is, the statement that drops it does not say.
                with database.transaction() as transaction:
                    facts = ways.lock_facts(transaction)
                taken = locks_taken(connection, statement)
                connection.commit()
                assert_told(statement, taken, facts)


@pytest.mark.parametrize("statement", MORE)
def test_statements_of_later_migrations_take_the_lock_the_plan_tells(
    postgresql_url: DatabaseUrl, statement: str
) -> None:
    with Database.open(postgresql_url) as database, database.transaction() as transaction:
        facts = PostgresqlMigrationWays().lock_facts(transaction)
    with connect_postgresql(postgresql_url) as connection:
        taken = locks_taken(connection, statement)
        connection.rollback()

    assert_told(statement, taken, facts)
    told = lock_of(statement, facts)
    if not statement.startswith(("DROP TABLE", "DROP VIEW")):  # which are gone from the catalogue
        assert taken[told.tables[0]] == told.lock


def test_a_view_that_is_replaced_is_locked_as_the_plan_tells(postgresql_url: DatabaseUrl) -> None:
    with connect_postgresql(postgresql_url) as connection:
        connection.execute(VIEW)
        connection.commit()
        taken = locks_taken(connection, VIEW)

    assert taken == {"app_titles": "ACCESS EXCLUSIVE", "conversations": "ACCESS SHARE"}
    assert_told(VIEW, taken, LockFacts())


def assert_told(statement: str, taken: dict[str, str], facts: LockFacts) -> None:
    """The plan may name a stronger lock than was taken, never a weaker one.

    Triggers write to other tables, and checking a reference locks rows.
    """
    told = lock_of(statement, facts)
    beside = "ROW EXCLUSIVE" if told.lock == "ROW EXCLUSIVE" else "ROW SHARE"
    for table in told.tables:
        if table in taken:
            assert ORDER.index(told.lock) >= ORDER.index(taken[table]), (statement, taken)
    unnamed = {table: lock for table, lock in taken.items() if table not in told.tables}
    for table, lock in unnamed.items():
        assert ORDER.index(lock) <= ORDER.index(beside), (statement, table, lock)


def test_an_unknown_statement_counts_as_the_strongest_lock() -> None:
    assert lock_of("CLUSTER messages", LockFacts()).lock == "ACCESS EXCLUSIVE"
