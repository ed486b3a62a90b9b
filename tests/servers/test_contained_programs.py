"""Backups where PostgreSQL's programs are in the server's container only."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from chatdb.backups.folder_store import FolderStore
from chatdb.backups.inventory import Backup
from chatdb.db.database import Database
from chatdb.db.migrating.migrations import upgrade
from chatdb.db.url import DatabaseUrl
from chatdb.errors import ProgramMissingError, UsageError
from chatdb.operations.backups.create import create_backup
from chatdb.operations.backups.parts import BackupOptions
from chatdb.operations.backups.verify import verify_files
from chatdb.operations.restoring.in_place import planned_in_place
from chatdb.operations.restoring.parts import RestoreOptions
from chatdb.operations.restoring.restore import planned_restore
from chatdb.servers.base import DevServer
from chatdb.servers.dump_programs import Client, DumpPrograms, ProgramName
from tests.operations.backups import Quiet
from tests.operations.restoring import conversations_in, execute, fill
from tests.servers.container_engine import ContainerEngine

pytestmark = [pytest.mark.xdist_group("containers"), pytest.mark.large]


@dataclass(frozen=True, slots=True)
class ContainedOnly(DumpPrograms):
    """The programs of a machine that has none itself, as a laptop with nothing but Docker."""

    def find(
        self, name: ProgramName, server_major: int, *, url: DatabaseUrl | None = None
    ) -> Client:
        found = self._in_container(name, server_major, url or self.server)
        if found is None:
            raise ProgramMissingError(f"no container has {name} of {server_major}")
        return found


@pytest.fixture
def programs(any_compose: ContainerEngine, running_server: DevServer) -> ContainedOnly:
    return ContainedOnly(any_compose.environment, server=running_server.url)


@pytest.fixture
def filled(running_server: DevServer) -> DatabaseUrl:
    """The container's database with three conversations."""
    with Database.open(running_server.url) as database:
        upgrade(database)
    execute(running_server.url, "DELETE FROM conversations")
    fill(running_server.url)
    return running_server.url


def test_a_backup_is_made_verified_and_restored_by_them(
    programs: ContainedOnly, filled: DatabaseUrl, tmp_path: Path
) -> None:
    watch = Quiet()
    backup = back_up(programs, filled, tmp_path)
    assert backup.manifest is not None
    assert backup.manifest.contents.messages == 6

    assert verify_files(backup, programs, watch).problems == ()

    options = RestoreOptions(programs=programs)
    execute(filled, "DELETE FROM conversations WHERE title LIKE '% 3'")
    with planned_restore(backup, filled, options, watch) as planned:
        planned.run()
    assert conversations_in(filled) == 3

    execute(filled, "DELETE FROM conversations WHERE title LIKE '% 3'")
    with planned_in_place(backup, filled, options, watch, lambda: backup) as in_place:
        in_place.run()
    assert conversations_in(filled) == 3


def test_what_needs_files_of_this_machine_says_so(
    programs: ContainedOnly, filled: DatabaseUrl, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="--jobs needs pg_dump on this machine"):
        back_up(programs, filled, tmp_path / "backups", jobs=2)

    assert not (tmp_path / "backups").exists()


def back_up(programs: DumpPrograms, url: DatabaseUrl, folder: Path, *, jobs: int = 1) -> Backup:
    options = BackupOptions(programs=programs, jobs=jobs)
    with Database.open(url) as database:
        return create_backup(database, FolderStore(folder), options, Quiet())
