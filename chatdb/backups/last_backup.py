"""When a database was last backed up, and when a backup of it was last found intact."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from chatdb.backups.inventory import Backup, find_all
from chatdb.backups.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class LastBackup:
    """The newest usable backup of the whole database; each field is None if there is none.

    `file` is what to type for it; `verified_at` is the last time that any backup of the database
    passed a verification, `verified_file` which one.
    """

    place: str
    database: str
    file: str | None
    made_at: datetime | None
    bytes: int | None
    verified_at: datetime | None
    verified_file: str | None


def last_backup(store: Store, database: str, database_kind: str) -> LastBackup:
    """Look for the backups of a database (its name and kind) in a store.

    Only full backups that are intact as far as is known count. Raises StorageError if the store
    cannot be read.
    """
    found = [
        backup
        for backup in find_all(store)
        if backup.manifest is not None
        # Several databases may share a store; a file name holds only a cleaned name.
        and (backup.manifest.database, backup.manifest.database_kind) == (database, database_kind)
        and backup.manifest.part == "full"
        and _is_usable(backup)
    ]
    newest = found[0] if found else None
    passed = [
        (verification.at, backup.file)
        for backup in found
        if (verification := backup.verifications.last(passed=True)) is not None
    ]
    verified_at, verified_file = max(passed, default=(None, None))
    return LastBackup(
        place=store.address,
        database=database,
        file=None if newest is None else newest.file,
        made_at=None if newest is None or newest.manifest is None else newest.manifest.created_at,
        bytes=None if newest is None else newest.bytes,
        verified_at=verified_at,
        verified_file=verified_file,
    )


def staleness(
    last: LastBackup, *, now: datetime, max_age: timedelta, max_verified_age: timedelta | None
) -> tuple[str, ...]:
    """Return in words what is too old or missing; empty if all is well."""
    problems = []
    if last.made_at is None:
        problems.append(f"there is no backup of {last.database} in {last.place}")
    elif now - last.made_at > max_age:
        age = _days_and_hours(now - last.made_at)
        problems.append(f"the last backup is {age} old, more than {_days_and_hours(max_age)}")
    if max_verified_age is not None:
        if last.verified_at is None:
            problems.append(f"no backup of {last.database} was ever verified")
        elif now - last.verified_at > max_verified_age:
            problems.append(
                f"a backup was last verified {_days_and_hours(now - last.verified_at)} ago, more"
                f" than {_days_and_hours(max_verified_age)}"
            )
    return tuple(problems)


def _is_usable(backup: Backup) -> bool:
    last = backup.verifications.last()
    return backup.state == "complete" and (last is None or last.passed)


def _days_and_hours(age: timedelta) -> str:
    minutes = int(age.total_seconds()) // 60
    if minutes < 120:
        return f"{minutes} minutes"
    hours = minutes // 60
    return f"{hours} hours" if hours < 72 else f"{hours // 24} days"
