"""A damaged or incomplete full-text index is noticed, and a rebuild mends it."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from chatdb.db.connect import connect_postgresql
from chatdb.db.database import Database
from chatdb.db.sqlite.copies import damages
from chatdb.db.url import DatabaseUrl
from chatdb.errors import DatabaseFailedError
from chatdb.operations.schema.check import check
from chatdb.operations.searching.search import SearchOptions, SearchPage, search
from chatdb.operations.searching.search_index import (
    check_search_index,
    look_at_search_index,
    rebuild_search_index,
)
from chatdb.store.search_index import search_index_state, take_off_search_index
from tests.operations.importing import check_search, conversation, load, message
from tests.operations.index_damage import (
    INDEX,
    MESSAGES,
    SQLITE,
    WAYS,
    Told,
    execute,
    fill,
    halve_blocks,
    leave_invalid,
)
from tests.postgres_server import PostgresServer


def found(database: Database, words: str, **options: Any) -> SearchPage:
    wish = SearchOptions(**options)
    return search(database, words, organization_key="default", options=wish)


@pytest.fixture
def filled_url(request: pytest.FixtureRequest) -> Callable[[str], DatabaseUrl]:
    """Return a function that gives a database of one kind with messages in it."""

    def of(kind: str) -> DatabaseUrl:
        url: DatabaseUrl = request.getfixturevalue(f"{kind}_url")
        with Database.open(url) as database:
            fill(database)
        return url

    return of


@pytest.mark.large
@pytest.mark.parametrize(("kind", "damage", "words"), WAYS)
def test_damage_is_seen_and_a_rebuild_mends_it(
    filled_url: Callable[[str], DatabaseUrl],
    kind: str,
    damage: Callable[[DatabaseUrl], None],
    words: str,
) -> None:
    url = filled_url(kind)
    damage(url)
    with Database.open(url) as database:
        seen = look_at_search_index(database)
        checked = check_search_index(database)

        rebuild_search_index(database, Told())
        after = check_search_index(database)
        load(database, [conversation("more", [message("new", content="fresh common")])])

        assert (seen.state, checked.state, after.state) == ("damaged", "damaged", "present")
        assert words in " ".join(seen.problems)
        assert after.problems == ()
        assert check(database).differences == ()
        check_search(database, "fresh", 1)
        page = found(database, "common", limit=1_000)
        with database.transaction() as connection:
            there = connection.scalar(sa.text("SELECT count(*) FROM messages"))
        assert len(page.hits) == there
        assert page.notes == ()


def test_an_index_that_is_whole_is_whole(database: Database) -> None:
    fill(database)

    seen = look_at_search_index(database)

    assert (seen.state, seen.problems, seen.is_whole) == ("present", (), True)
    assert check_search_index(database).problems == ()
    if database.dialect.name == "sqlite":
        assert (seen.messages, seen.indexed) == (MESSAGES, MESSAGES)
    assert not rebuild_search_index(database, Told(), only_if_needed=True)
    assert found(database, "nowhere").notes == ()


def test_an_empty_index_is_whole(database: Database) -> None:
    assert look_at_search_index(database).problems == ()
    assert check_search_index(database).problems == ()
    rebuild_search_index(database, Told())
    assert check_search_index(database).problems == ()


def test_words_that_changed_past_the_triggers_are_found_by_the_full_check(
    sqlite_url: DatabaseUrl,
) -> None:
    with Database.open(sqlite_url) as database:
        fill(database)
        (trigger,) = _trigger(database, "messages_search_update")
        execute(
            sqlite_url,
            "DROP TRIGGER messages_search_update",
            "UPDATE messages SET content = replace(content, 'word7', 'sword')",
            trigger,
        )

        assert look_at_search_index(database).problems == ()
        assert "does not contain the words" in check_search_index(database).problems[0]
        assert rebuild_search_index(database, Told())
        assert check_search_index(database).problems == ()


def _trigger(database: Database, name: str) -> Any:
    with database.transaction() as connection:
        query = sa.text("SELECT sql FROM sqlite_master WHERE name = :name")
        return connection.execute(query, {"name": name}).one()


@pytest.mark.parametrize("state", ["off", "deferred"])
def test_an_index_that_was_left_out_is_told_and_built(database: Database, state: Any) -> None:
    fill(database)
    with database.transaction(write=True) as connection:
        assert take_off_search_index(database, connection, state)

    seen = look_at_search_index(database)
    told = Told()
    assert rebuild_search_index(database, told, only_if_needed=True)

    assert seen.state == state
    assert seen.is_whole == (state == "off")
    check_search(database, "common", MESSAGES)
    with database.transaction() as connection:
        assert search_index_state(connection) == "present"
    if database.dialect.name == "sqlite":
        assert told.done == MESSAGES


def test_a_search_over_a_damaged_index_says_so(sqlite_url: DatabaseUrl) -> None:
    with Database.open(sqlite_url) as database:
        fill(database)
        execute(sqlite_url, "DELETE FROM messages_search_docsize WHERE id > 300")
        newest = found(database, "common", limit=2)
        execute(sqlite_url, "DELETE FROM messages_search_docsize WHERE id = 7")
        halve_blocks(sqlite_url)
        nothing = found(database, "nowhere")

    for page in (newest, nothing):
        assert "chatdb search-index rebuild" in " ".join(page.notes)


def test_a_search_that_cannot_read_the_index_names_the_command(sqlite_url: DatabaseUrl) -> None:
    for name in ("blocks gone", "structure lost", "settings lost"):
        with Database.open(sqlite_url) as database:
            if look_at_search_index(database).messages == 0:
                fill(database)
            SQLITE[name][0](sqlite_url)
            with pytest.raises(DatabaseFailedError) as raised:
                found(database, "common")
            rebuild_search_index(database, Told())

        assert raised.value.hint == "chatdb search-index rebuild"
        assert "search index" in raised.value.text


def test_a_search_without_its_tables_reads_every_message(sqlite_url: DatabaseUrl) -> None:
    with Database.open(sqlite_url) as database:
        fill(database)
        execute(sqlite_url, "DROP TABLE messages_search_idx")
        page = found(database, "word77")

    assert len(page.hits) == 1
    assert "every message is read" in page.notes[0]


def test_a_write_that_meets_a_damaged_index_names_the_command(sqlite_url: DatabaseUrl) -> None:
    with Database.open(sqlite_url) as database:
        fill(database)
        execute(sqlite_url, "DELETE FROM messages_search_data WHERE id = 10")
        with pytest.raises(DatabaseFailedError) as raised:
            load(database, [conversation("two", [message("x")])])

    assert raised.value.hint == "chatdb search-index rebuild"


def test_a_rebuild_that_fails_leaves_everything_as_it_was(sqlite_url: DatabaseUrl) -> None:
    class Stops(Told):
        def advance(self, amount: int) -> None:
            del amount
            raise KeyboardInterrupt

    with Database.open(sqlite_url) as database:
        fill(database)
        execute(sqlite_url, "DROP TRIGGER messages_search_insert")
        with pytest.raises(KeyboardInterrupt):
            rebuild_search_index(database, Stops())

        assert look_at_search_index(database).problems == (
            "the trigger messages_search_insert is missing",
        )
        assert len(found(database, "common", limit=1_000).hits) == MESSAGES


def test_a_file_that_cannot_be_written_is_counted(sqlite_url: DatabaseUrl) -> None:
    with Database.open(sqlite_url) as database:
        fill(database)
    execute(sqlite_url, "PRAGMA wal_checkpoint(TRUNCATE)")
    url = DatabaseUrl(dialect_name="sqlite", path=sqlite_url.path, parameters=(("immutable", "1"),))

    with Database.open(url) as database:
        report = check_search_index(database)
    halve_blocks(sqlite_url)
    execute(sqlite_url, "PRAGMA wal_checkpoint(TRUNCATE)")
    with Database.open(url) as database:
        damaged = check_search_index(database)

    assert (report.state, report.indexed) == ("present", MESSAGES)
    assert "only counted" in report.unchecked[0]
    assert damaged.state == "damaged"


def test_what_sqlite_says_of_the_index_is_no_damage_of_the_file() -> None:
    """From 3.44 on its integrity checks speak of FTS5's tables as well."""
    index = "malformed inverted index for FTS5 table main.messages_search"

    assert damages(["ok"]) == []
    assert damages([index]) == []
    assert damages([index, "row 3 missing from index x"]) == ["row 3 missing from index x"]


