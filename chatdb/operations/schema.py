"""What state the schema is in, and whether chatdb can work on it."""

from chatdb.db.database import Database
from chatdb.db.revision import Look, look
from chatdb.db.scripts import head_revision
from chatdb.errors import SchemaMismatchError


def require_current(database: Database) -> None:
    """Return when the schema is at head; costs one query on a connection of its own.

    Raises SchemaMismatchError with its `state` and what to type next, DatabaseUnreachableError.
    """
    seen = look(database.url, schema=database.schema)
    if seen.state != "current":
        raise mismatch(seen, database)


def prepare_new_sqlite(database: Database) -> bool:
    """Migrate a SQLite file that does not exist yet or has no tables; tell whether it was one.

    A file with any table in it is somebody's: it is left alone, and only `chatdb migrate` asked
    by name puts chatdb's tables beside them.
    """
    if database.url.path is None:
        return False
    if database.url.sqlite_path.exists():
        seen = look(database.url)
        if seen.state != "empty" or seen.tables:
            return False
    from chatdb.db.migrations import upgrade

    return bool(upgrade(database))


def mismatch(seen: Look, database: Database) -> SchemaMismatchError:
    """Return the error for a schema that is not at head, with the next command as its hint."""
    place, head = database.url.redacted(), head_revision()
    if seen.state == "behind":
        text = f"the schema of {place} is at revision {seen.revision}, this chatdb needs {head}"
        hint = "look at what will run: chatdb migrate --plan; then run it: chatdb migrate"
    elif seen.state == "ahead":
        text = (
            f"the schema of {place} is at revision {seen.revision}, made by a newer chatdb:"
            f" this one knows {head}"
        )
        hint = "install the chatdb that made it: pip install --upgrade chatdb-cli"
    elif seen.state == "unknown_revision":
        text = f"the schema of {place} is at revision {seen.revision}, which no chatdb made"
        hint = f"check the address: chatdb config show; this chatdb knows up to {head}"
    elif seen.state == "not_chatdb":
        text = f"{place} has tables with chatdb's names that are not chatdb's"
        hint = "chatdb migrate tells whose they are"
    else:
        text = f"{place} has no tables of chatdb yet"
        hint = "make them: chatdb migrate"
    return SchemaMismatchError(text, state=seen.state, hint=hint)
