"""Relay's chats, all types of message, snapshots with all their parts."""

import pytest

from chatdb.db.url import DatabaseUrl
from chatdb.records import MARKS
from tests.layouts import relay_database
from tests.layouts.conftest import ImportFrom
from tests.layouts.foreign_databases import make_postgresql
from tests.layouts.relay_database import CHAT, MESSAGE, SNAPSHOT


@pytest.fixture
def relay(empty_postgresql_url: DatabaseUrl) -> DatabaseUrl:
    """A Relay database with three chats."""
    return make_postgresql(empty_postgresql_url, *relay_database.TABLES, *relay_database.ROWS)


def test_every_row_is_imported_and_counted(relay: DatabaseUrl, import_from: ImportFrom) -> None:
    done = import_from(relay)

    assert done.exit_code == 0
    assert done.report["files"][0]["format"] == "relay"
    assert done.rows == {
        "chats": {"read": 3, "imported": 3, "merged": 0, "skipped": 0},
        "messages": {"read": 9, "imported": 9, "merged": 0, "skipped": 0},
        "chat_snapshots": {"read": 3, "imported": 3, "merged": 0, "skipped": 0},
    }


def test_a_chat_keeps_its_ids_times_repository_and_issue(
    relay: DatabaseUrl, import_from: ImportFrom
) -> None:
    record = import_from(relay).record("Voice")

    assert str(record.id) == record.source_id == CHAT % 1
    assert record.source_name == f"127.0.0.1/{relay.database}"
    assert record.updated_at.isoformat() == "2025-06-20T01:00:40+00:00"
    assert record.last_accessed_at is not None
    assert record.last_accessed_at.isoformat() == "2025-06-20T01:00:50+00:00"
    assert record.metadata == {
        "repository_name": "relay",
        "repository_full_name": "acme/relay",
        "active_issue_number": 12,
        "active_issue_title": "Fix voice",
        "active_issue_url": "https://example.org/12",
        "quiet_mode": True,
    }


def test_each_type_has_its_role_and_its_provider(
    relay: DatabaseUrl, import_from: ImportFrom
) -> None:
    messages = import_from(relay).record("Voice").messages

    assert [(each.role, each.author) for each in messages] == [
        ("user", None),
        ("assistant", "openai"),
        ("tool", "select_issue"),
        ("assistant", "claude"),
        ("assistant", "claude"),
        ("tool", "claude"),
        ("system", None),
        ("system", None),
        ("assistant", None),
    ]
    assert [each.source_id for each in messages] == [MESSAGE % n for n in range(1, 10)]
    assert messages[2].tool_outputs == [{"name": "select_issue", "output": {"success": True}}]
    assert messages[7].metadata == {MARKS: {"role": "error", "error": True}}
    assert messages[8].metadata == {MARKS: {"role": "gemini"}}


def test_snapshots_keep_all_parts(relay: DatabaseUrl, import_from: ImportFrom) -> None:
    (snapshot,) = import_from(relay).record("Voice").snapshots

    assert str(snapshot.id) == SNAPSHOT % 1
    assert snapshot.state == {
        "transcriptions": [{"text": "open issue 12"}],
        "function_results": [],
        "claude_streaming_texts": [],
        "claude_todo_writes": [{"todos": []}],
        "repository_issues": [{"number": 12}],
        "claude_session_id": "session-1",
    }


def test_talk_that_is_only_in_snapshots_is_readable_and_stands_once(
    relay: DatabaseUrl, import_from: ImportFrom
) -> None:
    record = import_from(relay).record("Only spoken")

    assert [(each.role, each.content) for each in record.messages] == [
        ("user", "what is open?"),
        (
            "tool",
            '{"function":"list_issues","result":[1],"timestamp":"2025-06-20T01:00:02Z"}',
        ),
        ("assistant", "One issue."),
        ("tool", "- [x] fix"),
        ("user", "thanks"),
    ]
    assert record.current_message_id == record.messages[-1].id
    assert len(record.snapshots) == 2


def test_a_second_run_changes_nothing_and_a_later_one_brings_what_is_new(
    relay: DatabaseUrl, import_from: ImportFrom
) -> None:
    import_from(relay)
    again = import_from(relay)
    make_postgresql(
        relay,
        "INSERT INTO messages VALUES "
        f"('{MESSAGE % 10}', '{CHAT % 3}', 'user', 'at last', NULL, '2025-06-21 00:00:00+00')",
    )

    later = import_from(relay)

    assert again.report["counts"]["unchanged"] == 3
    counts = later.report["counts"]
    assert (counts["updated"], counts["unchanged"], counts["messages_new"]) == (1, 2, 1)


def test_a_time_that_nobody_knows_is_a_field_and_no_mistake(
    relay: DatabaseUrl, import_from: ImportFrom
) -> None:
    make_postgresql(relay, "ALTER TABLE messages ADD updated_at timestamptz DEFAULT '2025-06-21'")

    done = import_from(relay)

    (file,) = done.report["files"]
    assert file["unknown_fields"] == {"messages.updated_at": 9}
    assert not any("no time" in each for each in file["lossy"])
    assert done.record("Voice").messages[0].metadata["updated_at"] == "2025-06-21 00:00:00+00"


def test_rows_without_a_chat_are_named(relay: DatabaseUrl, import_from: ImportFrom) -> None:
    make_postgresql(
        relay,
        "ALTER TABLE messages DROP CONSTRAINT messages_chat_id_fkey",
        f"DELETE FROM chats WHERE id = '{CHAT % 3}'",
        f"UPDATE messages SET chat_id = '{CHAT % 9}' WHERE id = '{MESSAGE % 9}'",
    )

    done = import_from(relay)

    assert done.exit_code == 7
    assert done.rows["messages"] == {"read": 9, "imported": 8, "merged": 0, "skipped": 1}
    assert done.skipped[0]["source_id"] == MESSAGE % 9
    assert CHAT % 9 in done.skipped[0]["reason"]
