"""The snippets of docs/using-from-an-application.md work on both databases, as the page says."""

import json
import re
import runpy
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from chatdb.db.connect import connect_postgresql
from chatdb.db.url import DatabaseUrl
from chatdb.records import organization_id_of
from tests.repo.console_blocks import ROOT, blocks_of

PAGE = ROOT / "docs" / "using-from-an-application.md"
POSTGRESQL, SQLITE = blocks_of(PAGE, "python")
NODE_POSTGRES, BETTER_SQLITE3, DRIZZLE = blocks_of(PAGE, "ts")


@contextmanager
def functions(url: DatabaseUrl, run: Any) -> Iterator[Any]:
    """The page's functions for a kind of database, and the `address` of an application."""
    snippet = Path("snippet.py")
    snippet.write_text(POSTGRESQL if url.path is None else SQLITE)
    names = {**runpy.run_path(str(snippet)), "address": str(url.path)}
    if url.path is not None:
        yield SimpleNamespace(**names)
        return
    role = f"snippets_{uuid4().hex}"
    words = ("roles", "create", "app", "--name", role, "--generate", "--format", "json")
    made = run("-d", url.exposed(), *words)
    assert made.exit_code == 0, made.stderr
    password = json.loads(made.stdout)["password"]
    names["address"] = re.sub(r"//.*@", f"//{role}:{password}@", url.exposed())
    yield SimpleNamespace(**names)
    dropped = run("-d", url.exposed(), "roles", "drop", role, "--yes")
    assert dropped.exit_code == 0, dropped.stderr


@pytest.fixture
def application(database_url: DatabaseUrl, run: Any) -> Iterator[Any]:
    """The page's functions for each kind of database."""
    with functions(database_url, run) as found:
        yield found


@pytest.fixture
def chatdb(database_url: DatabaseUrl, run: Any) -> Any:
    """Run a command on the same database and read its JSON."""

    def invoke(*words: str) -> Any:
        done = run("-d", database_url.exposed(), *words, "--format", "json")
        assert done.exit_code == 0, done.stderr
        return json.loads(done.stdout)

    return invoke


def test_an_application_writes_what_chatdb_reads(application: Any, chatdb: Any) -> None:
    acme = application.organization_id("acme")
    assert chatdb("organizations", "create", "acme")["id"] == str(acme)
    with closing(application.connect(application.address)) as connection:
        with application.work(connection, acme) as db:
            conversation = application.create_conversation(db, acme, "Bread", user="ann")
            application.add_message(db, acme, conversation, "user", "How long does dough rest?")
        before = chatdb("conversations", "list", "--org", "acme")[0]
        with application.work(connection, acme) as db:
            application.add_message(db, acme, conversation, "assistant", "Eight hours.")
            application.rename_conversation(db, acme, conversation, "Rye bread")
        with application.work(connection, acme) as db:
            (listed,) = application.list_conversations(db, acme)
            read = application.read_conversation(db, acme, conversation)

    record = chatdb("conversations", "show", str(conversation), "--org", "acme")
    assert (record["title"], record["user_id"], record["edited_at"] is not None) == (
        *("Rye bread", "ann"),
        True,
    )
    first, last = record["messages"]
    assert (first["content"], last["content"]) == ("How long does dough rest?", "Eight hours.")
    assert (last["parent_id"], record["current_message_id"]) == (first["id"], last["id"])
    assert str(listed["id"]) == record["id"]
    assert [row["content"] for row in read] == [first["content"], last["content"]]
    assert record["updated_at"] > before["updated_at"]
    (hit,) = chatdb("search", "dough", "--org", "acme")
    assert hit["message_id"] == first["id"]
    assert chatdb("schema", "check") == []


def test_reading_takes_the_active_branch_without_what_is_hidden(
    application: Any, chatdb: Any, database_url: DatabaseUrl, run: Any
) -> None:
    chatdb("import", str(ROOT / "docs/examples/chatgpt-export.json"))
    default = application.organization_id("default")
    with (
        closing(application.connect(application.address)) as connection,
        application.work(connection, default) as db,
    ):
        read = {
            str(row["id"]): application.read_conversation(db, default, row["id"])
            for row in application.list_conversations(db, default)
        }

    exported = json.loads(run("-d", database_url.exposed(), "export", "--to", "json").stdout)
    assert len(exported) == 3
    assert {key: [str(row["id"]) for row in rows] for key, rows in read.items()} == {
        record["id"]: [message["id"] for message in record["messages"]] for record in exported
    }


def test_what_an_application_deletes_no_import_brings_back(application: Any, chatdb: Any) -> None:
    example = str(ROOT / "docs/examples/chatgpt-export.json")
    chatdb("import", example)
    default = application.organization_id("default")
    with (
        closing(application.connect(application.address)) as connection,
        application.work(connection, default) as db,
    ):
        gone = application.list_conversations(db, default)[0]["id"]
        application.delete_conversation(db, default, gone)

    done = chatdb("import", example)
    assert (done["unchanged"], done["deleted_here"], done["new"]) == (2, 1, 0)
    assert str(gone) not in [row["id"] for row in chatdb("conversations", "list")]


