"""Organizations, users, and that no command shows what is another's."""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from chatdb.errors import ExitCode
from tests.operations.tenants import ACME, GLOBEX, HOSTILE_TEXTS, Tenant, two_tenants

Command = Callable[..., Any]
EXAMPLE = Path(__file__).resolve().parents[2] / "docs/examples/chatgpt-export.json"


@pytest.fixture
def tenants(database: Database) -> tuple[Tenant, Tenant]:
    return two_tenants(database)


@pytest.fixture
def command(run: Command, database: Database) -> Command:
    """Run a command on the test's database."""

    def on_database(*words: object, **options: Any) -> Any:
        return run("--database-url", database.url.exposed(), *words, **options)

    return on_database


def rows(answer: Any) -> Any:
    assert answer.exit_code == 0, answer.stderr
    return json.loads(answer.stdout)


def test_organizations_are_made_listed_and_named(command: Command) -> None:
    made = rows(command("organizations", "create", ACME, "--name", "Acme Ltd.", "--format", "json"))
    renamed = rows(command("organizations", "rename", ACME, "[red]x", "--format", "json"))
    first = command("organizations", "list", "--limit", "1", "--format", "json")

    assert (made["key"], made["name"]) == (ACME, "Acme Ltd.")
    assert (renamed["id"], renamed["name"]) == (made["id"], "[red]x")
    assert [row["key"] for row in rows(first)] == [ACME]
    assert first.stderr.endswith(f" organizations list --limit 1 --format json --after {ACME}\n")
    table = command("organizations", "list").stdout.splitlines()
    assert table[0].split() == [*("Key", "Name", "Users", "Conversations", "Messages")]
    assert command("organizations", "create", ACME).exit_code == ExitCode.REFUSED
    assert command("organizations", "create", ACME, "--if-missing").exit_code == 0
    assert command("organizations", "create", " ").exit_code == ExitCode.USAGE
    assert command("organizations", "rename", "nobody", "x").exit_code == ExitCode.NOT_FOUND


@pytest.mark.parametrize("key", [" x", "a\x1b[31mb", "x" * 201])
def test_no_command_makes_an_organization_that_create_refuses(
    run: Command, sqlite_url: DatabaseUrl, key: str
) -> None:
    on = ("--database-url", sqlite_url.exposed(), "--org", key)
    before = run(*on[:2], "organizations", "list", "--format", "json").stdout

    for words in (
        ("organizations", "create", key),
        ("seed", "--conversations", "1"),
        ("seed", "--conversations", "1", "--dry-run"),
        ("import", EXAMPLE),
        ("import", EXAMPLE, "--dry-run"),
    ):
        answer = run(*on, *words)
        assert answer.exit_code == ExitCode.USAGE, (words, answer.stderr)
        assert re.search("invalid organization key|the key has 201 characters", answer.stderr)
    assert run(*on[:2], "organizations", "list", "--format", "json").stdout == before


@pytest.mark.parametrize("user", ["", " ", "x" * 1001])
def test_no_command_gives_chats_to_a_user_that_rename_refuses(
    run: Command, sqlite_url: DatabaseUrl, user: str
) -> None:
    on = ("--database-url", sqlite_url.exposed())
    run(*on, "conversations", "create", "--user", "ann")

    for words in (
        ("users", "rename", "ann", user),
        ("conversations", "create", "--user", user),
        ("import", EXAMPLE, "--user", user),
        ("import", EXAMPLE, "--user", user, "--dry-run"),
    ):
        answer = run(*on, *words)
        assert answer.exit_code == ExitCode.USAGE, (words, answer.stderr)
        assert "a user's id" in answer.stderr
    assert [row["user_id"] for row in rows(run(*on, "users", "list", "--format", "json"))] == [
        "ann"
    ]


def test_a_limit_that_no_database_takes_is_a_usage_error(
    run: Command, sqlite_url: DatabaseUrl
) -> None:
    answer = run("users", "list", "--limit", 2**64, "-d", sqlite_url.exposed())

    assert answer.exit_code == ExitCode.USAGE
    assert "--limit" in answer.stderr


@pytest.mark.usefixtures("tenants")
def test_a_deletion_is_shown_confirmed_kept_and_taken_back(command: Command) -> None:
    rows(command("organizations", "rename", ACME, "Acme 'Ltd.'", "--format", "json"))

    dry = command("organizations", "delete", ACME, "--dry-run", "--format", "json")
    told = command("organizations", "delete", ACME, "--dry-run")
    refused = command("organizations", "delete", ACME)
    assert rows(dry)["conversations"] == 2
    assert "2 conversations of 2 users, 4 messages, 2 snapshots" in told.stdout
    assert told.stderr + dry.stderr == ""
    assert refused.exit_code == ExitCode.REFUSED
    assert len(rows(command("organizations", "list", "--format", "json"))) == 3

    done = command("organizations", "delete", ACME, "--yes", "--format", "json")
    assert Path(rows(done)["kept"]).is_file()
    assert [row["key"] for row in rows(command("organizations", "list", "--format", "json"))] == [
        "default",
        GLOBEX,
    ]
    back = done.stderr.partition("to restore it: ")[2].strip()
    for part in back.split(" && "):
        program, *words = shlex.split(part)
        assert program == "chatdb"
        # What was typed is repeated, but for its password; the command here types it again.
        words = words[2:] if words[0] == "-d" else words
        assert command(*words).exit_code == 0
    listed = rows(command("organizations", "list", "--format", "json"))
    assert [(row["name"], row["messages"]) for row in listed if row["key"] == ACME] == [
        ("Acme 'Ltd.'", 4)
    ]


