"""Multichat on SQLite and PostgreSQL, with what its tables let in."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.url import DatabaseUrl
from tests.layouts.conftest import ImportFrom
from tests.layouts.foreign_databases import make_postgresql, make_sqlite, values

TABLES = (
    """CREATE TABLE conversations (id VARCHAR(255) PRIMARY KEY, title TEXT,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    message_count INTEGER DEFAULT 0)""",
    """CREATE TABLE messages (id VARCHAR(255) PRIMARY KEY,
    conversation_id VARCHAR(255) REFERENCES conversations(id), role VARCHAR(50) NOT NULL,
    content TEXT NOT NULL, timestamp TIMESTAMP DEFAULT CURRENT_TIMESTAMP, meta {meta},
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP)""",
)
DAY = "2025-08-01 10:00:%02d"
ROWS = (
    "INSERT INTO conversations VALUES "
    + values([("abc", "First", DAY % 0, DAY % 9, 7), ("empty", None, DAY % 0, DAY % 0, 0)]),
    "INSERT INTO messages VALUES "
    + values(
        [
            ("z", "abc", "user", "hello", DAY % 1, None, DAY % 1),
            ("a", "abc", "assistant", "hi", DAY % 1, '{"model": "gpt-4o", "n": 1}', DAY % 1),
            ("b", "abc", "user", "bye", DAY % 2, "{}", DAY % 3),
        ]
    ),
)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def multichat(request: pytest.FixtureRequest, tmp_path: Path) -> DatabaseUrl:
    """A Multichat database on either system."""
    if request.param == "sqlite":
        tables = [table.format(meta="TEXT") for table in TABLES]
        return make_sqlite(tmp_path / "conversations.db", *tables, *ROWS)
    url: DatabaseUrl = request.getfixturevalue("empty_postgresql_url")
    return make_postgresql(url, *(table.format(meta="JSONB") for table in TABLES), *ROWS)


def test_both_systems_give_the_same_records(
    multichat: DatabaseUrl, import_from: ImportFrom
) -> None:
    done = import_from(multichat)

    assert done.exit_code == 0
    assert done.report["files"][0]["format"] == "multichat"
    assert done.rows == {
        "conversations": {"read": 2, "imported": 2, "merged": 0, "skipped": 0},
        "messages": {"read": 3, "imported": 3, "merged": 0, "skipped": 0},
    }
    record = done.record("First")
    assert record.created_at.isoformat() == "2025-08-01T10:00:00+00:00"
    assert [(each.role, each.content) for each in record.messages] == [
        ("user", "hello"),
        ("assistant", "hi"),
        ("user", "bye"),
    ]
    answer = record.messages[1]
    assert (answer.model, answer.metadata) == ("gpt-4o", {"n": 1})
    assert record.messages[2].metadata == {
        "created_at": "2025-08-01T10:00:03+00:00",
        "chatdb": {"columns": {"meta": "{}"}},  # for the way back
    }


def test_a_counter_that_drifted_is_corrected_and_told(
    multichat: DatabaseUrl, import_from: ImportFrom
) -> None:
    lossy = import_from(multichat).report["files"][0]["lossy"]

    assert lossy == {"message_count that was not the number of messages: counted anew": 1}


def test_times_and_meta_of_mixed_types_are_read(tmp_path: Path, import_from: ImportFrom) -> None:
    tables = [table.format(meta="JSONB") for table in TABLES]
    url = make_sqlite(
        tmp_path / "conversations.db",
        *tables,
        "INSERT INTO conversations VALUES ('abc', 'Mixed', 1754042400, '2025-08-01T11:00:00', 2)",
        "INSERT INTO messages VALUES ('b', 'abc', 'user', 'second', '1754042402', '123', NULL)",
        "INSERT INTO messages VALUES "
        "('a', 'abc', 'user', 'first', '2025-08-01T10:00:01', 'not json', NULL)",
    )

    done = import_from(url)

    record = done.record("Mixed")
    assert record.created_at.isoformat() == "2025-08-01T10:00:00+00:00"
    assert [each.content for each in record.messages] == ["first", "second"]
    assert [each.metadata["meta"] for each in record.messages] == ["not json", 123]


def test_orphans_and_rows_without_id_are_named(tmp_path: Path, import_from: ImportFrom) -> None:
    tables = [table.format(meta="TEXT") for table in TABLES]
    url = make_sqlite(
        tmp_path / "conversations.db",
        *tables,
        *ROWS,
        "INSERT INTO conversations (id, title) VALUES (NULL, 'Lost'), (NULL, 'Too')",
        "INSERT INTO messages VALUES ('o', 'gone', 'user', 'x', NULL, NULL, NULL)",
        "INSERT INTO messages VALUES ('p', NULL, 'user', 'y', NULL, NULL, NULL)",
        "INSERT INTO messages VALUES (NULL, 'abc', 'user', 'z', NULL, NULL, NULL)",
    )

    done = import_from(url)

    assert done.exit_code == 7
    assert done.rows == {
        "conversations": {"read": 4, "imported": 2, "merged": 0, "skipped": 2},
        "messages": {"read": 6, "imported": 3, "merged": 0, "skipped": 3},
    }
    reasons = " ".join(each["reason"] for each in done.skipped)
    assert "'Lost'" in reasons
    assert "its conversation gone does not exist" in reasons
    assert "'z'" in reasons


def test_a_postgres_url_as_hosts_give_it_is_taken(
    empty_postgresql_url: DatabaseUrl,
    run: Callable[..., Any],
    database_url: DatabaseUrl,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tables = [table.format(meta="JSONB") for table in TABLES]
    make_postgresql(empty_postgresql_url, *tables, *ROWS)
    monkeypatch.setenv("DATABASE_URL", database_url.exposed())
    short = empty_postgresql_url.exposed().replace("postgresql://", "postgres://")

    done = run("import", short)

    assert done.exit_code == 0


def test_a_second_run_changes_nothing(multichat: DatabaseUrl, import_from: ImportFrom) -> None:
    import_from(multichat)

    again = import_from(multichat)

    assert again.report["counts"]["unchanged"] == 2
