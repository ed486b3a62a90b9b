"""Back into a system's own tables, of each generation: rows come back as they were."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.connect import connect_postgresql
from chatdb.db.url import DatabaseUrl
from tests.layouts import (
    chatmcp_database,
    helvino_database,
    relay_database,
    test_chat_threads,
    test_multichat,
)
from tests.layouts.foreign_databases import make_postgresql, values
from tests.postgres_server import PostgresServer

Run = Callable[..., Any]
TALK, MESSAGE = chatmcp_database.TALK, chatmcp_database.MESSAGE
CHAT, AT = relay_database.CHAT, relay_database.AT


@pytest.fixture
def target_url(postgres: PostgresServer) -> Iterator[DatabaseUrl]:
    """A second PostgreSQL database without any table."""
    with postgres.new_database() as url:
        yield url


def odd_chatmcp(*, folded: bool) -> tuple[str, ...]:
    """Values that no column of ours holds: NULL and endless times, JSON that says nothing."""
    user, created = ("userid", "createdat") if folded else ("user_id", "created_at")
    updated, parent = (
        ("updatedat", "conversationid") if folded else ("updated_at", "conversation_id")
    )
    calls = "functioncalls" if folded else "function_calls"
    outputs = "functionoutputs" if folded else "function_outputs"
    talks = [
        (TALK % 7, "", "", None, None),
        (TALK % 8, "endless", "auth0|ann", "infinity", "-infinity"),
    ]
    messages = [
        (MESSAGE % 7, TALK % 7, "user", "no time", "{}", "[]", "null", None),
        (MESSAGE % 8, TALK % 8, "user", "later", '"a text"', "5", "true", "infinity"),
    ]
    return (
        (
            f"INSERT INTO conversations (id, title, {user}, {created}, {updated})"
            f" VALUES {values(talks)}"
        ),
        (
            f"INSERT INTO messages (id, {parent}, role, content, reasoning, {calls}, {outputs},"
            f" {created}) VALUES {values(messages)}"
        ),
        "ALTER TABLE messages DISABLE TRIGGER USER",
        f"UPDATE conversations SET {updated} = NULL WHERE id = '{TALK % 7}'",
        f"UPDATE conversations SET {updated} = '-infinity' WHERE id = '{TALK % 8}'",
        "ALTER TABLE messages ENABLE TRIGGER USER",
    )


ODD_RELAY = (
    (
        "INSERT INTO chats (id, title, repository_name, repository_full_name)"
        f" VALUES ('{CHAT % 7}', '', 'r', 'a/r')"
    ),
    "INSERT INTO messages (id, chat_id, type, content, metadata, created_at) VALUES "
    + values(
        [
            (relay_database.MESSAGE % (20 + number), CHAT % 7, kind, "text", text, AT % number)
            for number, (kind, text) in enumerate(
                [
                    *(("user", "{}"), ("user", "[1,2]"), ("openai", '"text"'), ("claude", "null")),
                    *(("function_result", '{"name":"f","chatdb":{"x":1},"created_at":"never"}'),),
                    *(("gemini_new_type", "[]"), ("user", "5"), ("error", "false")),
                ]
            )
        ]
    ),
    "INSERT INTO chat_snapshots (id, chat_id, transcriptions, function_results,"
    " claude_todo_writes, created_at) VALUES "
    + values([(relay_database.SNAPSHOT % 9, CHAT % 7, "null", "{}", '"odd"', AT % 9)]),
)
RELAY = (
    *relay_database.TABLES,
    (
        "ALTER TABLE chats ALTER created_at DROP NOT NULL, ALTER updated_at DROP NOT NULL,"
        " ALTER last_accessed_at DROP NOT NULL"
    ),
)
ODD_THREADS = (
    "INSERT INTO chat_threads (id, user_id, title, messages, created_at, updated_at) VALUES "
    + values(
        [
            (-5, -3, "", '[{"role":"user","content":"a"}]', "infinity", test_chat_threads.START),
            (2147483647, 7, "last id", "[]", test_chat_threads.START, test_chat_threads.START),
        ]
    ),
)
ODD_MULTICHAT = (
    "INSERT INTO conversations VALUES ('', '', NULL, NULL, 2), ('-1', NULL, NULL, NULL, 0)",
    (
        "INSERT INTO messages VALUES ('', '', 'user', 'of empty ids', NULL, '{}', NULL),"
        " ('-7', '', 'user', 'a list', '2025-01-04 00:00:01', '[1, 2]', NULL)"
    ),
)
MULTICHAT = tuple(table.format(meta="JSONB") for table in test_multichat.TABLES)

GENERATIONS: dict[str, tuple[str, Sequence[str], Sequence[str]]] = {
    "chatmcp, first migration": (
        "chatmcp",
        chatmcp_database.FIRST_MIGRATION,
        (*chatmcp_database.rows(folded=True), *odd_chatmcp(folded=True)),
    ),
    "chatmcp, Supabase": (
        "chatmcp",
        chatmcp_database.SUPABASE,
        (*chatmcp_database.rows(folded=False), *odd_chatmcp(folded=False)),
    ),
    "relay": ("relay", RELAY, (*relay_database.ROWS, *ODD_RELAY)),
    "chat-threads": (
        "chat-threads",
        test_chat_threads.TABLES[:1],
        (*test_chat_threads.THREADS, *ODD_THREADS),
    ),
    "helvino, by its ORM": (
        "helvino",
        helvino_database.PRISMA,
        helvino_database.PRISMA_ROWS,
    ),
    "multichat": ("multichat", MULTICHAT, (*test_multichat.ROWS, *ODD_MULTICHAT)),
}


COUNTERS = ("messageCount", "message_count")
"""What drifts in the systems, and is counted anew."""


def rows_of(url: DatabaseUrl) -> dict[str, list[dict[str, Any]]]:
    """Return all rows of all tables; JSON as what it says, all else as text."""
    tables = (
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    columns = (
        "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute"
        " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
    )
    found: dict[str, list[dict[str, Any]]] = {}
    with connect_postgresql(url) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for (table,) in connection.execute(tables).fetchall():
            kinds = dict(connection.execute(columns, [f'"{table}"']).fetchall())
            names = ", ".join(f'"{name}"::text' for name in kinds)
            rows = connection.execute(f'SELECT {names} FROM "{table}"'.encode()).fetchall()
            found[table] = [
                {
                    name: json.loads(value) if "json" in kind and value is not None else value
                    for (name, kind), value in zip(kinds.items(), row, strict=True)
                    if name not in COUNTERS
                }
                for row in rows
            ]
    return found


def sorted_rows(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


@pytest.mark.parametrize("name", GENERATIONS)
def test_rows_come_back_as_they_were_or_the_report_names_them(
    name: str,
    run: Run,
    sqlite_url: DatabaseUrl,
    empty_postgresql_url: DatabaseUrl,
    target_url: DatabaseUrl,
    tmp_path: Path,
) -> None:
    layout, tables, rows = GENERATIONS[name]
    make_postgresql(empty_postgresql_url, *tables, *rows)
    make_postgresql(target_url, *tables)
    if layout == "helvino":  # whose organizations are its own
        make_postgresql(target_url, helvino_database.PRISMA_ROWS[0])
    ours = ("-d", sqlite_url.exposed())
    organization = ("--org", "demo") if layout == "helvino" else ()
    report = tmp_path / "report.json"
    run("import", empty_postgresql_url.exposed(), "--report", report, *ours)

    done = run(
        *("export", "--to", layout, "--output", target_url.exposed(), "--include-hidden"),
        *(*organization, *ours),
    )

    assert done.exit_code == 0, done.stderr
    skipped = {
        (*row["place"].split()[-2:],)
        for row in json.loads(report.read_text())["files"][0]["skipped"]
    }
    came, went = rows_of(empty_postgresql_url), rows_of(target_url)
    for table, before in came.items():
        expected = [row for row in before if (table, row.get("id")) not in skipped]
        assert sorted_rows(went[table]) == sorted_rows(expected), table


def test_what_an_orm_fills_is_filled(
    run: Run, sqlite_url: DatabaseUrl, empty_postgresql_url: DatabaseUrl
) -> None:
    make_postgresql(empty_postgresql_url, *helvino_database.PRISMA)
    ours = ("-d", sqlite_url.exposed())
    run("conversations", "create", "--user", "web-1", "--message", "hi", *ours)

    done = run("export", "--to", "helvino", "--output", empty_postgresql_url.exposed(), *ours)

    assert done.exit_code == 0, done.stderr
    assert "organization default made: none there had that key" in done.stderr
    found = rows_of(empty_postgresql_url)
    [organization], [visitor] = found["organizations"], found["visitors"]
    assert organization["updatedAt"] == organization["createdAt"]
    assert visitor["visitorKey"] == "web-1"
    assert visitor["updatedAt"] == found["conversations"][0]["updatedAt"]


def test_a_visitor_of_several_conversations_is_written_once(
    run: Run, sqlite_url: DatabaseUrl, empty_postgresql_url: DatabaseUrl
) -> None:
    make_postgresql(empty_postgresql_url, *helvino_database.PRISMA)
    ours = ("-d", sqlite_url.exposed())
    for said in ("hi", "hi again"):
        run("conversations", "create", "--user", "web-1", "--message", said, *ours)

    done = run("export", "--to", "helvino", "--output", empty_postgresql_url.exposed(), *ours)

    assert "wrote 1 row of visitors\n" in done.stderr
    assert "--force" not in done.stderr
    [visitor] = rows_of(empty_postgresql_url)["visitors"]
    assert {row["visitorId"] for row in rows_of(empty_postgresql_url)["conversations"]} == {
        visitor["id"]
    }


def test_an_organization_that_cannot_be_made_is_told_and_nothing_is_written(
    run: Run, sqlite_url: DatabaseUrl, empty_postgresql_url: DatabaseUrl
) -> None:
    make_postgresql(
        empty_postgresql_url,
        *helvino_database.PRISMA,
        'ALTER TABLE organizations ADD "siteId" text NOT NULL',
    )
    ours = ("-d", sqlite_url.exposed())
    run("conversations", "create", "--message", "hi", *ours)
    words = ("export", "--to", "helvino", "--output", empty_postgresql_url.exposed(), *ours)

    refused = run(*words)
    nothing = rows_of(empty_postgresql_url)
    made = helvino_database.PRISMA_ROWS[0].replace("'demo'", "'default'").replace(")", ", 's1')")
    make_postgresql(empty_postgresql_url, made)
    done = run(*words)

    assert refused.exit_code == 6
    assert "organizations.siteId requires a value that chatdb does not have" in refused.stderr
    assert "create the organization default in that system" in refused.stderr
    assert nothing == {table: [] for table in nothing}
    assert done.exit_code == 0, done.stderr
    assert "name of the organization default left as it is there (1)" in done.stderr
    assert [row["orgId"] for row in rows_of(empty_postgresql_url)["conversations"]] == ["o1"]


def test_columns_and_tables_that_are_missing_are_left_out_and_counted(
    run: Run, sqlite_url: DatabaseUrl, empty_postgresql_url: DatabaseUrl, target_url: DatabaseUrl
) -> None:
    make_postgresql(empty_postgresql_url, *relay_database.TABLES, *relay_database.ROWS)
    make_postgresql(
        target_url,
        *relay_database.TABLES,
        "ALTER TABLE chat_snapshots DROP claude_session_id",
        "ALTER TABLE chats DROP active_issue_url",
    )
    ours = ("-d", sqlite_url.exposed())
    run("import", empty_postgresql_url.exposed(), *ours)
    words = ("export", "--to", "relay", "--output", target_url.exposed(), *ours)

    done = run(*words)

    assert done.exit_code == 0, done.stderr
    assert "chat_snapshots.claude_session_id left out: there is no such column (1)" in done.stderr
    assert "chats.active_issue_url left out: there is no such column (1)" in done.stderr
    assert len(rows_of(target_url)["chat_snapshots"]) == 3
    make_postgresql(target_url, "DROP TABLE chat_snapshots", "DELETE FROM chats")
    again = run(*words)
    assert "rows of chat_snapshots left out: there is no such table (3)" in again.stderr
    assert len(rows_of(target_url)["messages"]) == 9


def test_the_vector_of_a_whole_conversation_comes_in_and_goes_back(
    run: Run, sqlite_url: DatabaseUrl, postgres_with_vector: DatabaseUrl, tmp_path: Path
) -> None:
    talks = "ALTER TABLE conversations ADD embedding vector(3)"
    make_postgresql(
        postgres_with_vector,
        *(*chatmcp_database.COMPOSE, talks, *chatmcp_database.rows(folded=False)),
        f"UPDATE conversations SET embedding = '[1,2.5,-3]' WHERE id = '{TALK % 2}'",
    )
    theirs, ours = postgres_with_vector.exposed(), ("-d", sqlite_url.exposed())
    run("import", theirs, *ours)
    make_postgresql(postgres_with_vector, "DELETE FROM conversations")
    run("export", "--output", tmp_path / "all.jsonl", *ours)

    done = run("export", "--to", "chatmcp", "--output", theirs, *ours)
    again = run("import", theirs, "--format", "json", *ours)

    assert done.exit_code == 0, done.stderr
    assert "embeddings left out" not in done.stderr
    found = {row["id"]: row["embedding"] for row in rows_of(postgres_with_vector)["conversations"]}
    assert found == {TALK % 1: None, TALK % 2: "[1,2.5,-3]"}
    assert json.loads(again.stdout)["unchanged"] == 2
    line = next(text for text in (tmp_path / "all.jsonl").read_text().splitlines() if "2.5" in text)
    [embedding] = json.loads(line)["embeddings"]
    assert embedding["message_id"] == "00000000-0000-0000-0000-000000000000"