def test_the_default_organization_is_only_emptied(command: Command) -> None:
    refused = command("organizations", "delete", "default", "--yes")
    both = command("organizations", "delete", ACME, "--no-keep", "--keep-to", "x", "--yes")

    assert refused.exit_code == ExitCode.REFUSED
    assert "--keep-organization" in refused.stderr
    assert both.exit_code == ExitCode.USAGE
    emptied = command(
        *("organizations", "delete", "default", "--keep-organization", "--no-keep", "--yes"),
        *("--format", "json"),
    )
    assert rows(emptied)["organization_kept"] is True
    assert "restore it" not in emptied.stderr


@pytest.mark.usefixtures("tenants")
def test_users_are_listed_shown_and_renamed_in_their_organization(command: Command) -> None:
    listed = rows(command("users", "list", "--org", ACME, "--format", "json"))
    shown = rows(command("users", "show", "ann", "--org", ACME, "--format", "json"))
    refused = command("users", "rename", "ann", "bob", "--org", ACME, "--yes")
    unconfirmed = command("users", "rename", "ann", "eve", "--org", ACME)
    dry = command("users", "rename", "ann", "eve", "--org", ACME, "--dry-run", "--format", "json")

    assert [row["user_id"] for row in listed] == ["ann", "bob"]
    assert (shown["conversations"], shown["messages"]) == (1, 2)
    assert refused.exit_code == unconfirmed.exit_code == ExitCode.REFUSED
    assert "ann becomes eve on 1 conversation with 2 messages" in unconfirmed.stderr
    assert rows(dry)["dry_run"] is True
    assert command("users", "show", "eve", "--org", ACME).exit_code == ExitCode.NOT_FOUND
    done = command("users", "rename", "ann", "eve", "--org", ACME, "--yes", "--format", "json")
    assert rows(done)["conversations"] == 1
    assert command("users", "show", "ann", "--org", ACME).exit_code == ExitCode.NOT_FOUND
    assert command("users", "show", "ann", "--org", GLOBEX).exit_code == 0


def test_search_finds_only_what_is_the_organizations_and_the_users(
    command: Command, tenants: tuple[Tenant, Tenant]
) -> None:
    def found(*words: str) -> set[str]:
        hits = rows(command("search", *words, "--org", ACME, "--format", "json"))
        return {hit["conversation_id"] for hit in hits}

    own = {user: str(identifier) for user, identifier in tenants[0].conversations.items()}

    assert found("shared") == set(own.values())
    assert found("shared", "--user", "ann") == {own["ann"]}
    assert found("shared", "user:bob", "--user", "ann") == set()
    assert found("shared", "in:title", "user:bob", "--user", "ann") == set()
    assert found("shared", "in:title", "--user", "ann") == {own["ann"]}
    assert found("shared", "--user", "ann", "--rank") == {own["ann"]}
    assert found("secret", "--raw", "--user", "bob") == {own["bob"]}
    assert found("globexann") == found("globex") == found("in:title", "globex") == set()


def test_a_cursor_of_another_leads_to_nothing_that_is_not_ones_own(
    command: Command, tenants: tuple[Tenant, Tenant]
) -> None:
    first = command("search", "shared", "--org", GLOBEX, "--limit", "1", "--format", "json")
    cursor = first.stderr.partition("--after ")[2].split()[0]

    hits = rows(
        command(
            *("search", "shared", "--org", ACME, "--user", "ann", "--after", cursor),
            *("--format", "json"),
        )
    )

    own = str(tenants[0].conversations["ann"])
    assert {hit["conversation_id"] for hit in hits} <= {own}


def test_an_export_has_only_what_is_the_organizations_and_the_users(
    command: Command, tenants: tuple[Tenant, Tenant]
) -> None:
    everything = command("export", "--org", ACME).stdout
    anns = command("export", "--org", ACME, "--user", "ann").stdout
    queried = command("export", "--org", ACME, "--user", "ann", "--query", "user:bob").stdout

    assert "acmebob" in everything
    assert "globex" not in everything
    assert "acmeann" in anns
    assert "bob" not in anns + queried
    for name in ("ann", "bob"):
        other = str(tenants[1].conversations[name])
        for part in (other, other[-8:], other.replace("-", "")[:31]):
            refused = command("export", "--org", ACME, "--id", part)
            assert refused.exit_code == ExitCode.NOT_FOUND, part
    bobs = str(tenants[0].conversations["bob"])
    for part in (bobs, bobs[-8:]):
        refused = command("export", "--org", ACME, "--user", "ann", "--id", part)
        assert refused.exit_code == ExitCode.NOT_FOUND, part


@pytest.mark.large
@pytest.mark.usefixtures("tenants")
def test_hostile_filters_find_nothing_and_break_nothing(command: Command) -> None:
    for text in HOSTILE_TEXTS[::2]:
        hits = command("search", "shared", "--user", text, "--org", ACME, "--format", "json")
        exported = command("export", "--user", text, "--source", text, "--org", ACME)

        assert rows(hits) == []
        assert exported.exit_code == 0
        assert "shared" not in exported.stdout
        for words in (("search", "shared"), ("export",), ("users", "list")):
            assert command(*words, "--org", text).exit_code == ExitCode.NOT_FOUND, text
