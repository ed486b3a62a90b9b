"""Saying which columns that another program added are not in what chatdb writes."""

from typing import TYPE_CHECKING

from chatdb.cli.context import CommandContext

if TYPE_CHECKING:
    from chatdb.db.database import Database


def warn_of_added_columns(command: CommandContext, database: "Database", where: str) -> bool:
    """Warn of each column that is not chatdb's, and so not in what was made; tell whether any is.

    `where` says what it is not in: "the backup".
    """
    from chatdb.store.added_columns import added_columns

    found = added_columns(database)
    for each in found:
        command.diagnostics.warning(f"{each.place} is not chatdb's, and not in {where}")
    return bool(found)
