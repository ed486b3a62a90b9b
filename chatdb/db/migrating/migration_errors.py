"""Errors of a migration that cannot continue: foreign tables, or a failed revision."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from chatdb.db.database import Database
from chatdb.db.migrating.foreign_tables import Origin
from chatdb.db.migrating.scripts import Script
from chatdb.errors import (
    DatabaseFailedError,
    DatabaseLockedError,
    DatabaseUnreachableError,
    MigrationFailedError,
    RefusedError,
)

# A view or policy of a revision may be long; its start tells which one it is.
_SHOWN_STATEMENT = 300
_RIGHTS = "run it as the owner of the tables: --database-url, or --direct-url"
_DEPENDENTS = (
    (r"view (.+) depends on ", "DROP VIEW {0}"),
    (r"materialized view (.+) depends on ", "DROP MATERIALIZED VIEW {0}"),
    (r"function (.+) depends on ", "DROP FUNCTION {0}"),
    (r"constraint (.+) on table (.+) depends on ", "ALTER TABLE {1} DROP CONSTRAINT {0}"),
    (r"policy (.+) on table (.+) depends on ", "DROP POLICY {0} ON {1}"),
    (r"trigger (.+) on table (.+) depends on ", "DROP TRIGGER {0} ON {1}"),
)
"""The server's words for an object in the way, and what to type; in English only."""
_NOT_THE_SCRIPT = ("SQLITE_BUSY", "SQLITE_BUSY_SNAPSHOT", "SQLITE_INTERRUPT")


def refusal(database: Database, foreign: tuple[str, ...], origin: Origin | None) -> RefusedError:
    """Return the error for tables with chatdb's table names that belong to another program."""
    whose = f"this looks like {origin.name}" if origin else "their origin is unknown"
    if database.dialect.migration_ways().has_schemas:
        way = "give chatdb a separate schema: chatdb migrate --schema chatdb"
    else:
        way = "give chatdb a separate file: chatdb migrate --database-url sqlite:///data/chatdb.db"
    if origin is None or origin.is_read:
        way += "; then import the chats with chatdb import"
    return RefusedError(
        f"{database.url.redacted()} has tables with chatdb's table names that are not chatdb's "
        f"({', '.join(foreign)}): {whose}; nothing was changed",
        hint=way,
    )


@contextmanager
def failing_as(script: Script) -> Iterator[None]:
    """Add the revision, the statement and the database's words to whatever a script raises."""
    try:
        yield
    except (DatabaseLockedError, DatabaseUnreachableError):
        raise
    except sa.exc.DBAPIError as error:
        state = str(getattr(error.orig, "sqlstate", None) or "")
        name = str(getattr(error.orig, "sqlite_errorname", ""))
        # Of two sessions that block each other one has to lose: it may simply try again.
        if state == "40P01":
            raise DatabaseLockedError("another session and this one blocked each other") from error
        # Lock timeouts, lost connections and interruptions: the script
        # is not to blame, a retry may do.
        if state.startswith(("55P03", "08", "57P")) or name in _NOT_THE_SCRIPT:
            raise
        # An application's view on a chatdb table: CASCADE would drop it without a word.
        if state == "2BP01":
            raise _in_use(script, error.orig) from error
        if state == "42501":
            raise _failure(script, _words(error.orig), error.statement, hint=_RIGHTS) from error
        raise _failure(script, _words(error.orig), error.statement) from error
    except DatabaseFailedError as error:
        raise _failure(script, error.text, None, hint=error.hint) from error
    except Exception as error:
        raise _failure(script, f"{type(error).__name__}: {error}", None) from error


def _words(error: BaseException | None) -> str:
    """Return the database's own words."""
    return str(getattr(getattr(error, "diag", None), "message_primary", None) or error)


def _in_use(script: Script, error: BaseException | None) -> MigrationFailedError:
    """Name the application's objects that depend on what a revision drops, and how to drop them."""
    lines = str(getattr(getattr(error, "diag", None), "message_detail", None) or "").splitlines()
    drops = [drop for drop in map(_drop, lines) if drop is not None]
    way = "drop them, run it again, and create them again afterwards"
    return _failure(
        script,
        f"other objects depend on what it drops: {'; '.join(lines) or _words(error)}",
        None,
        hint=f"{way}: {'; '.join(drops)}" if drops else way,
    )


def _drop(line: str) -> str | None:
    """Return the statement that drops the object in a line of the server's message."""
    for pattern, statement in _DEPENDENTS:
        match = re.match(pattern, line)
        if match is not None:
            return statement.format(*match.groups())
    return None


def _failure(
    script: Script, reason: str, statement: str | None, *, hint: str | None = None
) -> MigrationFailedError:
    text = f"revision {script.revision} failed and was rolled back: {' '.join(reason.split())}"
    if statement:
        shown = " ".join(statement.split())
        cut = shown[:_SHOWN_STATEMENT] + ("..." if len(shown) > _SHOWN_STATEMENT else "")
        text += f"; statement: {cut}"
    return MigrationFailedError(text, hint=hint or "fix the cause and run chatdb migrate again")
