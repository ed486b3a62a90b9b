"""Which backups to keep: the newest few, and the newest of each of the last days, weeks, months.

The rules of restic and borg (grandfather, father, son): a period without a backup is not counted,
so that a database that is no longer backed up loses nothing. Periods are in UTC, weeks start on
Monday. Only plans: other code removes.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Literal

Action = Literal["keep", "remove", "leave"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionPolicy:
    """How many to keep by each rule; a backup is kept if one rule keeps it."""

    last: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0

    @property
    def keeps_nothing(self) -> bool:
        """Whether no rule was given."""
        return not (self.last or self.daily or self.weekly or self.monthly)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupState:
    """What the planner needs to know about a backup.

    `series` is its database and kind: rules apply to each series separately. `verified`: it was
    restored or read through, and was intact. `unusable` says why it cannot be restored; None if it
    is complete as far as is known.
    """

    name: str
    series: str
    created_at: datetime
    verified: bool = False
    unusable: str | None = None


@dataclass(frozen=True, slots=True)
class RetentionDecision:
    """What is done with a backup, and why.

    `leave`: it is broken, does not count towards the rules, and is kept for inspection.
    """

    backup: BackupState
    action: Action
    reasons: tuple[str, ...]


def plan_retention(
    backups: Iterable[BackupState], policy: RetentionPolicy
) -> list[RetentionDecision]:
    """Decide on every backup, newest first within each series.

    Under any policy, the newest usable and the newest verified backup of each series are kept.
    """
    ordered = sorted(
        backups, key=lambda backup: (backup.series, backup.created_at, backup.name), reverse=True
    )
    return [
        decision
        for _, series in groupby(ordered, key=lambda backup: backup.series)
        for decision in _plan_series(list(series), policy)
    ]


def _plan_series(
    backups: Sequence[BackupState], policy: RetentionPolicy
) -> Iterable[RetentionDecision]:
    usable = [backup for backup in backups if backup.unusable is None]
    reasons: dict[str, list[str]] = {backup.name: [] for backup in usable}
    for backup in usable[: policy.last]:
        reasons[backup.name].append("last")
    for rule, count, period in _periods(policy):
        for backup in _newest_of_each(usable, period)[:count]:
            reasons[backup.name].append(rule)
    # No policy, however strict, may leave a database without a backup.
    if usable and not reasons[usable[0].name]:
        reasons[usable[0].name].append("the newest")
    newest_verified = next((backup for backup in usable if backup.verified), None)
    if newest_verified is not None and not reasons[newest_verified.name]:
        reasons[newest_verified.name].append("the newest verified one")
    for backup in backups:
        if backup.unusable is not None:
            yield RetentionDecision(backup, "leave", (backup.unusable,))
        elif reasons[backup.name]:
            yield RetentionDecision(backup, "keep", tuple(reasons[backup.name]))
        else:
            yield RetentionDecision(backup, "remove", ("no rule keeps it",))


def _periods(
    policy: RetentionPolicy,
) -> tuple[tuple[str, int, Callable[[datetime], object]], ...]:
    return (
        ("daily", policy.daily, lambda time: (time.year, time.month, time.day)),
        ("weekly", policy.weekly, lambda time: time.isocalendar()[:2]),
        ("monthly", policy.monthly, lambda time: (time.year, time.month)),
    )


def _newest_of_each(
    newest_first: Sequence[BackupState], period: Callable[[datetime], object]
) -> list[BackupState]:
    """Return the first of each run of the same period."""
    return [
        next(group) for _, group in groupby(newest_first, key=lambda each: period(each.created_at))
    ]
