"""`messages reindex` fills what people saw beside messages that were imported before."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
import sqlalchemy as sa

from chatdb.db.database import Database
from chatdb.db.schema import conversations, messages, settings
from chatdb.errors import RefusedError
from chatdb.formats.native import conversation_line
from chatdb.operations.conversations import reindex as operation
from chatdb.operations.searching.search_index import check_search_index
from chatdb.records import is_hidden
from chatdb.store.attached_text import (
    attached_text_is_incomplete,
    begin_filling,
    set_place_of_filling,
)
from tests.formats.chatgpt_samples import conversation, message, node
from tests.formats.test_chatgpt_canvases import create, update
from tests.operations import test_import_again as import_again
from tests.operations.app_roles import new_deployment
from tests.operations.conversation_rows import add_conversation, change_message, message_id
from tests.operations.importing import stored
from tests.operations.index_damage import Told
from tests.operations.test_search import look
from tests.postgres_server import TEMPLATE, PostgresServer

Run = Callable[..., Any]

PASTED = [{"file_name": "notes.txt", "extracted_content": "the harbour"}]


REPORT = {"content": {"content_type": "text", "parts": ["the lantern"]}}


def add_imported(database: Database, count: int) -> None:
    for number in range(1, count + 1):
        add_conversation(database, ["see", "thanks"], number=number, source="claude")
        change_message(database, message_id(number, 0), attachments=PASTED)
    with database.transaction(write=True) as connection:
        connection.execute(sa.insert(settings).values(key="attached_text", value="incomplete"))
        # As the sources tell it.
        connection.execute(sa.update(conversations).values(updated_at=conversations.c.created_at))


def updated(database: Database) -> list[Any]:
    with database.transaction() as connection:
        rows = sa.select(conversations.c.id, conversations.c.updated_at)
        return [tuple(row) for row in connection.execute(rows.order_by(conversations.c.id))]


def texts(database: Database) -> list[str]:
    with database.transaction() as connection:
        found = sa.select(messages.c.attached_text).where(messages.c.attached_text.is_not(None))
        return list(connection.scalars(found))


def test_it_fills_what_is_missing_and_changes_nothing_else(
    run: Run, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operation, "_AT_ONCE", 2)  # several transactions
    add_imported(database, 5)
    add_conversation(database, ["by hand"], number=9)
    change_message(database, message_id(9, 0), attachments=PASTED)
    before = updated(database)
    assert look(database, "harbour").hits == ()

    done = run("messages", "reindex", "--format", "json", "-d", database.url.exposed())

    assert json.loads(done.stdout) == {"conversations": 5, "messages": 5}
    assert texts(database) == ["notes.txt:\nthe harbour"] * 5
    assert len(look(database, "see harbour").hits) == 5
    assert look(database, "harbour").notes == ()
    assert updated(database) == before
    assert check_search_index(database).problems == ()


def test_a_run_that_is_broken_off_goes_on_where_it_was(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operation, "_AT_ONCE", 2)
    add_imported(database, 5)

    class BrokenOff(Told):
        def advance(self, amount: int) -> None:
            super().advance(amount)
            if self.done >= 4:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        operation.reindex_messages(database, BrokenOff())
    with database.transaction() as connection:
        assert attached_text_is_incomplete(connection)
    assert len(texts(database)) == 4
    # What was gone through is not gone through again.
    change_message(database, message_id(1, 0), attached_text=None)
    report = operation.reindex_messages(database, Told())

    assert (report.conversations, report.messages) == (1, 1)
    assert len(texts(database)) == 4
    with database.transaction() as connection:
        assert not attached_text_is_incomplete(connection)


def test_two_runs_may_begin_at_once(database: Database) -> None:
    add_imported(database, 1)
    with database.transaction(write=True) as connection:
        set_place_of_filling(connection, None)
    with ThreadPoolExecutor() as threads:
        with database.transaction(write=True) as connection:
            begin_filling(connection)
            other = threads.submit(operation.reindex_messages, database, Told())
            # The other one has come to where it waits for the row.
            time.sleep(0.3)
        report = other.result()

    assert report.messages == 1


def test_again_it_keeps_what_there_is(database: Database) -> None:
    add_imported(database, 2)
    change_message(database, message_id(1, 0), attached_text="written here")

    reports = [operation.reindex_messages(database, Told()) for _ in range(2)]

    assert [report.messages for report in reports] == [1, 0]
    assert sorted(texts(database)) == ["notes.txt:\nthe harbour", "written here"]


def test_it_makes_what_an_import_makes(database: Database, tmp_path: Path) -> None:
    """Also the canvas as it is after each update, which no message tells alone."""
    canvas = [
        message(text="draft a letter"),
        create("Dear Ann,\nhello."),
        update(("hello", "good day")),
        update((".*", "Dear Bo.")),
        message("assistant", "done"),
    ]
    kit: dict[str, Any] = {
        "chatgpt_sdk": {"widget_state": json.dumps({"report_message": REPORT})},
        "is_visually_hidden_from_conversation": True,
    }
    canvas.append(message("tool", "", metadata=kit))
    names = [f"n{number}" for number in range(len(canvas))]
    nodes = [node(*each) for each in zip(names, [None, *names], canvas, strict=False)]
    pasted = {"uuid": "1", "sender": "human", "text": "see", "attachments": PASTED}
    for name, talks in (
        ("chatgpt.json", [conversation(*nodes)]),
        ("claude.json", [{"uuid": str(UUID(int=7)), "name": "x", "chat_messages": [pasted]}]),
    ):
        (tmp_path / name).write_text(json.dumps(talks))
        import_again.run(database, tmp_path / name)
    made = stored(database)
    every = [message for record in made for message in record.messages]
    (report,) = (each for each in every if "lantern" in (each.attached_text or ""))
    assert not is_hidden(report)
    with database.transaction(write=True) as connection:
        connection.execute(sa.update(messages).values(attached_text=None))
        hidden = report.metadata | {"chatdb": {"hidden": True}}
        again = sa.update(messages).where(messages.c.id == report.id)
        connection.execute(again.values(metadata=hidden))
        for record in made:  # The trigger of SQLite has changed it.
            own = sa.update(conversations).where(conversations.c.id == record.id)
            connection.execute(own.values(updated_at=record.updated_at))

    operation.reindex_messages(database, Told())

    assert stored(database) == made
    found = [each.attached_text for record in made for each in record.messages]
    assert [text for text in found if text] != []
    assert "Letter:\nDear Ann,\ngood day." in found


@pytest.mark.postgresql
def test_a_role_that_sees_one_tenant_is_refused(postgres: PostgresServer) -> None:
    with (
        new_deployment(postgres, TEMPLATE) as made,
        made.open(made.app) as database,
        pytest.raises(RefusedError),
    ):
        operation.reindex_messages(database, Told())


def test_a_file_of_version_1_takes_no_text_away(database: Database, tmp_path: Path) -> None:
    add_imported(database, 1)
    operation.reindex_messages(database, Told())
    before = stored(database)
    (record,) = before
    old = msgspec.structs.replace(
        record,
        messages=[msgspec.structs.replace(each, attached_text=None) for each in record.messages],
    )
    path = tmp_path / "old.jsonl"
    path.write_bytes(b'{"format":"chatdb","version":1}\n' + conversation_line(old))

    import_again.run(database, path)

    assert stored(database) == before
