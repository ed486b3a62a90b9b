"""Sources whose values are not what their columns promise: nothing is lost, nothing breaks."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.url import DatabaseUrl
from chatdb.layouts.foreign_postgresql import _with_values
from tests.layouts.conftest import ImportFrom
from tests.layouts.foreign_databases import make_postgresql, make_sqlite
from tests.layouts.test_export_back import SYSTEMS
from tests.postgres_server import PostgresServer

Run = Callable[..., Any]

CONVERSATIONS = (
    "CREATE TABLE conversations (id VARCHAR(255) {key} PRIMARY KEY, title, created_at TIMESTAMP,"
    " updated_at TIMESTAMP, message_count INTEGER)"
)
MESSAGES = (
    "CREATE TABLE messages (id VARCHAR(255) PRIMARY KEY, conversation_id {parent}, role, content,"
    " timestamp TIMESTAMP, meta TEXT{more})"
)
AT = "2025-01-01 10:00:00"


def source(
    path: Path, *messages: tuple[object, ...], key: str = "", parent: str = "TEXT", more: str = ""
) -> DatabaseUrl:
    """Make a Multichat file with the conversation `1` and the given messages."""
    url = make_sqlite(
        path, CONVERSATIONS.format(key=key), MESSAGES.format(parent=parent, more=more)
    )
    with closing(sqlite3.connect(path)) as connection:
        conversation = ("1", "T", AT, AT, len(messages))
        connection.execute("INSERT INTO conversations VALUES (?, ?, ?, ?, ?)", conversation)
        columns = "id, conversation_id, role, content, timestamp, meta"
        connection.executemany(
            f"INSERT INTO messages ({columns}) VALUES (?, ?, ?, ?, ?, ?)", messages
        )
        connection.commit()
    return url


def test_bytes_and_numbers_come_as_text(import_from: ImportFrom, tmp_path: Path) -> None:
    url = source(
        tmp_path / "odd.db",
        ("m1", "1", b"user", b"caf\xc3\xa9", AT, None),
        ("m2", "1", "user", b"\xff", AT, b"\xfe"),
        ("m3", "1", "user", 7, AT, None),
    )
    with closing(sqlite3.connect(tmp_path / "odd.db")) as connection:
        connection.execute("UPDATE conversations SET title = 42")
        connection.commit()

    done = import_from(url)

    assert done.exit_code == 0, done.stderr
    messages = done.record("42").messages
    assert [each.content for each in messages] == ["caf\u00e9", "\ufffd", "7"]
    assert messages[0].role == "user"
    assert messages[1].metadata["chatdb"]["original"]["content"] == "7bO/"


def test_a_conversation_without_times_has_those_of_its_messages(
    import_from: ImportFrom, tmp_path: Path
) -> None:
    url = source(
        tmp_path / "odd.db",
        ("m1", "1", "user", "first", "2025-03-01 10:00:00", None),
        ("m2", "1", "user", "last", "2025-03-02 10:00:00", None),
        ("m3", "1", "user", "of no time", "infinity", None),
    )
    with closing(sqlite3.connect(tmp_path / "odd.db")) as connection:
        connection.execute("UPDATE conversations SET created_at = NULL, updated_at = NULL")
        connection.commit()

    record = import_from(url).record("T")

    assert (record.created_at.month, record.created_at.day) == (3, 1)
    assert (record.updated_at.month, record.updated_at.day) == (3, 2)


def test_one_installation_under_two_names_is_pointed_out(
    import_from: ImportFrom, tmp_path: Path
) -> None:
    monday = source(tmp_path / "monday.db", ("m1", "1", "user", "hi", AT, None))
    tuesday = make_sqlite(tmp_path / "tuesday.db")
    shutil.copy(monday.sqlite_path, tuesday.sqlite_path)
    assert "source name" not in import_from(monday).stderr

    rehearsed = import_from(tuesday, "--dry-run")
    done = import_from(tuesday, "--source-name", "monday.db")

    assert "is already here under monday.db" in rehearsed.stderr
    assert "--source-name monday.db" in rehearsed.stderr
    assert "source name" not in done.stderr
    assert done.report["counts"]["unchanged"] == 1


def test_messages_find_their_conversation_by_the_databases_own_equality(
    import_from: ImportFrom, tmp_path: Path
) -> None:
    number = source(tmp_path / "number.db", ("m1", 1, "user", "hi", AT, None), parent="INTEGER")
    case = source(
        tmp_path / "case.db",
        ("m1", "ABC", "user", "hi", AT, None),
        key="COLLATE NOCASE",
        parent="TEXT COLLATE NOCASE",
    )
    with closing(sqlite3.connect(tmp_path / "case.db")) as connection:
        connection.execute("UPDATE conversations SET id = 'abc', title = 'case'")
        connection.commit()

    assert import_from(number).exit_code == 0
    done = import_from(case)

    assert done.exit_code == 0, done.stderr
    assert [each.content for each in done.record("T").messages] == ["hi"]
    assert [each.content for each in done.record("case").messages] == ["hi"]


def test_a_time_that_is_none_is_kept_and_reported(import_from: ImportFrom, tmp_path: Path) -> None:
    url = source(tmp_path / "times.db", ("m1", "1", "user", "hi", "infinity", None))
    with closing(sqlite3.connect(tmp_path / "times.db")) as connection:
        connection.execute("UPDATE conversations SET updated_at = 'yesterday'")
        connection.commit()

    done = import_from(url)

    record = done.record("T")
    yesterday = {"updated_at": "yesterday"}
    assert record.metadata == {**yesterday, "chatdb": {"columns": yesterday}}
    assert record.messages[0].metadata["timestamp"] == "infinity"
    assert record.updated_at == record.created_at
    told = done.report["files"][0]
    assert told["lossy"] == {
        "conversations.updated_at that is no time kept in metadata": 1,
        "messages.timestamp that is no time kept in metadata": 1,
    }
    assert told["unknown_fields"] == {}


def test_a_source_cannot_set_marks_of_ours(import_from: ImportFrom, tmp_path: Path) -> None:
    meta = json.dumps({"chatdb": {"hidden": True, "time": "x"}, "lang": "de"})
    done = import_from(source(tmp_path / "marks.db", ("m1", "1", "ai", "hi", None, meta)))

    (message,) = done.record("T").messages
    assert message.metadata == {
        "lang": "de",
        "chatdb": {
            "role": "ai",
            "time": "interpolated",
            "columns": {"timestamp": None},
            "field": {"hidden": True, "time": "x"},
        },
    }


def test_generated_columns_are_kept_like_any_other(import_from: ImportFrom, tmp_path: Path) -> None:
    more = ", shout TEXT GENERATED ALWAYS AS (upper(content)) VIRTUAL"
    done = import_from(source(tmp_path / "gen.db", ("m1", "1", "user", "hi", AT, None), more=more))

    assert done.record("T").messages[0].metadata["shout"] == "HI"


def test_question_marks_in_names_are_no_values() -> None:
    statement = 'SELECT "is it?" AS "is ""it?" FROM t WHERE "a%" = ? AND b = ?'

    assert _with_values(statement) == (
        'SELECT "is it?" AS "is ""it?" FROM t WHERE "a%%" = %s AND b = %s'
    )


@pytest.mark.parametrize(
    ("name", "odd"),
    [
        ("chatmcp", "UPDATE conversations SET title = ''"),
        ("relay", "UPDATE chats SET title = ''"),
        (
            "chat-threads",
            """UPDATE chat_threads SET title = '',
            messages = '[{"role": "user", "content": "half \\ud83d of one"}]'""",
        ),
    ],
)
def test_no_title_and_half_a_character_go_back_as_they_were(
    name: str,
    odd: str,
    run: Run,
    sqlite_url: DatabaseUrl,
    empty_postgresql_url: DatabaseUrl,
    postgres: PostgresServer,
) -> None:
    make_postgresql(empty_postgresql_url, *SYSTEMS[name][0], odd)
    first = ("-d", sqlite_url.exposed())
    run("import", empty_postgresql_url.exposed(), "--source-name", "theirs", *first)

    with postgres.new_database() as other:
        back = other.exposed()
        out = run("export", "--to", name, "--output", back, "--include-hidden", *first)
        again = run("import", back, "--source-name", "theirs", "--format", "json", *first)

    assert out.exit_code == 0, out.stderr
    counts = json.loads(again.stdout)
    assert (counts["new"], counts["updated"], counts["skipped"]) == (0, 0, 0)
    assert counts["unchanged"] > 0
