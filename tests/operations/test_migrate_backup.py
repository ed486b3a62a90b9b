"""`migrate --backup`: a backup before the first change, and its name when that fails."""

import json
from pathlib import Path
from typing import Any

import pytest

from chatdb.backups.folder_store import FolderStore
from chatdb.backups.inventory import find_all
from chatdb.db.database import Database
from chatdb.db.migrating.migrations import upgrade
from chatdb.db.url import DatabaseUrl
from chatdb.errors import MigrationFailedError
from chatdb.operations.backups.parts import BackupOptions
from chatdb.operations.migrating.migrate import backed_up
from tests.operations.backups import PROGRAMS, Quiet


def test_a_backup_is_made_before_the_first_change(
    run: Any, empty_database_url: DatabaseUrl
) -> None:
    with Database.open(empty_database_url, create=True) as database:
        upgrade(database, revision="0001")

    done = run("migrate", "--backup", "-d", empty_database_url.exposed(), "--format", "json")
    again = run("migrate", "--backup", "-d", empty_database_url.exposed())

    (backup,) = find_all(FolderStore(Path("backups")))
    assert (done.exit_code, again.exit_code) == (0, 0)
    assert json.loads(done.stdout)[0]["revision"] == "0002"
    assert f"backed up to {backup.file}" in done.stderr
    assert backup.manifest is not None
    assert backup.manifest.revision == "0001"


def test_nothing_is_backed_up_where_nothing_is(run: Any, empty_database_url: DatabaseUrl) -> None:
    done = run("migrate", "--backup", "-d", empty_database_url.exposed())

    assert done.exit_code == 0
    assert "nothing is backed up" in done.stderr
    assert not Path("backups").exists()


def test_a_failed_migration_names_the_backup(database: Database, tmp_path: Path) -> None:
    store, options = FolderStore(tmp_path / "backups"), BackupOptions(programs=PROGRAMS)

    with (
        pytest.raises(MigrationFailedError) as told,
        backed_up(database, store, options, Quiet()) as backup,
    ):
        raise MigrationFailedError("revision 0009 failed", hint=None)

    assert backup is not None
    assert told.value.text == (f"revision 0009 failed; the backup made before is {backup.file}")
    assert told.value.hint == f"chatdb restore {backup.file}"