def test_a_role_sees_only_the_organization_and_user_that_it_names(
    postgresql_url: DatabaseUrl, run: Any
) -> None:
    at = ("-d", postgresql_url.exposed())
    run(*at, "organizations", "create", "acme")
    run(*at, "import", str(ROOT / "docs/examples/chatgpt-export.json"), "--user", "ann")
    seen = "SELECT count(*) AS seen FROM conversations"
    with (
        functions(postgresql_url, run) as application,
        closing(application.connect(application.address)) as connection,
    ):
        default, acme = (application.organization_id(key) for key in ("default", "acme"))
        counts = [connection.execute(seen).fetchone()["seen"]]
        for named in ((default, None), (default, "ann"), (default, "bob"), (acme, None)):
            with application.work(connection, *named) as db:
                counts.append(db.execute(seen).fetchone()["seen"])

    assert counts == [0, 3, 3, 0, 0]


def statements(snippet: str) -> list[str]:
    """Return the SQL of a TypeScript snippet: its template literals."""
    found = [text.strip() for text in re.findall(r"`([^`]*)`", snippet)]
    return [text for text in found if text not in ("BEGIN", "COMMIT", "ROLLBACK")]


def add_conversation(run: Any, url: DatabaseUrl) -> UUID:
    """Make a conversation with one message and return its id."""
    words = ("conversations", "create", "--message", "How long does dough rest?")
    made = run("-d", url.exposed(), *words, "--format", "json")
    return UUID(json.loads(made.stdout)["id"])


def test_the_sql_for_node_postgres_works(postgresql_url: DatabaseUrl, run: Any) -> None:
    organization = str(organization_id_of("default"))
    conversation = str(add_conversation(run, postgresql_url))
    settings, listing, locking, adding, pointing = statements(NODE_POSTGRES)
    with connect_postgresql(postgresql_url) as connection:
        cursor = psycopg.RawCursor(connection)
        message = str(uuid4())
        cursor.execute(settings, [organization])
        found = cursor.execute(locking, [organization, conversation]).fetchone()
        assert found is not None
        values = [organization, conversation, message, found[0], "assistant", "Eight hours."]
        cursor.execute(adding, values)
        cursor.execute(pointing, [organization, conversation, message])
        listed = cursor.execute(listing, [organization, 20]).fetchall()

    shown = run("-d", postgresql_url.exposed(), "conversations", "show", conversation)
    assert "Eight hours." in shown.stdout
    assert [str(row[0]) for row in listed] == [conversation]


def test_the_sql_for_better_sqlite3_works(sqlite_url: DatabaseUrl, run: Any) -> None:
    organization = str(organization_id_of("default"))
    conversation = str(add_conversation(run, sqlite_url))
    listing, finding, adding, pointing = statements(BETTER_SQLITE3)
    values = {
        "organization": organization,
        "conversation": conversation,
        "message": str(uuid4()),
        "role": "assistant",
        "content": "Eight hours.",
        "now": "2026-01-31T12:00:00.000000Z",
        "limit": 20,
    }
    with closing(sqlite3.connect(sqlite_url.path or "")) as connection, connection:
        (values["parent"],) = connection.execute(finding, values).fetchone()
        connection.execute(adding, values)
        connection.execute(pointing, values)
        listed = connection.execute(listing, values).fetchall()

    shown = run("-d", sqlite_url.exposed(), "conversations", "show", conversation)
    assert "Eight hours." in shown.stdout
    assert [row[0] for row in listed] == [conversation]


def test_the_sql_for_drizzle_works(postgresql_url: DatabaseUrl, run: Any) -> None:
    organization = str(organization_id_of("default"))
    conversation = add_conversation(run, postgresql_url)
    settings, listing = (re.sub(r"\$\{\w+\}", "%s", text) for text in statements(DRIZZLE))
    with connect_postgresql(postgresql_url) as connection:
        connection.execute(settings.encode(), [organization])
        listed = connection.execute(listing.encode(), [organization]).fetchall()

    assert [row[0] for row in listed] == [conversation]


def test_the_sql_for_searching_works(postgresql_url: DatabaseUrl, run: Any) -> None:
    add_conversation(run, postgresql_url)
    _, searching = blocks_of(PAGE, "sql")
    settings = "SELECT set_config('app.organization_id', %s, true)"
    with connect_postgresql(postgresql_url) as connection:
        connection.execute(settings, [str(organization_id_of("default"))])
        found = connection.execute(searching.replace("salt mine", "dough").encode()).fetchall()

    assert len(found) == 1
