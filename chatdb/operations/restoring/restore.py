"""Restores a whole backup: into a new database, compared, migrated, then swapped in."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from chatdb.backups.contents import Contents
from chatdb.backups.inventory import Backup
from chatdb.backups.reading import check_files, require_whole
from chatdb.db.bound_objects import require_endable
from chatdb.db.contract.replacement import KEPT, Replacement
from chatdb.db.database import Database
from chatdb.db.encoding import require_utf8_database
from chatdb.db.label import look_at_label
from chatdb.db.migrating.revision import Look, judge, look, mismatch
from chatdb.db.migrating.scripts import head_revision
from chatdb.db.opening import open_replacement
from chatdb.db.postgresql.distribution import refuse_distributed_restore
from chatdb.db.url import DatabaseUrl
from chatdb.errors import ChatdbError, DatabaseFailedError, InvalidInputError, UsageError
from chatdb.operations.restoring.checks import compare, filling_of
from chatdb.operations.restoring.parts import Filling, Restored, RestoreOptions, RestorePlan, Task
from chatdb.operations.restoring.restored_database import settle
from chatdb.primitives.watch import Watch

_SHOWN = 10


@contextmanager
def planned_restore(
    backup: Backup, url: DatabaseUrl, options: RestoreOptions, watch: Watch
) -> Iterator["Restore"]:
    """Check everything that could prevent a restore, and reserve the target for it.

    Nothing is written yet. Raises InvalidInputError for a backup that differs from what was
    written, RefusedError and UsageError for one that cannot be restored there, DatabaseLockedError.
    """
    task = Task(backup, url, options, watch)
    clock = Clock()
    refuse_distributed_restore(url)
    require_utf8_database(url)
    with clock.counting("check"):
        require_restorable(task)
    with open_replacement(url, watch.note) as replacement, filling_of(task) as filling:
        replacement.require_rights()
        yield Restore(task, replacement, filling, clock)


@dataclass(frozen=True, slots=True)
class Restore:
    """A restore that can be run."""

    task: Task
    replacement: Replacement
    filling: Filling
    clock: "Clock"

    def plan(self) -> RestorePlan:
        """Return what will happen."""
        plan = plan_of(self.task, self.filling, replaces=self.replacement.is_there())
        bound = (each.becomes(KEPT) for each in self.replacement.bound())
        return replace(plan, remarks=(*plan.remarks, *bound))

    def require_alone(self) -> None:
        """Raise RefusedError listing who uses the database, or what is bound to it.

        If sessions may be ended, only those that this user cannot end.
        """
        if self.task.options.force:
            require_endable(self.task.url, self.replacement.bound())
        elif self.replacement.is_there():
            self.replacement.require_unbound()
            self.replacement.require_alone()

    def run(self) -> Restored:
        """Restore; whatever is raised, the database is unchanged."""
        watch, clock, began_at = self.task.watch, self.clock, datetime.now(UTC)
        with self.replacement.new() as new:
            with clock.counting("fill"):
                self.filling.fill(new)
            with clock.counting("analyze"):
                self.filling.finish(new)
            with clock.counting("check"):
                watch.begin("comparing", None)
                contents, rows = checked(self.task, self.filling, new)
            with clock.counting("fill"):
                revision = bring_to_head(self.task, new)
                self._settle(new, began_at)
                self.filling.carry_over(new)
                watch.begin("swapping", None)
                bound = self.replacement.bound()
                kept = self.replacement.put(new, force=self.task.options.force)
        return Restored(
            backup=self.task.backup.file,
            database=self.task.url.redacted(),
            kept=None if kept is None else kept.name,
            revision=revision,
            conversations=None if contents is None else contents.conversations,
            messages=None if contents is None else contents.messages,
            rows=rows,
            left_out=tuple(self.filling.left_out),
            bound=() if kept is None else tuple(each.becomes(kept.name) for each in bound),
            seconds=clock.seconds("fill"),
            analyze_seconds=clock.seconds("analyze"),
            check_seconds=clock.seconds("check"),
        )

    def _settle(self, new: DatabaseUrl, began_at: datetime) -> None:
        """Give the new database the target's label; without one, its own is kept."""
        schema = self.task.schema
        if look(new, schema=schema).revision is None:
            return
        label, keeps_label = label_of(self.task, is_there=self.replacement.is_there())
        with Database.open(new, schema=schema) as database:
            settle(
                database,
                subject=self.task.backup.name,
                began_at=began_at,
                label=label,
                keeps_label=keeps_label,
            )


