"""What the ways to restore share: what is wanted, what is planned, what was done."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from chatdb.backups.catalogue import Backup
from chatdb.backups.left_out import LeftOut
from chatdb.db.url import DatabaseUrl
from chatdb.primitives.watch import Watch
from chatdb.servers.dump_programs import DumpPrograms


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreWish:
    """How to restore: `schema` is that of chatdb's tables, `jobs` None is for us to choose.

    `force` ends sessions, and gives up tables that the backup does not have; `trust` runs a
    script that could run programs; `owner` False leaves owners and rights out; `migrate` brings
    an older schema to head; `search_index` False leaves an archive's full-text index out.
    """

    programs: DumpPrograms
    schema: str | None = None
    jobs: int | None = None
    force: bool = False
    trust: bool = False
    owner: bool = True
    migrate: bool = True
    search_index: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorePlan:
    """What a restore would do; `replaces` tells whether there is a database that it replaces.

    `in_place`: its tables are replaced in one transaction, not the whole of it.

    `revision` is that of the backup's schema, `migrates_to` where it is brought then. Counts are
    None where the backup does not tell. `remarks` are what to know before.
    """

    backup: str
    made_at: datetime
    database: str
    replaces: bool
    in_place: bool = False
    revision: str | None
    migrates_to: str | None
    conversations: int | None
    messages: int | None
    remarks: tuple[str, ...] = ()
    dry_run: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What was restored; `kept` names the database that was there, `saved` the backup of it.

    `seconds` is what putting the data in and swapping took, `analyze_seconds` the planner's
    statistics, `check_seconds` comparing the checksums, and then everything that is in it.
    `rows` counts the rows of every table, `left_out` are objects of others than chatdb that could
    not be made, `bound` tells what became of what was bound to the database itself.
    """

    backup: str
    database: str
    kept: str | None
    saved: str | None = None
    revision: str | None
    conversations: int | None
    messages: int | None
    rows: dict[str, int]
    left_out: tuple[LeftOut, ...] = ()
    bound: tuple[str, ...] = ()
    seconds: float
    analyze_seconds: float
    check_seconds: float
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """One backup, the place it goes to, how, and who is told."""

    backup: Backup
    url: DatabaseUrl
    wish: RestoreWish
    watch: Watch

    @property
    def schema(self) -> str | None:
        """The schema of chatdb's tables in the backup."""
        manifest = self.backup.manifest
        told = None if manifest is None else manifest.schema
        return told or self.wish.schema


class Filling(Protocol):
    """What puts a backup into an empty database."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """What to know before."""

    @property
    def left_out(self) -> Sequence[LeftOut]:
        """What of others than chatdb could not be made, as far as it has come."""

    def fill(self, new: DatabaseUrl) -> None:
        """Put everything in; raises what is in the way."""

    def finish(self, new: DatabaseUrl) -> None:
        """Do what makes it ready for use."""

    def carry_over(self, new: DatabaseUrl) -> None:
        """Give it the owners and rights of the database whose place it takes."""

    def check(self, new: DatabaseUrl, *, thorough: bool) -> list[str]:
        """Return what the database itself finds wrong with it now."""

    def count(self, new: DatabaseUrl) -> dict[str, int]:
        """Return the rows of every table, of a backup that is not chatdb's own."""
