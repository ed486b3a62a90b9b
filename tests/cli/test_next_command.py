"""The command that a hint gives is for the database that was typed, not for the configured one."""

import json
from pathlib import Path
from typing import Any

import pytest

from chatdb.cli.app import COMMANDS
from chatdb.cli.command_words import with_option
from chatdb.cli.next_command import ON_A_DATABASE, for_the_same_database
from chatdb.cli.options import GlobalOptions


@pytest.mark.parametrize(
    ("typed", "hint", "expected"),
    [
        ({}, "to create them: chatdb migrate", "to create them: chatdb migrate"),
        (
            {"database_url": "a.db", "schema": "x"},
            "chatdb migrate --plan; chatdb migrate",
            "; ".join(
                [
                    f"chatdb -d sqlite:///a.db --schema x {word}"
                    for word in ("migrate --plan", "migrate")
                ]
            ),
        ),
        (
            {"database_url": "postgresql://me:hunter2@h/d"},
            "chatdb wait",
            "chatdb -d 'postgresql://me:***@h/d' wait",
        ),
        (
            {"database_url": "a.db"},
            "to start it: chatdb dev-db up",
            "to start it: chatdb dev-db up",
        ),
        ({"database_url": "a.db"}, "chatdb config show", "chatdb config show"),
        ({"database_url": "a.db"}, "chatdb migrate -d DST", "chatdb migrate -d DST"),
        (
            {"database_url": "a.db", "schema": "x"},
            "chatdb migrate --schema y",
            "chatdb -d sqlite:///a.db migrate --schema y",
        ),
        ({"database_url": "nonsense://"}, "chatdb migrate", "chatdb migrate"),
        (
            {"database_url": "a.db"},
            "chatdb roles create app",
            "chatdb -d sqlite:///a.db roles create app",
        ),
    ],
)
def test_the_typed_options_stand_in_the_command(
    typed: dict[str, str], hint: str, expected: str
) -> None:
    assert for_the_same_database(hint, GlobalOptions(**typed)) == expected  # type: ignore[arg-type]


def test_every_command_is_known_to_take_a_database_or_none() -> None:
    without = {"formats", "convert", "config", "init", "env-template", "dev-db"}

    assert {*COMMANDS} - {*ON_A_DATABASE} == without


def test_an_option_is_set_whatever_it_had_before() -> None:
    names = ("--database-url", "-d")

    assert with_option(["list", "-d", "a", "--title", "-draft"], names, "b") == [
        *("list", "--title", "-draft", "-d", "b")
    ]
    assert with_option(["search", "--after", "--after", "--", "--after"], ("--after",), "@x") == [
        *("search", "--after", "@x", "--", "--after")
    ]


def test_the_way_back_of_a_deletion_names_the_typed_database(run: Any) -> None:
    place = ("-d", "other.db")
    run("seed", "--org", "acme", "--conversations", "2", *place)

    some = run("conversations", "delete", "last", "--org", "acme", "--yes", *place)
    whole = run("organizations", "delete", "acme", "--yes", *place)

    for deleted in (some, whole):
        assert deleted.exit_code == 0, deleted.stderr
        assert "chatdb -d sqlite:///other.db import chatdb-deleted/" in deleted.stderr


def test_an_error_and_the_doctor_name_the_typed_database(run: Any) -> None:
    Path("other.db").touch()

    refused = run("connect", "-d", "nothing/there.db")
    rows = json.loads(run("doctor", "-d", "other.db", "--format", "json").stdout)
    fixes = {row["id"]: row["fix"] for row in rows}

    assert "hint: to make one: chatdb -d sqlite:///nothing/there.db import FILE" in refused.stderr
    assert fixes["schema-state"] == "to create them: chatdb -d sqlite:///other.db migrate"


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (("import", "talk.json"), "list"),
        (("seed", "--conversations", "5", "--messages", "10"), "list --all-orgs"),
        (("smoke-test", "-v"), "seed"),
        (("backup", "create"), "backup verify --restore"),
        (("environment", "show"), "environment set production"),
        (("restore", "latest", "--dry-run"), "restore --undo"),
        (("status",), "kept list"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, tuple) else "",
)
def test_a_command_in_a_note_or_an_answer_names_the_typed_database(
    run: Any, words: tuple[str, ...], command: str
) -> None:
    place = ("-d", "other.db")
    Path("talk.json").write_text('[{"role": "user", "content": "melon"}]')
    if words[0] not in ("import", "seed"):
        assert run("import", "talk.json", *place).exit_code == 0
    if words[0] in ("restore", "status"):
        assert run("backup", "create", *place).exit_code == 0
        assert run("conversations", "delete", "last", "--yes", *place).exit_code == 0

    done = run(*words, *place)

    assert done.exit_code == 0, done.stderr
    assert f"chatdb -d sqlite:///other.db {command}" in done.stdout + done.stderr


def test_a_command_that_names_another_place_is_left_alone() -> None:
    hint = "to put it back: chatdb restore --undo --into sqlite:///b.db"

    assert for_the_same_database(hint, GlobalOptions(database_url="a.db")) == hint
