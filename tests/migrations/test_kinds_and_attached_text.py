"""Revisions 0007 and 0008 on a database with chats: what they add, keep and take back."""

from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from chatdb.db.database import Database
from chatdb.db.migrating.migrations import downgrade, upgrade
from chatdb.db.schema import messages
from chatdb.operations.schema.check import check
from chatdb.operations.searching.search import SearchOptions, search
from chatdb.operations.searching.search_index import check_search_index
from chatdb.store.attached_text import attached_text_is_incomplete
from chatdb.store.search_index import build_search_index, take_off_search_index
from tests.migrations.conftest import fill
from tests.operations.conversation_rows import (
    add_conversation,
    change_message,
    message_id,
)

COLUMNS = "organization_id, conversation_id, id, position, role, content, metadata, created_at"
MESSAGES = f"SELECT {COLUMNS} FROM messages ORDER BY conversation_id, position"
CONVERSATIONS = "SELECT id, title, user_id, metadata, updated_at FROM conversations ORDER BY id"


def rows(database: Database) -> list[list[tuple[Any, ...]]]:
    with database.transaction() as connection:
        return [
            [tuple(row) for row in connection.exec_driver_sql(query)]
            for query in (MESSAGES, CONVERSATIONS)
        ]


def found(database: Database, words: str) -> int:
    return len(search(database, words, organization_key="default", options=SearchOptions()).hits)


def test_they_come_and_go_and_every_row_and_word_stays(database: Database) -> None:
    fill(database)
    add_conversation(database, ["a lighthouse", "two"], number=77, kind="document")
    change_message(database, message_id(77, 0), attached_text="its keeper")
    before = rows(database)

    downgrade(database, "0006")
    assert rows(database) == before
    upgrade(database)

    assert rows(database) == before
    assert check(database).differences == ()
    assert check_search_index(database).problems == ()
    assert (found(database, "lighthouse"), found(database, "keeper")) == (1, 0)
    with database.transaction() as connection:
        kinds = connection.execute(sa.text("SELECT DISTINCT kind FROM conversations"))
        assert kinds.scalars().all() == ["chat"]


def test_going_back_by_one_leaves_the_words_of_the_message(database: Database) -> None:
    add_conversation(database, ["a lighthouse"], number=77)
    change_message(database, message_id(77, 0), attached_text="its keeper")

    downgrade(database, "0007")
    upgrade(database)

    assert (found(database, "lighthouse keeper"), found(database, "lighthouse")) == (1, 1)
    assert check_search_index(database).problems == ()


@pytest.mark.parametrize("state", ["off", "deferred"])
def test_an_index_that_is_off_is_built_later_with_all_its_parts(
    database: Database, state: Any
) -> None:
    fill(database)
    with database.transaction(write=True) as connection:
        assert take_off_search_index(database, connection, state)
    downgrade(database, "0006")

    upgrade(database)
    assert check(database).differences == ()
    change_message(database, first_message(database), attached_text="its keeper")
    assert build_search_index(database)

    assert check(database).differences == ()
    assert found(database, "keeper") == 1


def first_message(database: Database) -> UUID:
    with database.transaction() as connection:
        found: UUID = connection.execute(sa.select(messages.c.id).limit(1)).scalar_one()
    return found


@pytest.mark.parametrize(
    ("source", "is_incomplete"), [("chatgpt", True), ("claude", True), ("relay", False)]
)
def test_what_was_imported_before_is_to_be_filled(
    database: Database, source: str, is_incomplete: bool
) -> None:
    add_conversation(database, ["x"], source=source)
    downgrade(database, "0006")
    upgrade(database)

    with database.transaction() as connection:
        assert attached_text_is_incomplete(connection) is is_incomplete


@pytest.mark.parametrize("kind", ["chat", "document", "memory", "canvas"])
def test_a_conversation_is_of_one_of_four_kinds(database: Database, kind: str) -> None:
    add_conversation(database, ["x"], kind=kind)

    with pytest.raises(sa.exc.IntegrityError, match=r"ck_conversations_kind|CHECK"):
        add_conversation(database, ["x"], number=2, kind=f"{kind}s")
