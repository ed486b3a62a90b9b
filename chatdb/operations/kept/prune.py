"""Removes what is kept of a database, by its age or number."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from chatdb.db.opening import open_replacement
from chatdb.db.sqlite.replacement import NEW
from chatdb.db.url import DatabaseUrl
from chatdb.errors import ChatdbError
from chatdb.operations.kept.entries import KeptEntry, named
from chatdb.operations.kept.items import MadeBy
from chatdb.primitives.atomic_write import PARTIAL, remove_abandoned, sync_folder

Action = Literal["remove", "keep", "leave"]

YOUNG = timedelta(days=7)
"""Younger items that may be the only way back are kept, unless requested otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunedItem:
    """A kept item, what is done with it and why; `problem`: why it could not be removed.

    `keep` is by a rule, `leave` is what no rule may remove: young items, and another database's.
    """

    name: str
    made_by: MadeBy
    kept_at: datetime
    bytes: int
    action: Action
    reason: str
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRules:
    """What may be removed: items older than `older_than`, all but the newest `keep_last`, `names`.

    `force` takes the young ones too, `others` the files that the database's log does not name;
    `log_problem`: why none of them is known.
    """

    older_than: timedelta | None = None
    keep_last: int | None = None
    names: Collection[str] = ()
    force: bool = False
    others: bool = False
    log_problem: str | None = None


def plan_prune(
    entries: Sequence[KeptEntry], rules: KeptRules, *, now: datetime
) -> list[PrunedItem]:
    """Return what would be removed; changes nothing.

    Remains of killed runs are removed whatever the rules. Raises NotFoundError for an unknown name.
    """
    names = {named(entries, name).name for name in rules.names}
    rules = replace(rules, names=names)
    ranks = _ranks(entries)
    return [_decided(entry, rules, rank=ranks[entry.name], now=now) for entry in entries]


def _ranks(items: Sequence[KeptEntry]) -> dict[str, int]:
    """Return the position of each among its kind, the newest being 0."""
    ranks: dict[str, int] = {}
    counts: dict[MadeBy, int] = {}
    for item in sorted(items, key=lambda item: (item.kept_at, item.name), reverse=True):
        ranks[item.name] = counts.get(item.made_by, 0)
        counts[item.made_by] = ranks[item.name] + 1
    return ranks


def _decided(item: KeptEntry, rules: KeptRules, *, rank: int, now: datetime) -> PrunedItem:
    action, reason = _judged(item, rules, rank=rank, now=now)
    return PrunedItem(
        name=item.name,
        made_by=item.made_by,
        kept_at=item.kept_at,
        bytes=item.bytes,
        action=action,
        reason=reason,
    )


def _judged(item: KeptEntry, rules: KeptRules, *, rank: int, now: datetime) -> tuple[Action, str]:
    age = now - item.kept_at
    if item.made_by == "broken_off":
        return "remove", "left by an interrupted run"
    if (reason := _saved_by(item, rules, rank=rank, age=age)) is not None:
        return "keep", reason
    if item.made_by == "deletion" and not item.is_logged and not (rules.names or rules.others):
        unknown = "not in the log of this database"
        if rules.log_problem is not None:
            unknown = "the log, which records its database, could not be read"
        return "leave", f"{unknown}: --others"
    if age < YOUNG and (rank == 0 or item.made_by == "deletion"):
        only = f"the only way back from a {item.made_by} less than {YOUNG.days} days ago"
        return ("remove", only) if rules.force else ("leave", f"{only}: --force")
    return "remove", "it was named" if rules.names else "no rule keeps it"


def _saved_by(item: KeptEntry, rules: KeptRules, *, rank: int, age: timedelta) -> str | None:
    """Return the rule that keeps it, None if there is none."""
    if rules.names:
        return None if item.name in rules.names else "it was not named"
    if rules.older_than is None and rules.keep_last is None:
        return "no rule was given"
    if rules.older_than is not None and age < rules.older_than:
        return "it is younger"
    if rules.keep_last is not None and rank < rules.keep_last:
        return f"it is one of the newest {rules.keep_last}"
    return None


def carry_out(url: DatabaseUrl, plan: Sequence[PrunedItem]) -> list[PrunedItem]:
    """Remove what the plan says; one that cannot be removed does not stop the others.

    Raises the errors of `chatdb.errors` for a server that cannot be reached.
    """
    databases = [item for item in plan if item.made_by in ("restore", "migration")]
    if not any(item.action == "remove" for item in databases):
        return [_done(item, _remove_file) for item in plan]
    with open_replacement(url, lambda _: None) as place:
        return [
            _done(item, place.drop_kept if item in databases else _remove_file) for item in plan
        ]


def _done(item: PrunedItem, remove: Callable[[str], None]) -> PrunedItem:
    if item.action == "remove":
        try:
            remove(item.name)
        except ChatdbError as error:
            return replace(item, problem=error.text.partition("\n")[0])
        except OSError as error:
            return replace(item, problem=error.strerror or str(error))
    return item


def _remove_file(name: str) -> None:
    """Remove a file of deleted conversations, or a killed run's."""
    path = Path(name)
    if path.name.endswith((PARTIAL, NEW)):
        remove_abandoned(path)
    else:
        path.unlink(missing_ok=True)
    sync_folder(path.parent)
