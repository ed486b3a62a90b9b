"""Removes the backups of one database that no rule keeps."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from chatdb.backups.inventory import Backup, find_all
from chatdb.backups.manifest import Manifest
from chatdb.backups.names import MANIFEST, Part, safe_database
from chatdb.backups.retention import (
    Action,
    BackupState,
    RetentionDecision,
    RetentionPolicy,
    plan_retention,
)
from chatdb.backups.store import Store
from chatdb.errors import ChatdbError, UsageError
from chatdb.primitives.filled import filled

_SETTLED_AFTER = timedelta(days=1)
"""A younger backup without a manifest may still be in progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunedBackup:
    """One backup, what is done with it, and why; `problem`: why it could not be removed."""

    name: str
    file: str
    database: str
    part: Part | None
    organization: str | None
    made_at: datetime
    bytes: int
    verified_at: datetime | None
    action: Action
    reasons: tuple[str, ...]
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneReport:
    """All backups of the database `database`; `others` counts the backups that are ignored."""

    place: str
    database: str
    backups: tuple[PrunedBackup, ...]
    others: int
    dry_run: bool

    def of(self, action: Action) -> list[PrunedBackup]:
        """Return those with which this is done."""
        return [backup for backup in self.backups if backup.action == action]

    @property
    def removed_bytes(self) -> int:
        """The size of what is or was removed."""
        return sum(backup.bytes for backup in self.of("remove") if backup.problem is None)

    @property
    def failed(self) -> list[PrunedBackup]:
        """The backups that could not be removed."""
        return [backup for backup in self.backups if backup.problem is not None]


def plan_prune(
    store: Store,
    database: str,
    database_kind: str,
    policy: RetentionPolicy,
    *,
    remove_broken: bool = False,
    now: datetime | None = None,
) -> PruneReport:
    """Plan the removal of one database's backups, by its name and kind; changes nothing.

    Full backups, schemas, rows alone and each organization are separate series, and so is each
    environment label. Other databases' backups and other tools' files are ignored. `remove_broken`
    also removes those that cannot be restored, are older than a day, and have a usable one beside
    them. Raises UsageError for a policy without any rule.
    """
    if policy.keeps_nothing:
        raise UsageError(
            "give at least one of --keep-last, --keep-daily, --keep-weekly and --keep-monthly",
            hint="for example: --keep-daily 7 --keep-weekly 4 --keep-monthly 12",
        )
    everything = find_all(store)
    ours = [each for each in everything if _is_of(each, database, database_kind)]
    by_name = {backup.name: backup for backup in ours}
    decisions = plan_retention((_state(backup) for backup in ours), policy)
    if remove_broken and any(decision.backup.unusable is None for decision in decisions):
        settled = (now or datetime.now(UTC)) - _SETTLED_AFTER
        decisions = [_without_broken(decision, settled) for decision in decisions]
    return PruneReport(
        place=store.address,
        database=database,
        backups=tuple(_pruned(by_name[each.backup.name], each) for each in decisions),
        others=len(everything) - len(ours),
        dry_run=True,
    )


def carry_out(store: Store, report: PruneReport) -> PruneReport:
    """Remove what the plan says; one that cannot be removed does not stop the others.

    The manifest is removed first: without it the rest is no longer a backup.
    """
    there = {backup.name: backup for backup in find_all(store)}
    done: list[PrunedBackup] = []
    for backup in report.backups:
        if backup.action == "remove":
            try:
                _remove(store, there.get(backup.name))
            except ChatdbError as error:
                backup = replace(backup, problem=error.text)
        done.append(backup)
    return replace(report, backups=tuple(done), dry_run=False)


def _remove(store: Store, backup: Backup | None) -> None:
    if backup is None:
        return
    names = [file.name for file in backup.files]
    for name in sorted(names, key=lambda name: not name.endswith(MANIFEST)):
        store.delete(name)


def _is_of(backup: Backup, database: str, database_kind: str) -> bool:
    if backup.state == "foreign":
        return False
    if backup.manifest is None:
        return backup.database == safe_database(database)
    manifest = backup.manifest
    return (manifest.database, manifest.database_kind) == (database, database_kind)


def _state(backup: Backup) -> BackupState:
    manifest = backup.manifest
    return BackupState(
        name=backup.name,
        series="" if manifest is None else _series(manifest),
        created_at=backup.made_at if manifest is None else manifest.created_at,
        verified=backup.verifications.last(passed=True) is not None,
        unusable=_unusable(backup),
    )


def _series(manifest: Manifest) -> str:
    parts = (
        *(manifest.database_kind, manifest.database, manifest.schema, manifest.environment),
        *(manifest.part, manifest.organization),
    )
    return "\0".join(part or "" for part in parts)


def _unusable(backup: Backup) -> str | None:
    if backup.state != "complete":
        return backup.problem or "it is not intact"
    last = backup.verifications.last()
    if last is not None and not last.passed:
        return f"its last verification failed: {'; '.join(last.problems)}"
    return None


def _without_broken(decision: RetentionDecision, settled: datetime) -> RetentionDecision:
    backup = decision.backup
    if decision.action != "leave" or backup.created_at > settled:
        return decision
    return RetentionDecision(backup, "remove", decision.reasons)


def _pruned(backup: Backup, decision: RetentionDecision) -> PrunedBackup:
    manifest = backup.manifest
    passed = backup.verifications.last(passed=True)
    return filled(
        PrunedBackup,
        decision,
        backup,
        manifest,
        database=backup.database if manifest is None else manifest.database,
        made_at=decision.backup.created_at,
        verified_at=None if passed is None else passed.at,
        problem=None,
    )
