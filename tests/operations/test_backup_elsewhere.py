"""Backups in an object store, encrypted: made, looked at and brought back on both databases."""

import os
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyrage
import pytest

from chatdb.backups.encryption import Keys, Recipients, read_identities
from chatdb.backups.folder_store import FolderStore
from chatdb.backups.inventory import Backup, find, find_all
from chatdb.backups.store import Store
from chatdb.backups.stores import open_store
from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from chatdb.errors import StorageError, UsageError
from chatdb.operations.backups.compare import compare_backups
from chatdb.operations.backups.create import create_backup
from chatdb.operations.backups.parts import BackupOptions
from chatdb.operations.backups.verify import verify_files, verify_restored
from chatdb.operations.restoring.parts import RestoreOptions
from chatdb.operations.restoring.restore import planned_restore
from chatdb.servers.dump_programs import DumpPrograms
from tests.object_store import BUCKET, ObjectStore
from tests.operations.backups import Quiet, measured
from tests.operations.conversation_rows import add_conversation, add_organization

PROGRAMS = DumpPrograms(os.environ)


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    """Whom a backup is encrypted to, and what opens it."""
    identity = pyrage.x25519.Identity.generate()
    file = tmp_path / "key.txt"
    file.write_text(f"{identity}\n")
    return Keys(Recipients((str(identity.to_public()),)), read_identities(file))


@pytest.fixture
def place(s3: ObjectStore) -> str:
    """An address in the object store that nobody has used."""
    del s3
    return f"s3://{BUCKET}/{uuid4().hex[:8]}/chat"


@pytest.fixture
def chats(database: Database) -> Database:
    """A database with something to find again, and a tenant whose name is nobody's business."""
    add_conversation(database, ["salt", "pepper" * 50_000], title="Seasoning")
    add_organization(database, "secret-customer")
    return database


def back_up(database: Database, store: Store, watch: Quiet | None = None, **options: Any) -> Backup:
    request = BackupOptions(programs=PROGRAMS, **options)
    return create_backup(database, store, request, watch or Quiet())


def test_a_backup_goes_to_an_object_store_encrypted_and_comes_back(
    chats: Database, place: str, keys: Keys, s3: ObjectStore
) -> None:
    watch = Quiet()
    before = measured(chats)

    made = back_up(chats, open_store(place, Keys(recipients=keys.recipients)), watch)

    objects = [path for path in (s3.folder / place.split("/")[3]).rglob("*") if path.is_file()]
    assert {path.name for path in objects} == {
        *(file.name for file in made.files),
        f"{made.name}.manifest.json",
    }
    assert all(name.endswith(".age") for name in made.archive_names)
    assert made.manifest is not None
    assert (made.manifest.encryption, made.manifest.recipients) == ("age", keys.recipients.keys)  # type: ignore[union-attr]
    everything = b"".join(path.read_bytes() for path in objects)
    for word in (b"secret-customer", b"Seasoning", b"salt", b"default"):
        assert word not in everything
    assert f"sending to {place}" in watch.stages

    add_conversation(chats, ["afterwards"], number=2, title="Later")
    found = find("latest", place, keys=keys)
    options = RestoreOptions(programs=PROGRAMS, force=True)
    with planned_restore(found, chats.url, options, watch) as planned:
        done = planned.run()
    assert done.conversations == before.conversations
    with Database.open(chats.url) as restored:
        assert measured(restored).content_hash == before.content_hash


@pytest.mark.large
def test_without_its_key_an_encrypted_backup_is_only_summed_up(
    chats: Database, place: str, keys: Keys, s3: ObjectStore
) -> None:
    back_up(chats, open_store(place, keys))
    closed, opened = find("latest", place), find("latest", place, keys=keys)

    assert verify_files(closed, PROGRAMS, Quiet()).way == "checksums"
    assert verify_files(opened, PROGRAMS, Quiet()).way == "files"
    assert verify_restored(opened, chats.url, RestoreOptions(programs=PROGRAMS), Quiet()).passed
    with pytest.raises(UsageError, match="is encrypted"):
        list(compare_backups(closed, closed))
    assert list(compare_backups(opened, opened)) == []
    [seen] = find_all(open_store(place))
    last = seen.verifications.last()
    assert last is not None
    assert (last.way, last.passed) == ("restore", True)

    # One byte of the archive, and both looks see it.
    [archive] = (s3.folder / place.split("/")[3]).rglob(closed.archive_names[0])
    data = bytearray(archive.read_bytes())
    data[len(data) // 2] ^= 1
    closed.store.write(archive.name, bytes(data))
    for backup in (closed, opened):
        result = verify_files(backup, PROGRAMS, Quiet())
        assert not result.passed
        assert "checksum mismatch" in result.problems[0]
    with (
        pytest.raises(Exception, match=r"damaged|checksum"),
        planned_restore(
            opened, chats.url, RestoreOptions(programs=PROGRAMS, force=True), Quiet()
        ) as planned,
    ):
        planned.run()


@pytest.mark.postgresql
def test_a_folder_of_tables_is_encrypted_file_by_file(
    postgresql_url: DatabaseUrl, place: str, keys: Keys
) -> None:
    with Database.open(postgresql_url) as database:
        add_conversation(database, ["salt"])
        before = measured(database)
        made = back_up(database, open_store(place, keys), jobs=2)

        assert made.kind == "directory"
        assert all(name.endswith(".age") for name in made.archive_names)
        assert verify_files(made, PROGRAMS, Quiet()).passed
        options = RestoreOptions(programs=PROGRAMS, force=True)
        with planned_restore(made, database.url, options, Quiet()) as planned:
            planned.run()
    with Database.open(postgresql_url) as restored:
        assert measured(restored).content_hash == before.content_hash


def test_one_organization_is_encrypted_too(chats: Database, keys: Keys, tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "backups", keys)

    made = back_up(chats, store, part="organization", organization="default")

    assert made.archive_names[0].endswith(".jsonl.zst.age")
    assert verify_files(made, PROGRAMS, Quiet()).passed


def test_a_store_that_refuses_is_told_before_the_dump_and_leaves_nothing(
    chats: Database, place: str, s3: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    watch = Quiet()

    with pytest.raises(StorageError, match="denied access"):
        back_up(chats, open_store(place), watch)

    assert watch.stages == []
    assert not (s3.folder / place.split("/")[3]).exists()