def plan_of(task: Task, filling: Filling, *, replaces: bool, in_place: bool = False) -> RestorePlan:
    """Return what a restore will do."""
    manifest = task.backup.manifest
    contents = None if manifest is None else manifest.contents
    revision = None if manifest is None else manifest.revision
    is_behind = revision is not None and revision != head_revision()
    return RestorePlan(
        backup=task.backup.file,
        made_at=task.backup.made_at,
        database=task.url.redacted(),
        replaces=replaces,
        in_place=in_place,
        revision=revision,
        migrates_to=head_revision() if is_behind and task.options.migrate else None,
        conversations=None if contents is None else contents.conversations,
        messages=None if contents is None else contents.messages,
        remarks=filling.remarks,
    )


def bring_to_head(task: Task, new: DatabaseUrl) -> str | None:
    """Migrate a schema that is behind, if requested; return the revision."""
    seen = look(new, schema=task.schema)
    if not task.options.migrate or seen.state in ("empty", "not_chatdb"):
        return seen.revision
    if seen.state in ("ahead", "unknown_revision"):
        raise mismatch(seen, task.url)
    if seen.state == "behind":
        from chatdb.db.migrating.migrations import upgrade

        task.watch.begin("migrating", None)
        with Database.open(new, schema=task.schema) as database:
            upgrade(database)
    return head_revision()


def require_restorable(task: Task) -> None:
    """Raise what makes a backup impossible to restore there, whatever the target contains.

    InvalidInputError for a file that differs from what was written, UsageError for another kind of
    database, SchemaMismatchError for a schema of a newer chatdb.
    """
    backup = task.backup
    require_whole(backup)
    _require_kind(task)
    if backup.store.local_path(backup.name) is not None:
        task.watch.begin("checking", backup.bytes)
        check_files(backup, on_bytes=task.watch.advance)
    _require_known_revision(task)


class Clock:
    """Adds up the time of each stage."""

    def __init__(self) -> None:
        self._stages: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def counting(self, stage: str) -> Iterator[None]:
        """Time the block as a part of the stage `fill`, `analyze` or `check`."""
        started = time.monotonic()
        try:
            yield
        finally:
            self._stages[stage] += time.monotonic() - started

    def seconds(self, stage: str) -> float:
        """Return the total time of a stage."""
        return round(self._stages[stage], 3)


def checked(
    task: Task, filling: Filling, new: DatabaseUrl
) -> tuple[Contents | None, dict[str, int]]:
    """Return a restored database's contents; raises DatabaseFailedError with the differences."""
    found = compare(task, filling, new)
    if found.problems:
        lines = [f"  {problem}" for problem in found.problems[:_SHOWN]]
        if len(found.problems) > _SHOWN:
            lines.append(f"  and {len(found.problems) - _SHOWN} more")
        raise DatabaseFailedError(
            "\n".join(
                [
                    (
                        f"what was restored from {task.backup.name} does not match what the backup "
                        "says:"
                    ),
                    *lines,
                ]
            ),
            hint="the database is unchanged; try another backup: chatdb backup list",
        )
    contents = found.contents
    return contents, filling.count(new) if contents is None else contents.rows


def _require_kind(task: Task) -> None:
    backup, is_file = task.backup, task.url.path is not None
    if backup.kind == "native":
        raise UsageError(
            f"{backup.name} holds one organization, not a whole database",
            hint=f"import it into the database: chatdb import {backup.file}",
        )
    if backup.kind is None:
        raise InvalidInputError(
            f"{backup.name} is not a backup chatdb recognises", hint="chatdb backup list"
        )
    if (backup.kind == "sqlite") != is_file:
        kind = "a SQLite file" if backup.kind == "sqlite" else "a dump of PostgreSQL"
        other = "sqlite:///restored.db" if backup.kind == "sqlite" else "postgresql://..."
        raise UsageError(
            f"{backup.name} is {kind}, and {task.url.redacted()} is not",
            hint=f"restore it to its own kind (--into {other}), then move it: chatdb copy",
        )
    part = "full" if backup.manifest is None else backup.manifest.part
    if part == "data-only":
        raise UsageError(
            f"{backup.name} contains data only, with no schema to load it into",
            hint="restore a full backup, or use pg_restore --data-only on a migrated database",
        )
    if part == "schema-only":
        raise UsageError(
            f"{backup.name} contains the schema only, and not which revision it is",
            hint="to create an empty database with this chatdb's schema: chatdb migrate",
        )


def _require_known_revision(task: Task) -> None:
    manifest = task.backup.manifest
    if manifest is None or manifest.revision is None or not task.options.migrate:
        return
    seen: Look = judge((manifest.revision,), ())
    if seen.state in ("ahead", "unknown_revision"):
        raise mismatch(seen, task.url)


def label_of(task: Task, *, is_there: bool) -> tuple[str | None, bool]:
    """Return the label of the target, and whether the backup keeps its own: none is known then."""
    if is_there:
        with suppress(ChatdbError):  # It may be damaged.
            return look_at_label(task.url, schema=task.options.schema).environment, False
    return None, True
