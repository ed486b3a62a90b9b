"""Shared by the ways to restore: options, plans, results."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from chatdb.backups.inventory import Backup
from chatdb.backups.left_out import LeftOut
from chatdb.db.url import DatabaseUrl
from chatdb.primitives.watch import Watch
from chatdb.servers.dump_programs import DumpPrograms


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreOptions:
    """How to restore: `schema` is that of chatdb's tables, `jobs` None means automatic.

    `force` ends sessions, and gives up tables that the backup lacks; `trust` runs a script that
    could run programs; `owner` False leaves out owners and privileges; `migrate` brings an older
    schema to the newest revision; `search_index` False leaves out an archive's full-text index.
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
    """What a restore would do; `replaces` says whether a database exists that it replaces.

    `in_place`: its tables are replaced in one transaction, not the whole database.

    `revision` is that of the backup's schema, `migrates_to` the one it is migrated to. Counts are
    None if the backup does not contain them. `remarks` are to be read before confirming.
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
    """What was restored; `kept` names the replaced database, `saved` the backup of it.

    `seconds` is the time for loading the data and swapping, `analyze_seconds` for the planner's
    statistics, `check_seconds` for comparing the checksums, and then all contents. `rows` counts
    the rows of every table, `left_out` are objects outside chatdb's tables that could not be
    created, `bound` says what became of objects bound to the database itself.
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
    """One backup, its target, the options, and the receiver of progress."""

    backup: Backup
    url: DatabaseUrl
    options: RestoreOptions
    watch: Watch

    @property
    def schema(self) -> str | None:
        """The schema of chatdb's tables in the backup."""
        manifest = self.backup.manifest
        told = None if manifest is None else manifest.schema
        return told or self.options.schema


class Filling(Protocol):
    """The code that loads a backup into an empty database."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """Remarks to show before confirming."""

    @property
    def left_out(self) -> Sequence[LeftOut]:
        """Objects outside chatdb's tables that could not be created so far."""

    def fill(self, new: DatabaseUrl) -> None:
        """Load everything; raises what prevents it."""

    def finish(self, new: DatabaseUrl) -> None:
        """Prepare it for use."""

    def carry_over(self, new: DatabaseUrl) -> None:
        """Give it the owners and privileges of the database it replaces."""

    def check(self, new: DatabaseUrl, *, thorough: bool) -> list[str]:
        """Return the problems the database itself finds."""

    def count(self, new: DatabaseUrl) -> dict[str, int]:
        """Return the rows of every table, for a backup by another tool."""
