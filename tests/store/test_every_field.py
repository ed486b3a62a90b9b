"""A record with a value in every field comes through everything that moves records unchanged."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from chatdb.formats.native import conversation_line, header_line
from chatdb.records import Conversation, Message, organization_id_of
from chatdb.store.reading import read_stored
from tests.operations.restoring import kept_removed
from tests.postgres_server import TEMPLATE, PostgresServer
from tests.store.filled import NOON, bare_conversation, full_conversation, values_of

Run = Callable[..., Any]

OWNER = ("organization", "organization_name")
"""A file says whose a conversation is; in the database the row does."""


@pytest.fixture
def line() -> bytes:
    """The full record as a line of the native format."""
    record = full_conversation()
    record.organization = "acme"
    return conversation_line(record)


@pytest.fixture
def filled(line: bytes, database_url: DatabaseUrl, run: Run, tmp_path: Path) -> DatabaseUrl:
    """A database into which the full record was imported."""
    load(run, line, database_url, tmp_path)
    return database_url


def load(run: Run, line: bytes, url: DatabaseUrl, folder: Path) -> None:
    path = folder / "full.jsonl"
    path.write_bytes(header_line(created=NOON) + line)
    done = run("import", path, "--all-orgs", "-d", url.exposed())
    assert done.exit_code == 0, done.stderr


def exported(run: Run, url: DatabaseUrl) -> bytes:
    """Return what an export writes of all conversations, without the header."""
    done = run("export", "--to", "jsonl", "--all-orgs", "-d", url.exposed())
    assert done.exit_code == 0, done.stderr
    _, lines = done.stdout.encode().split(b"\n", 1)
    return bytes(lines)


@pytest.fixture
def other_url(
    request: pytest.FixtureRequest, database_url: DatabaseUrl, tmp_path: Path
) -> Iterator[DatabaseUrl]:
    """An empty database of the other kind."""
    if database_url.path is None:
        yield DatabaseUrl(dialect_name="sqlite", path=tmp_path / "other.db")
        return
    postgres: PostgresServer = request.getfixturevalue("postgres")
    with postgres.new_database(template=TEMPLATE) as url:
        yield url


def test_no_field_is_left_empty_and_no_two_are_alike() -> None:
    held = dict(values_of(full_conversation()))
    full = {
        name: value
        for name, value in held.items()
        if ".0." not in name and not isinstance(value, UUID)
    }

    assert len(full) > len(Conversation.__struct_fields__) + len(Message.__struct_fields__) // 2
    assert all(value not in (None, "", [], {}) for value in full.values())
    texts = [json.dumps(msgspec.to_builtins(value)) for value in full.values()]
    assert len(set(texts)) == len(texts)


def test_an_import_and_an_export_keep_every_field(
    run: Run, filled: DatabaseUrl, line: bytes
) -> None:
    assert exported(run, filled) == line


def test_what_is_stored_is_read_back_as_the_record_with_every_field(
    filled: DatabaseUrl, line: bytes
) -> None:
    record = msgspec.json.decode(line, type=Conversation)
    record.organization = record.organization_name = None

    with Database.open(filled) as database, database.transaction() as connection:
        (stored,) = read_stored(connection, organization_id_of("acme"), [record.id]).values()

    assert stored.record == record


def test_a_copy_into_the_other_database_and_back_keeps_every_field(
    run: Run, filled: DatabaseUrl, other_url: DatabaseUrl, line: bytes
) -> None:
    done = run("copy", filled.exposed(), other_url.exposed(), "--no-attachments")

    assert done.exit_code == 0, done.stderr
    assert exported(run, other_url) == line


def backup_in(folder: Path) -> Path:
    """Return the first file of the only backup in a folder."""
    (manifest,) = folder.glob("*.json")
    name: str = json.loads(manifest.read_text())["files"][0]["name"]
    return folder / name


@pytest.mark.parametrize("part", [(), ("--org", "acme")], ids=["whole", "organization"])
def test_a_backup_that_is_restored_has_every_field(
    run: Run, filled: DatabaseUrl, line: bytes, tmp_path: Path, part: tuple[str, ...]
) -> None:
    own = ("-d", filled.exposed())
    folder = tmp_path / "backups"
    made = run("backup", "create", *part, "-o", folder, *own)
    assert made.exit_code == 0, made.stderr
    removed = run("organizations", "delete", "acme", "--yes", "--no-keep", *own)
    assert removed.exit_code == 0, removed.stderr

    with kept_removed(filled):
        back = run("restore", backup_in(folder), *part, "--yes", *own)
        assert back.exit_code == 0, back.stderr
        found = exported(run, filled)

    assert found == line


def test_one_conversation_out_of_a_whole_backup_has_every_field(
    run: Run, filled: DatabaseUrl, line: bytes, tmp_path: Path
) -> None:
    own = ("-d", filled.exposed())
    folder = tmp_path / "backups"
    run("backup", "create", "-o", folder, *own)
    record = msgspec.json.decode(line, type=Conversation)
    run("conversations", "delete", str(record.id), "--org", "acme", "--yes", *own)

    back = run(
        *("restore", backup_in(folder), "--conversation", str(record.id), "--org", "acme"),
        *("--yes", *own),
        *("--via", filled.exposed()) if filled.path is None else (),
    )

    assert back.exit_code == 0, back.stderr
    assert exported(run, filled) == line


def test_what_a_deletion_keeps_brings_every_field_back(
    run: Run, filled: DatabaseUrl, line: bytes, tmp_path: Path
) -> None:
    own = ("-d", filled.exposed())
    removed = run("organizations", "delete", "acme", "--yes", *own)
    assert removed.exit_code == 0, removed.stderr
    assert exported(run, filled) == b""
    (kept,) = tmp_path.rglob("*acme*.jsonl*")

    back = run("import", kept, "--all-orgs", "--restore-deleted", *own)

    assert back.exit_code == 0, back.stderr
    assert exported(run, filled) == line


def test_what_a_later_export_knows_for_the_first_time_is_taken_in_every_field(
    run: Run, database_url: DatabaseUrl, line: bytes, tmp_path: Path
) -> None:
    first = bare_conversation()
    first.organization = "acme"
    load(run, conversation_line(first), database_url, tmp_path)

    load(run, line, database_url, tmp_path)

    found = msgspec.json.decode(exported(run, database_url), type=Conversation)
    wanted = dict(values_of(msgspec.json.decode(line, type=Conversation)))
    differing = {name for name, value in values_of(found) if wanted.get(name) != value}
    # A conversation was made once; a name of an organization is not followed.
    assert differing == {"created_at", "organization_name"}
    assert found.created_at == first.created_at