@pytest.mark.postgresql
def test_amcheck_reads_the_index_through_where_it_is_installed(
    postgres: PostgresServer, postgresql_url: DatabaseUrl
) -> None:
    with Database.open(postgresql_url) as database:
        fill(database)
        without = check_search_index(database)
        postgres.execute("CREATE EXTENSION amcheck", database=postgresql_url.database)
        with_it = check_search_index(database)

    assert "amcheck is not installed" in without.unchecked[0]
    with connect_postgresql(postgresql_url) as connection:
        has_gin = connection.info.server_version >= 180_000
    assert with_it.unchecked == () if has_gin else "from PostgreSQL 18 on" in with_it.unchecked[0]
    assert with_it.problems == ()


@pytest.mark.postgresql
def test_writers_go_on_while_the_index_is_built(
    postgres: PostgresServer, postgresql_url: DatabaseUrl
) -> None:
    """The build waits for our lock, whatever lock_timeout the database has, and others write."""

    class Writes(Told):
        written = 0

        def note(self, text: str) -> None:
            super().note(text)
            # The server's own vacuum may be waited for as well.
            if f"waiting for the session {reader.info.backend_pid} " in text:
                with connect_postgresql(postgresql_url) as writer:
                    writer.execute("SET lock_timeout = '5s'")
                    rows = writer.execute("UPDATE messages SET content = content || ' again'")
                    self.written = rows.rowcount
                    writer.commit()
                reader.rollback()

    with Database.open(postgresql_url) as database, connect_postgresql(postgresql_url) as reader:
        fill(database)
        leave_invalid(postgresql_url)
        name = postgresql_url.database
        postgres.execute(f"ALTER DATABASE {name} SET lock_timeout = '100ms'")
        reader.execute("LOCK TABLE messages IN ROW EXCLUSIVE MODE")
        told = Writes()
        rebuild_search_index(database, told)

        assert told.written == MESSAGES
        assert look_at_search_index(database).problems == ()
        check_search(database, "again", MESSAGES)


@pytest.mark.postgresql
def test_the_index_is_rebuilt_in_a_schema_of_its_own(
    postgres: PostgresServer, empty_postgresql_url: DatabaseUrl
) -> None:
    from chatdb.db.migrating.migrations import upgrade

    schema = f"Chat {uuid4().hex[:4]}"
    with Database.open(empty_postgresql_url, schema=schema) as database:
        upgrade(database)
        fill(database)
        postgres.execute(f'DROP INDEX "{schema}".{INDEX}', database=empty_postgresql_url.database)
        before = look_at_search_index(database)
        rebuild_search_index(database, Told())

        assert before.state == "damaged"
        assert check(database).differences == ()
