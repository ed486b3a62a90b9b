"""Pins of ChatGPT's export, imported again and again beside those set here."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from chatdb.db import schema
from chatdb.db.database import Database
from tests.formats.chatgpt_samples import STARTED, conversation, message, node

Run = Callable[..., Any]
Import = Callable[..., dict[str, Any]]

PINNED, LATER = STARTED + 200, STARTED + 300
PINNED_AT, LATER_AT = "2023-11-14T22:16:40.250000Z", "2023-11-14T22:18:20.250000Z"


@pytest.fixture
def import_talk(run: Run, database: Database, tmp_path: Path) -> Import:
    """Import the talk with this `pinned_time`, and return its row and the counts."""

    def work(pinned_time: float | None, *, changed: float = 100, words: str = "hello") -> Any:
        path = tmp_path / "conversations.json"
        only = node("only", "root", message(text=words))
        times = {"update_time": STARTED + changed, "pinned_time": pinned_time}
        path.write_text(json.dumps([conversation(node("root", None, None), only, **times)]))
        own = ("--format", "json", "-d", database.url.exposed())
        done = run("import", path, *own)
        assert done.exit_code == 0, done.stderr
        (row,) = json.loads(run("conversations", "list", *own).stdout)
        return row | {"report": json.loads(done.stdout)}

    return work


def test_a_later_export_brings_a_pin_and_takes_it_back(import_talk: Import) -> None:
    assert import_talk(None)["pinned_at"] is None
    assert import_talk(PINNED)["pinned_at"] == PINNED_AT
    assert import_talk(LATER, changed=200)["pinned_at"] == LATER_AT
    assert import_talk(None, changed=200)["pinned_at"] is None


def test_an_older_export_changes_no_pin(import_talk: Import) -> None:
    import_talk(LATER, changed=200)

    assert import_talk(PINNED, changed=100)["pinned_at"] == LATER_AT
    assert import_talk(None, changed=100)["pinned_at"] == LATER_AT


def test_the_same_export_changes_nothing(import_talk: Import) -> None:
    first = import_talk(PINNED)
    again = import_talk(PINNED)

    assert first.pop("report") != again.pop("report")
    assert again == first


@pytest.mark.parametrize("verb", ["pin", "unpin"])
def test_what_is_pinned_or_not_here_stays_so(
    run: Run, database: Database, import_talk: Import, verb: str
) -> None:
    import_talk(PINNED if verb == "unpin" else None)
    own = ("--format", "json", "-d", database.url.exposed())
    (here,) = json.loads(run("conversations", verb, "last", *own).stdout)

    after = import_talk(None if verb == "pin" else LATER, changed=900, words="said anew")

    assert (here["pinned_at"] is None) == (verb == "unpin")
    assert after["pinned_at"] == here["pinned_at"]


def test_what_was_imported_before_the_column_gets_it_from_the_same_export(
    database: Database, import_talk: Import
) -> None:
    """As chatdb of revision 0005 left it: the time in the metadata, another version's hash."""
    import_talk(PINNED)
    before = {"pinned_at": None, "metadata": {"pinned_time": PINNED}, "source_hash": "0" * 64}
    with database.transaction(write=True, settings={"chatdb.bulk": "on"}) as connection:
        connection.execute(sa.update(schema.conversations).values(**before))

    assert import_talk(PINNED)["pinned_at"] == PINNED_AT

    with database.transaction() as connection:
        metadata = connection.scalar(sa.select(schema.conversations.c.metadata))
    assert metadata is not None
    assert metadata.keys() == {"mapping"}
