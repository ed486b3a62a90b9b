"""Helvino's tenants, of its first migration and of a later one."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from chatdb.db.url import DatabaseUrl
from tests.layouts.conftest import ImportFrom
from tests.layouts.foreign_databases import make_postgresql, values

Run = Callable[..., Any]

FIRST = (
    """CREATE TABLE organizations (id text PRIMARY KEY, key text UNIQUE NOT NULL,
    name text NOT NULL, "createdAt" timestamp(3) NOT NULL DEFAULT now())""",
    """CREATE TABLE conversations (id text PRIMARY KEY,
    "orgId" text NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    "createdAt" timestamp(3) NOT NULL, "updatedAt" timestamp(3) NOT NULL,
    "messageCount" integer NOT NULL DEFAULT 0)""",
    """CREATE TABLE messages (id text PRIMARY KEY,
    "conversationId" text NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    "orgId" text NOT NULL REFERENCES organizations (id) ON DELETE CASCADE, role text NOT NULL,
    content text NOT NULL, "timestamp" timestamp(3) NOT NULL)""",
)
LATER = (
    """CREATE TABLE visitors (id text PRIMARY KEY, "orgId" text NOT NULL,
    "visitorKey" text NOT NULL, "userAgent" text)""",
    'ALTER TABLE organizations ADD "messageRetentionDays" integer DEFAULT 365',
    """ALTER TABLE conversations ADD "visitorId" text REFERENCES visitors (id),
    ADD status text DEFAULT 'OPEN', ADD "closedAt" timestamp(3)""",
    """ALTER TABLE messages ADD "isAIGenerated" boolean NOT NULL DEFAULT false,
    ADD "aiProvider" text, ADD "aiModel" text, ADD "aiTokensUsed" integer,
    ADD "aiCost" decimal(10, 6)""",
    """CREATE TABLE conversation_notes (id text PRIMARY KEY, "orgId" text, "conversationId" text,
    content text, "createdAt" timestamp(3))""",
)
LATER_ROWS = (
    "INSERT INTO visitors VALUES ('v1', 'cl1', 'key-1', 'Firefox'), ('v2', 'cl1', 'k2', NULL)",
    """UPDATE conversations SET "visitorId" = 'v1', status = 'CLOSED' WHERE "orgId" = 'cl1'""",
    """UPDATE messages SET "isAIGenerated" = true, "aiProvider" = 'openai',
    "aiModel" = 'gpt-4o', "aiTokensUsed" = 12, "aiCost" = 0.000120 WHERE id = 'm2'""",
    """INSERT INTO conversation_notes
    VALUES ('n1', 'cl1', '1770304200000-a1', 'call back', '2026-02-05')""",
)
AT = "2026-02-05 15:30:%02d.123"
ROWS = (
    "INSERT INTO organizations (id, key, name) VALUES "
    + values([("cl1", "demo", "Demo Org"), ("cl2", "acme", "Acme"), ("cl3", "idle", "Idle")]),
    'INSERT INTO conversations (id, "orgId", "createdAt", "updatedAt", "messageCount") VALUES '
    + values(
        [
            ("1770304200000-a1", "cl1", AT % 0, AT % 10, 3),
            ("1770304200000-b2", "cl2", AT % 0, AT % 0, 1),
        ]
    ),
    'INSERT INTO messages (id, "conversationId", "orgId", role, content, "timestamp") VALUES '
    + values(
        [
            ("m1", "1770304200000-a1", "cl1", "user", "Hi", AT % 1),
            ("m2", "1770304200000-a1", "cl1", "assistant", "Hello", AT % 2),
            ("m3", "1770304200000-a1", "cl2", "user", "in the wrong tenant", AT % 3),
            ("m4", "1770304200000-b2", "cl2", "user", "Ours", AT % 4),
        ]
    ),
)


@pytest.fixture
def first(empty_postgresql_url: DatabaseUrl) -> DatabaseUrl:
    """A database of the first migration."""
    return make_postgresql(empty_postgresql_url, *FIRST, *ROWS)


def test_each_tenant_is_an_organization_with_its_own_conversations(
    first: DatabaseUrl, import_from: ImportFrom, run: Run
) -> None:
    done = import_from(first)

    assert [each.content for each in done.records("demo")[0].messages] == ["Hi", "Hello"]
    assert [each.content for each in done.records("acme")[0].messages] == ["Ours"]
    assert done.records("idle") == done.records("default") == []
    listed = json.loads(run("organizations", "list", "--format", "json").stdout)
    assert {each["key"]: each["name"] for each in listed}["demo"] == "Demo Org"


def test_a_row_of_two_tenants_is_named_and_in_neither(
    first: DatabaseUrl, import_from: ImportFrom
) -> None:
    done = import_from(first)

    assert done.exit_code == 7
    assert done.rows["messages"] == {"read": 4, "imported": 3, "merged": 0, "skipped": 1}
    assert [each["source_id"] for each in done.skipped] == ["m3"]
    assert "cl2" in done.skipped[0]["reason"]
    assert "cl1" in done.skipped[0]["reason"]


def test_times_without_a_zone_are_utc_and_counters_are_corrected(
    first: DatabaseUrl, import_from: ImportFrom
) -> None:
    done = import_from(first)

    record = done.records("demo")[0]
    assert record.created_at.isoformat() == "2026-02-05T15:30:00.123000+00:00"
    assert record.source_id == "1770304200000-a1"
    lossy = done.report["files"][0]["lossy"]
    assert lossy["messageCount that was not the number of messages: corrected"] == 1


def test_later_columns_visitors_and_notes_come_over(
    first: DatabaseUrl, import_from: ImportFrom
) -> None:
    make_postgresql(
        first,
        *LATER,
        *LATER_ROWS,
    )

    done = import_from(first)

    record = done.records("demo")[0]
    assert record.user_id == "key-1"
    assert record.metadata["visitor"]["userAgent"] == "Firefox"
    assert record.metadata["status"] == "CLOSED"
    assert [note["content"] for note in record.metadata["notes"]] == ["call back"]
    answer = record.messages[1]
    assert (answer.author, answer.model) == ("openai", "gpt-4o")
    assert answer.metadata == {"isAIGenerated": True, "aiTokensUsed": 12, "aiCost": "0.000120"}
    assert done.rows["visitors"] == {"read": 2, "imported": 0, "merged": 1, "skipped": 1}
    assert done.rows["conversation_notes"]["merged"] == 1


def test_each_visitor_counts_once_and_a_strangers_visitor_is_not_told(
    first: DatabaseUrl, import_from: ImportFrom
) -> None:
    more = values(
        [(f"1770304200000-c{n}", "cl1", AT % n, AT % n, 0, v) for n, v in enumerate(["v1", "v4"])]
    )
    make_postgresql(
        first,
        *LATER,
        *LATER_ROWS,
        "INSERT INTO visitors VALUES ('v3', 'gone', 'k3', NULL), ('v4', 'cl2', 'k4', NULL)",
        """INSERT INTO conversations
        (id, "orgId", "createdAt", "updatedAt", "messageCount", "visitorId") VALUES """
        + more,
    )

    done = import_from(first)

    users = {record.source_id: record.user_id for record in done.records("demo")}
    assert users == {
        "1770304200000-a1": "key-1",
        "1770304200000-c0": "key-1",
        "1770304200000-c1": "v4",
    }
    assert done.rows["visitors"] == {"read": 4, "imported": 0, "merged": 1, "skipped": 3}
    assert done.report["files"][0]["skipped"][-1]["reason"] == "no organization gone"


def test_with_org_only_that_tenant_comes(first: DatabaseUrl, import_from: ImportFrom) -> None:
    done = import_from(first, "--org", "acme")

    assert len(done.records("acme")) == 1
    assert done.rows["conversations"]["imported"] == 1
    missing = import_from(first, "--org", "nobody")
    assert missing.exit_code == 5


def test_a_second_run_changes_nothing(first: DatabaseUrl, import_from: ImportFrom) -> None:
    import_from(first)

    again = import_from(first)

    assert again.report["counts"]["unchanged"] == 2
    assert again.report["counts"]["new"] == 0


def test_rows_of_a_conversation_without_an_organization_are_named_too(
    first: DatabaseUrl, import_from: ImportFrom
) -> None:
    make_postgresql(
        first,
        "SET session_replication_role = replica",
        """INSERT INTO conversations (id, "orgId", "createdAt", "updatedAt")
        VALUES ('lost', 'gone', now(), now())""",
        'INSERT INTO messages (id, "conversationId", "orgId", role, content, "timestamp") VALUES '
        + values(
            [
                ("m8", "lost", "gone", "user", "Whose?", AT % 1),
                ("m9", "lost", "cl1", "user", "Ours?", AT % 2),
            ]
        ),
    )

    done = import_from(first)

    assert done.rows["messages"] == {"read": 6, "imported": 3, "merged": 0, "skipped": 3}
    assert {each["source_id"] for each in done.skipped} == {"m3", "lost", "m8", "m9"}
    assert done.report["counts"]["skipped"] == 4
