"""Checks a restored database: does it match the manifest, and is it consistent?"""

from contextlib import AbstractContextManager
from dataclasses import dataclass

from chatdb.backups.contents import Contents, differences
from chatdb.db.database import Database
from chatdb.db.migrating.revision import look
from chatdb.db.url import DatabaseUrl
from chatdb.operations.restoring.parts import Filling, Task
from chatdb.store.contents import measure


@dataclass(frozen=True, slots=True)
class Comparison:
    """Problems in words; `contents` is None if the tables are not chatdb's."""

    problems: tuple[str, ...]
    contents: Contents | None


def filling_of(task: Task) -> AbstractContextManager[Filling]:
    """Return the code that restores a backup of this kind; each is imported when used."""
    if task.url.path is not None:
        from chatdb.operations.restoring.sqlite import planned_sqlite

        return planned_sqlite(task)
    from chatdb.operations.restoring.postgresql import planned_postgresql

    return planned_postgresql(task)


def compare(
    task: Task, filling: Filling, new: DatabaseUrl, *, thorough: bool = False
) -> Comparison:
    """Compare a restored database with the manifest, and have the database check itself.

    `thorough` also compares its search index with the texts.
    """
    problems = filling.check(new, thorough=thorough)
    manifest = task.backup.manifest
    contents = None
    if look(new, schema=task.schema).revision is not None:
        with (
            Database.open(new, schema=task.schema) as database,
            database.transaction(snapshot=True) as connection,
        ):
            contents = measure(database, connection)
    if contents is not None and manifest is not None and manifest.has_rows:
        problems += differences(manifest.contents, contents)
    elif contents is not None and contents.orphans:
        problems.append(f"{contents.orphans} messages belong to no conversation")
    elif contents is None and manifest is not None and manifest.revision is not None:
        problems.append(f"it has no chatdb tables, but the backup has (in {task.schema})")
    return Comparison(tuple(problems), contents)
