"""The interview app's chat threads: messages in one JSON array, without ids and times."""

import pytest

from chatdb.db.url import DatabaseUrl
from chatdb.records import MARKS
from tests.layouts.conftest import ImportFrom
from tests.layouts.foreign_databases import make_postgresql, values

TABLES = (
    """CREATE TABLE chat_threads (id serial PRIMARY KEY, user_id integer NOT NULL,
    title varchar(255) NOT NULL, messages json NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now())""",
    """CREATE TABLE messages (id serial PRIMARY KEY, session_id integer NOT NULL,
    role varchar(20) NOT NULL, content text NOT NULL, created_at timestamptz DEFAULT now())""",
    "INSERT INTO messages (session_id, role, content) VALUES (1, 'interviewer', 'not ours')",
)
TALK = (
    '[{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"},'
    ' {"role": "user", "content": "one"}]'
)
START, END = "2026-02-01 10:00:00+00", "2026-02-01 10:00:20+00"
THREADS = (
    "INSERT INTO chat_threads (user_id, title, messages, created_at, updated_at) VALUES "
    + values(
        [
            (7, "Three", TALK, START, END),
            (8, "None", "[]", START, START),
            (7, "Odd", '{"role": "user"}', START, END),
            (
                *(7, "Strange"),
                (
                    '[{"role": "ai", "content": "nul \\u0000 here", "stars": 5}, "loose",'
                    ' {"role": "user", "content": {"parts": ["x"]}}, {"role": null}]'
                ),
                *(START, END),
            ),
        ]
    ),
)


@pytest.fixture
def threads(empty_postgresql_url: DatabaseUrl) -> DatabaseUrl:
    """A database with four threads and the interviews' own messages."""
    return make_postgresql(empty_postgresql_url, *TABLES, *THREADS)


def test_threads_come_over_and_the_interviews_messages_do_not(
    threads: DatabaseUrl, import_from: ImportFrom
) -> None:
    done = import_from(threads)

    assert done.exit_code == 7
    assert done.report["files"][0]["format"] == "chat-threads"
    assert done.rows == {"chat_threads": {"read": 4, "imported": 3, "merged": 0, "skipped": 1}}
    assert done.skipped[0]["source_id"] == "3"
    assert "no list but an object" in done.skipped[0]["reason"]
    texts = [each.content for record in done.records() for each in record.messages]
    assert "not ours" not in texts


def test_order_is_kept_and_times_are_interpolated_and_marked(
    threads: DatabaseUrl, import_from: ImportFrom
) -> None:
    record = import_from(threads).record("Three")

    assert (record.user_id, record.source_id) == ("7", "1")
    assert [(each.role, each.content) for each in record.messages] == [
        ("user", "one"),
        ("assistant", "two"),
        ("user", "one"),
    ]
    assert [each.created_at.second for each in record.messages] == [0, 10, 20]
    assert all(each.metadata[MARKS]["time"] == "interpolated" for each in record.messages)
    assert len({each.id for each in record.messages}) == 3


def test_ids_are_the_same_in_every_database(threads: DatabaseUrl, import_from: ImportFrom) -> None:
    import_from(threads)
    again = import_from(threads)
    make_postgresql(
        threads,
        "UPDATE chat_threads SET updated_at = '2026-02-02 00:00:00+00', messages = "
        '(messages::jsonb || \'[{"role": "assistant", "content": "new"}]\'::jsonb)::json'
        " WHERE id = 1",
    )

    later = import_from(threads)

    assert again.report["counts"]["unchanged"] == 3
    assert later.report["counts"]["messages_new"] == 1
    assert [each.content for each in later.record("Three").messages] == ["one", "two", "one", "new"]


def test_what_no_database_holds_and_what_is_no_message_is_kept_and_told(
    threads: DatabaseUrl, import_from: ImportFrom
) -> None:
    done = import_from(threads)

    record = done.record("Strange")
    assert [(each.role, each.content) for each in record.messages] == [
        ("assistant", "nul \ufffd here"),
        ("user", ""),
        ("assistant", ""),
    ]
    assert record.messages[0].metadata["stars"] == 5
    assert record.messages[1].metadata["content"] == {"parts": ["x"]}
    assert record.metadata["messages"] == {"1": "loose"}
    assert done.report["replaced_characters"] == 1
