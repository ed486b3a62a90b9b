"""Documents, memories and artifacts that change: every version stays, the newest is current."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from chatdb.db import schema
from chatdb.db.database import Database
from chatdb.formats.branches import active_path
from chatdb.records import Conversation
from tests.formats.claude_export import (
    artifact,
    artifact_files,
    document,
    memories,
    project,
    version,
    written,
)
from tests.formats.test_claude import conversation, message
from tests.operations.importing import the_one

Import = Callable[..., dict[str, Any]]
LATER, LATEST = "2026-09-02T00:00:00Z", "2026-09-03T00:00:00Z"


@pytest.fixture
def bring(run: Callable[..., Any], database: Database, tmp_path: Path) -> Import:
    """Import a value, or the files of a zip, and return the report."""

    def work(value: dict[str, Any], *options: str) -> dict[str, Any]:
        path = tmp_path / "part.json"
        if any("/" in name for name in value):
            path = written(tmp_path / "part.zip", value)
        else:
            path.write_text(json.dumps(value))
        own = ("--format", "json", "-d", database.url.exposed())
        done = run("import", path, *own, *options)
        assert done.exit_code == 0, done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    return work


def texts(record: Conversation) -> tuple[list[str], str]:
    """Return the texts of all versions, and of the one that is current."""
    (current,) = active_path(record)
    return [each.content for each in record.messages], current.content


def edition(text: str, updated: str | None = None) -> dict[str, Any]:
    times = {} if updated is None else {"updated_at": updated}
    return project(document(text), **times)


def test_a_changed_document_keeps_its_versions_and_shows_the_newest(
    bring: Import, database: Database
) -> None:
    assert bring(edition("one"))["kinds"] == {"document": 1}
    report = bring(edition("two", LATER))

    assert (report["updated"], report["messages_new"], report["messages_changed"]) == (1, 1, 0)
    assert texts(the_one(database)) == (["one", "two"], "two")


def test_the_same_document_again_changes_nothing(bring: Import, database: Database) -> None:
    bring(edition("one"))
    bring(edition("two", LATER))
    before = the_one(database)

    report = bring(edition("two", LATER))

    assert (report["unchanged"], report["updated"], report["messages_new"]) == (1, 0, 0)
    assert the_one(database) == before


def test_an_older_export_of_a_document_changes_nothing(bring: Import, database: Database) -> None:
    bring(edition("one"))
    bring(edition("two", LATER))
    before = the_one(database)

    report = bring(edition("one"))

    assert (report["unchanged"], report["messages_new"]) == (1, 0)
    assert the_one(database) == before


def test_an_older_version_that_comes_late_is_kept_and_not_shown(
    bring: Import, database: Database
) -> None:
    bring(edition("two", LATER))
    bring(edition("one"))

    assert texts(the_one(database)) == (["one", "two"], "two")


def test_a_document_that_becomes_what_it_was_shows_that_again(
    bring: Import, database: Database
) -> None:
    bring(edition("one"))
    bring(edition("two", LATER))
    bring(edition("one", LATEST))

    assert texts(the_one(database)) == (["one", "two"], "one")


def test_a_memory_has_no_time_and_the_last_one_that_is_new_is_current(
    bring: Import, database: Database
) -> None:
    for text in ("one", "two", "three"):
        report = bring(memories(text))
        assert report["messages_new"] == 1

    assert texts(the_one(database)) == (["one", "two", "three"], "three")


def test_an_older_memory_changes_nothing(bring: Import, database: Database) -> None:
    bring(memories("one"))
    bring(memories("two"))
    before = the_one(database)

    report = bring(memories("one"))

    assert (report["unchanged"], report["messages_new"]) == (1, 0)
    after = the_one(database)
    assert texts(after) == texts(before) == (["one", "two"], "two")
    assert after.updated_at == before.updated_at


def test_a_memory_renamed_here_keeps_its_name_and_takes_the_next_version(
    run: Callable[..., Any], bring: Import, database: Database
) -> None:
    bring(memories("one"))
    own = ("-d", database.url.exposed())
    record = the_one(database)
    assert run("conversations", "rename", str(record.id), "Mine", *own).exit_code == 0

    bring(memories("two"))

    assert the_one(database).title == "Mine"
    assert texts(the_one(database)) == (["one", "two"], "two")


def test_a_version_deleted_here_stays_deleted(
    run: Callable[..., Any], bring: Import, database: Database
) -> None:
    bring(memories("one"))
    bring(memories("two"))
    record = the_one(database)
    own = ("--yes", "-d", database.url.exposed())
    gone = str(record.messages[0].id)
    assert run("messages", "delete", str(record.id), gone, *own).exit_code == 0

    bring(memories("one"))

    assert texts(the_one(database)) == (["two"], "two")


def test_versions_of_an_artifact_accumulate_and_the_active_one_is_current(
    bring: Import, database: Database
) -> None:
    first = artifact(version("1"), updated_at="2026-08-01T10:00:00Z")
    second = artifact(version("2", title="New till", created_at=LATER), updated_at=LATER)
    bring(artifact_files(first, **{"1__html": "<p>one</p>"}))
    bring(artifact_files(second, **{"2__html": "<p>two</p>"}))
    report = bring(artifact_files(first, **{"1__html": "<p>one</p>"}))

    record = the_one(database)
    assert report["unchanged"] == 1
    assert (record.kind, record.title) == ("canvas", "New till")
    assert [each.attached_text for each in record.messages] == [
        "1.html:\n<p>one</p>",
        "2.html:\n<p>two</p>",
    ]
    assert texts(record) == (["Till", "New till"], "New till")


def test_a_dry_run_says_the_same_and_writes_nothing(bring: Import, database: Database) -> None:
    bring(edition("one"))
    before = the_one(database)

    report = bring(edition("two", LATER), "--dry-run")

    assert (report["updated"], report["messages_new"]) == (1, 1)
    assert report["kinds"] == {"document": 1}
    assert the_one(database) == before


def test_what_was_stored_by_a_reader_without_attached_texts_is_completed(
    bring: Import, database: Database
) -> None:
    pasted = [{"file_name": "a.txt", "extracted_content": "brine"}]
    talk = conversation(message(attachments=pasted))
    bring(talk)
    _forget_attached_texts(database)

    report = bring(talk)

    assert (report["updated"], report["messages_changed"]) == (1, 1)
    assert the_one(database).messages[0].attached_text == "a.txt:\nbrine"


def test_a_native_file_brings_the_kinds_and_counts_them_also_when_unread(
    run: Callable[..., Any], bring: Import, database: Database, tmp_path: Path
) -> None:
    bring(edition("one"))
    bring(edition("two", LATER))
    own = ("-d", database.url.exposed())
    path = tmp_path / "all.jsonl"
    assert run("export", "--output", path, *own).exit_code == 0

    reports = [
        json.loads(run("import", path, *given, "--format", "json").stdout)
        for given in (own, ("-d", f"sqlite:///{tmp_path}/other.db"))
    ]

    assert [each["kinds"] for each in reports] == [{"document": 1}] * 2
    assert [(each["new"], each["unchanged"]) for each in reports] == [(0, 1), (1, 0)]


def _forget_attached_texts(database: Database) -> None:
    """Leave the rows as the reader before this one wrote them."""
    with database.transaction(write=True) as connection:
        connection.execute(sa.update(schema.messages).values(attached_text=None))
        hashed = {"source_hash": "0" * 32, "updated_at": datetime(2025, 1, 2, tzinfo=UTC)}
        connection.execute(sa.update(schema.conversations).values(**hashed))
