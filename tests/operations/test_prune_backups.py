"""Pruning a folder of backups: what goes is the configured database's, and no more than that."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chatdb.backups.folder_store import FolderStore
from chatdb.backups.inventory import find_all
from chatdb.backups.last_backup import last_backup, staleness
from chatdb.backups.manifest import (
    Verification,
    Verifications,
    encode,
    encode_verifications,
)
from chatdb.backups.names import backup_name
from chatdb.backups.retention import RetentionPolicy
from chatdb.errors import StorageError, UsageError
from chatdb.operations.backups.prune import PruneReport, carry_out, plan_prune
from tests.backups.making import manifest

NOW = datetime(2026, 11, 25, 2, 30, tzinfo=UTC)
LAST = RetentionPolicy(last=1)

Make = Callable[..., str]


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    (tmp_path / "backups").mkdir()
    return FolderStore(tmp_path / "backups")


@pytest.fixture
def make(store: FolderStore) -> Make:
    """Put a small backup into the store, so many days old."""

    def put(days: float, *, passed: bool | None = None, **changes: Any) -> str:
        at = NOW - timedelta(days=days)
        fields = {"database": "relay", "part": "full", **changes}
        name = backup_name(fields["database"], at, part=fields["part"])
        made = manifest(name, created_at=at, **fields)
        for file in made.files:
            store.write(file.name, b"x" * file.bytes)
        store.write(f"{name}.manifest.json", encode(made))
        if passed is not None:
            look = Verification(
                at=at, way="files", passed=passed, seconds=1, problems=() if passed else ("cut",)
            )
            store.write(
                f"{name}.verified.json",
                encode_verifications(Verifications(verifications=(look,))),
            )
        return name

    return put


def plan(store: FolderStore, policy: RetentionPolicy = LAST, **options: Any) -> PruneReport:
    return plan_prune(store, "relay", "postgresql", policy, now=NOW, **options)


def actions(report: PruneReport) -> dict[str, str]:
    return {backup.name: backup.action for backup in report.backups}


def names(store: FolderStore) -> set[str]:
    return {backup.name for backup in find_all(store)}


def test_what_no_rule_keeps_goes_with_all_its_files(store: FolderStore, make: Make) -> None:
    new, old = make(0), make(1, passed=True)
    older = make(2, passed=True)
    report = plan(store)
    assert actions(report) == {new: "keep", old: "keep", older: "remove"}
    assert names(store) == {new, old, older}
    done = carry_out(store, report)

    assert names(store) == {new, old}
    assert (done.removed_bytes, done.dry_run) == (report.removed_bytes, False)
    assert done.removed_bytes > 100
    assert not [file.name for file in store.files() if file.name.startswith(older)]
    assert plan(store).of("remove") == []


def test_other_databases_and_other_tools_files_are_left_alone(
    store: FolderStore, make: Make
) -> None:
    ours = [make(0), make(5)]
    make(6, database="relay_staging")
    make(7, database="chatdb", database_kind="sqlite")
    (store.folder / "relay_20231220_143022.sql").write_bytes(b"--")
    (store.folder / "notes.txt").write_bytes(b"keep")

    report = plan(store)

    assert set(actions(report)) == set(ours)
    assert report.others == 3


@pytest.mark.parametrize(
    "other",
    [
        {"part": "schema-only"},
        {"part": "data-only"},
        {"part": "organization", "organization": "acme"},
        {"schema": "chat"},
        {"environment": "staging"},
    ],
    ids=lambda other: "-".join(other.values()),
)
def test_a_part_is_a_series_of_its_own(
    store: FolderStore, make: Make, other: dict[str, str]
) -> None:
    whole, old = make(3), make(4)
    part = make(0, **other)

    assert actions(plan(store)) == {part: "keep", whole: "keep", old: "remove"}


def test_broken_ones_are_named_and_left_unless_asked_for(store: FolderStore, make: Make) -> None:
    failed, whole, cut, broken_off, damaged = make(1, passed=False), *(make(n) for n in range(2, 6))
    store.delete(f"{cut}.dump.zst")
    store.delete(f"{broken_off}.manifest.json")
    store.write(f"{damaged}.manifest.json", b"{}")
    young = make(0.5)
    store.delete(f"{young}.manifest.json")

    left = {each.name: each.reasons[0] for each in plan(store).of("leave")}
    assert set(left) == {failed, cut, broken_off, damaged, young}
    assert left[failed] == "its last verification failed: cut"
    assert "is missing" in left[cut]
    assert "interrupted" in left[broken_off]

    report = plan(store, remove_broken=True)
    assert {each.name for each in report.of("remove")} == {failed, cut, broken_off, damaged}
    assert [each.name for each in report.of("leave")] == [young]
    carry_out(store, report)
    assert names(store) == {whole, young}


def test_broken_ones_stay_while_there_is_nothing_better(store: FolderStore, make: Make) -> None:
    make(3, passed=False)

    assert plan(store, remove_broken=True).of("remove") == []


def test_a_policy_that_keeps_nothing_is_refused(store: FolderStore) -> None:
    with pytest.raises(UsageError, match="at least one of"):
        plan(store, RetentionPolicy())


class Refusing(FolderStore):
    """A store that does not let go of one backup."""

    kept = ""

    def delete(self, name: str) -> None:
        if self.kept and name.startswith(self.kept):
            raise StorageError(f"{name} is locked by a rule of the bucket")
        super().delete(name)


def test_one_that_cannot_be_removed_does_not_stop_the_others(
    store: FolderStore, make: Make
) -> None:
    make(0)
    stuck, old = make(1), make(2)
    refusing = Refusing(store.folder)
    refusing.kept = stuck

    done = carry_out(refusing, plan(refusing))

    assert [(each.name, each.problem) for each in done.failed] == [
        (stuck, f"{stuck}.manifest.json is locked by a rule of the bucket")
    ]
    assert old not in names(store)
    assert stuck in names(store)


def test_the_last_backup_is_the_newest_that_can_be_restored(store: FolderStore, make: Make) -> None:
    make(0, passed=False)
    make(0.1, part="schema-only")
    make(0.2, database="other")
    newest = make(1)
    verified = make(3, passed=True)

    last = last_backup(store, "relay", "postgresql")

    assert last.made_at == NOW - timedelta(days=1)
    assert last.file == f"{store.folder}/{newest}.dump.zst"
    assert (last.verified_at, last.verified_file) == (
        NOW - timedelta(days=3),
        f"{store.folder}/{verified}.dump.zst",
    )
    assert last.bytes is not None


@pytest.mark.parametrize(
    ("max_age", "max_verified_age", "says"),
    [
        (30, None, []),
        (30, 80, []),
        (20, None, ["the last backup is 24 hours old, more than 20 hours"]),
        (30, 50, ["a backup was last verified 3 days ago, more than 50 hours"]),
    ],
)
def test_what_is_too_old_is_told(
    store: FolderStore, make: Make, max_age: int, max_verified_age: int | None, says: list[str]
) -> None:
    make(1)
    make(3, passed=True)

    last = last_backup(store, "relay", "postgresql")

    assert says == list(
        staleness(
            last,
            now=NOW,
            max_age=timedelta(hours=max_age),
            max_verified_age=None
            if max_verified_age is None
            else timedelta(hours=max_verified_age),
        )
    )


def test_no_backup_at_all_is_told(store: FolderStore) -> None:
    last = last_backup(store, "relay", "postgresql")

    problems = staleness(
        last, now=NOW, max_age=timedelta(hours=1), max_verified_age=timedelta(hours=1)
    )

    assert (last.file, last.made_at, last.verified_at) == (None, None, None)
    assert problems == (
        f"there is no backup of relay in {store.folder}",
        "no backup of relay was ever verified",
    )
