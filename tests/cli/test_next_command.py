"""The command that a hint gives is for the database that was typed, not for the configured one."""

import json
from pathlib import Path
from typing import Any

import pytest

from chatdb.cli.next_command import for_the_same_database
from chatdb.cli.options import GlobalOptions


@pytest.mark.parametrize(
    ("typed", "hint", "expected"),
    [
        ({}, "make them: chatdb migrate", "make them: chatdb migrate"),
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
        ({"database_url": "a.db"}, "start it: chatdb dev-db up", "start it: chatdb dev-db up"),
        ({"database_url": "a.db"}, "chatdb config show", "chatdb config show"),
        ({"database_url": "a.db"}, "chatdb migrate -d DST", "chatdb migrate -d DST"),
        (
            {"database_url": "a.db", "schema": "x"},
            "chatdb migrate --schema y",
            "chatdb -d sqlite:///a.db migrate --schema y",
        ),
        ({"database_url": "nonsense://"}, "chatdb migrate", "chatdb migrate"),
    ],
)
def test_the_typed_options_stand_in_the_command(
    typed: dict[str, str], hint: str, expected: str
) -> None:
    assert for_the_same_database(hint, GlobalOptions(**typed)) == expected  # type: ignore[arg-type]


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

    assert "hint: create it: chatdb -d sqlite:///nothing/there.db migrate" in refused.stderr
    assert fixes["schema-state"] == "make them: chatdb -d sqlite:///other.db migrate"
