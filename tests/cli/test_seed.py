"""`chatdb seed` as a user meets it: reports, refusals, and the same bytes from every process."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from chatdb.db import schema
from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from chatdb.formats.native import conversation_line
from chatdb.records import organization_id_of
from chatdb.seeds.people import ORGANIZATIONS
from chatdb.seeds.plan import SeedOptions
from tests.cli.conftest import Run
from tests.cli.importing import count_of
from tests.seeds.making import made

Invoke = Callable[..., Any]


@pytest.fixture
def seed(run: Invoke, database_url: DatabaseUrl, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Run `chatdb seed` in this process on a migrated database of either kind."""
    monkeypatch.setenv("DATABASE_URL", database_url.exposed())
    return lambda *words, **options: run("seed", *words, **options)


def test_the_report_names_what_came_to_be_and_what_to_type_next(seed: Invoke) -> None:
    first = seed("--format", "json")
    again = seed("--format", "json")

    report = json.loads(first.stdout)
    assert (first.exit_code, again.exit_code) == (0, 0)
    assert (report["outcome"], report["new"], report["seed"]) == ("done", 50, 42)
    assert report["until"] == "2026-11-01"
    assert report["organizations"] == report["made"] == list(ORGANIZATIONS)
    assert json.loads(again.stdout)["unchanged"] == 50
    assert json.loads(again.stdout)["new"] == 0
    assert "chatdb list --all-orgs" in first.stderr
    assert "nothing new" in again.stderr


def test_the_next_command_can_be_copied_whatever_the_organization_is_called(seed: Invoke) -> None:
    result = seed("--conversations", 1, "--org", "ann & co")

    assert "chatdb list --org 'ann & co'" in result.stderr


def test_the_next_command_shows_the_chats(seed: Invoke, run: Invoke) -> None:
    seed()

    listed = run("conversations", "list", "--org", "demo", "--format", "json")

    assert len(json.loads(listed.stdout)) > 15


def test_numbers_are_exact(seed: Invoke, database_url: DatabaseUrl) -> None:
    done = seed("--conversations", 7, "--messages", 123, "--seed", 9, "--until", "2025-03-01")

    assert done.exit_code == 0
    assert count_of(database_url) == 7
    assert count_of(database_url, schema.messages) == 123


def test_an_organization_that_is_named_gets_all_of_it(
    seed: Invoke, database_url: DatabaseUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed("--conversations", 9, "--org", "acme")
    monkeypatch.setenv("CHATDB_ORG", "bolt")
    seed("--conversations", 8)

    with Database.open(database_url) as database, database.transaction() as connection:
        table = schema.conversations
        query = sa.select(table.c.organization_id, sa.func.count())
        counts = {row[0]: row[1] for row in connection.execute(query.group_by("organization_id"))}
    assert counts == {organization_id_of("acme"): 9, organization_id_of("bolt"): 8}


def test_production_is_refused(seed: Invoke, database_url: DatabaseUrl) -> None:
    with Database.open(database_url) as database, database.transaction(write=True) as connection:
        connection.execute(sa.insert(schema.settings).values(key="environment", value="production"))

    done = seed("--format", "json")
    looked = seed("--dry-run")

    assert (done.exit_code, looked.exit_code) == (6, 6)
    assert done.stdout == ""
    error = json.loads(done.stderr)["error"]
    assert error["code"] == "refused"
    assert "labelled production" in error["text"]
    assert "p%@" not in done.stderr
    assert count_of(database_url) == 0


def test_a_dry_run_writes_nothing(seed: Invoke, database_url: DatabaseUrl) -> None:
    done = seed("--dry-run", "--format", "json")

    assert done.exit_code == 0
    assert json.loads(done.stdout)["new"] == 50
    assert count_of(database_url) == 0
    assert count_of(database_url, schema.organizations) == 1


def test_a_dry_run_makes_no_file(run: Invoke) -> None:
    done = run("seed", "--dry-run")

    assert done.exit_code == 0
    assert not Path("data").exists()


def test_without_a_database_one_is_made(run: Invoke) -> None:
    done = run("seed")

    assert done.exit_code == 0
    assert "made a new database at sqlite:///data/chatdb.db" in done.stderr
    assert Path("data/chatdb.db").exists()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--size", "huge"), "huge"),
        (("--size", "small", "--messages", "5"), "--size excludes"),
        (("--conversations", "0"), "--conversations"),
        (("--conversations", "9", "--messages", "3"), "too few"),
        (("--until", "tomorrow"), "tomorrow"),
        (("--until", "0900-01-01"), "no day to seed until"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(
    run: Invoke, words: tuple[str, ...], text: str
) -> None:
    done = run("seed", *words)

    assert done.exit_code == 2
    assert text in done.stderr
    assert not Path("data").exists()


def test_quiet_says_nothing_but_the_report(seed: Invoke) -> None:
    done = seed("--quiet")

    assert done.stderr == ""
    assert "New messages" in done.stdout


@pytest.mark.large
@pytest.mark.parametrize(
    "surroundings",
    [
        {"PYTHONHASHSEED": "1", "TZ": "Asia/Tokyo", "LC_ALL": "C"},
        {"PYTHONHASHSEED": "2", "TZ": "America/Los_Angeles", "LC_ALL": "C.UTF-8"},
    ],
)
def test_every_process_makes_the_same_bytes(
    run_process: Run, tmp_path: Path, surroundings: dict[str, str]
) -> None:
    database = f"sqlite:///{tmp_path}/seeded.db"
    words = ("-d", database, "--org", "demo")
    assert run_process("seed", *words, env=surroundings).exit_code == 0

    lines = run_process("export", *words, env=surroundings).stdout.splitlines(keepends=True)

    expected = made(SeedOptions(organization_key="demo"))
    for each in expected:
        each.organization, each.organization_name = "demo", "Demo"
    assert sorted(lines[1:]) == sorted(conversation_line(each).decode() for each in expected)
