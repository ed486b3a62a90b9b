"""What two applications kept in a browser before they had a database."""

import json
from datetime import UTC, datetime
from typing import Any

from chatdb.formats.chat_storage import TITLES_ONLY
from chatdb.records import MARKS
from tests.formats.reading import read_value

STORE = {
    "state": {
        "conversations": [
            {
                "id": "c-1",
                "title": "Welcome",
                "createdAt": "2025-06-01T10:00:00.000Z",
                "updatedAt": "2025-06-01T10:05:00.000Z",
                "userId": "auth0|ann",
                "pinned": True,
            },
            {"id": "c-2", "title": "", "createdAt": "not a date"},
            {"title": "without an id", "createdAt": "2025-06-01T10:00:00.000Z"},
        ],
        "currentConversation": None,
    },
    "version": 0,
}
SESSIONS: list[Any] = [
    {
        "id": "chat_1769850000000",
        "title": "Interview",
        "created_at": 1769850000000,
        "updated_at": 1769850120000,
        "messages": [
            {"role": "user", "content": "one", "time": "09:00 AM"},
            {"role": "ai", "content": "two", "time": "09:01 AM"},
            {"role": "system", "content": "Failed", "time": "09:02 AM"},
        ],
    },
    {"id": "chat_1769860000000", "title": "New", "created_at": 1769860000000, "messages": []},
]


def test_titles_users_and_times_of_chat_storage_are_read() -> None:
    reading = read_value(STORE)

    assert reading.format == "chat-storage"
    first, second = reading.conversations
    assert (first.title, first.user_id, first.source_id) == ("Welcome", "auth0|ann", "c-1")
    assert first.updated_at == datetime(2025, 6, 1, 10, 5, tzinfo=UTC)
    assert first.metadata == {"pinned": True}
    assert (second.title, second.metadata) == (None, {MARKS: {"created_at": "not a date"}})
    assert reading.tally.lossy[TITLES_ONLY] == 2
    assert [skipped.reason for skipped in reading.skipped] == ["it has no id"]


def test_sessions_have_roles_order_and_interpolated_times() -> None:
    reading = read_value(SESSIONS)

    assert reading.format == "chat-sessions"
    record, empty = reading.conversations
    assert [(each.role, each.content) for each in record.messages] == [
        ("user", "one"),
        ("assistant", "two"),
        ("system", "Failed"),
    ]
    start = datetime(2026, 1, 31, 9, 0, tzinfo=UTC)
    assert [(each.created_at - start).seconds for each in record.messages] == [0, 60, 120]
    assert record.messages[1].metadata == {
        MARKS: {"role": "ai", "time": "interpolated"},
        "time": "09:01 AM",
    }
    assert record.current_message_id == record.messages[-1].id
    assert empty.messages == []


def test_a_dump_of_the_whole_storage_is_read_too() -> None:
    stores = {"chat-storage": json.dumps(STORE), "theme": "dark"}
    sessions = {"ai_chat_sessions_v1": json.dumps(SESSIONS), "ai_chat_history_collapsed_v1": "0"}

    assert len(read_value(stores).conversations) == 2
    assert len(read_value(sessions).conversations) == 2


def test_a_longer_session_keeps_the_ids_of_what_was_there() -> None:
    before = read_value(SESSIONS).conversations[0]
    longer = json.loads(json.dumps(SESSIONS))
    longer[0]["messages"].append({"role": "user", "content": "one", "time": "10:00 AM"})

    after = read_value(longer).conversations[0]

    assert [each.id for each in after.messages][:3] == [each.id for each in before.messages]
    assert len({each.id for each in after.messages}) == 4
