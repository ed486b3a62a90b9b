"""How a migration that cannot go on is told: whose tables are in the way, what failed."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from chatdb.db.database import Database
from chatdb.db.scripts import Script
from chatdb.errors import (
    DatabaseFailedError,
    DatabaseLockedError,
    DatabaseUnreachableError,
    MigrationFailedError,
    RefusedError,
)

_SHOWN_STATEMENT = 300
_NOT_THE_SCRIPT = ("SQLITE_BUSY", "SQLITE_BUSY_SNAPSHOT", "SQLITE_INTERRUPT")


def refusal(database: Database, foreign: tuple[str, ...], system: str | None) -> RefusedError:
    """Return the error for tables of chatdb's names that belong to somebody else."""
    whose = f"they look like those of {system}" if system else "they are of a kind unknown here"
    if database.dialect.migration_ways().has_schemas:
        way = "let chatdb live beside them in a schema of its own: chatdb migrate --schema chatdb"
    else:
        way = (
            "give chatdb a file of its own: chatdb migrate --database-url sqlite:///data/chatdb.db"
        )
    return RefusedError(
        f"{database.url.redacted()} has tables of chatdb's names that are not chatdb's"
        f" ({', '.join(foreign)}): {whose}; nothing was changed",
        hint=f"{way}; then bring the chats over with chatdb import",
    )


@contextmanager
def failing_as(script: Script) -> Iterator[None]:
    """Name the revision, the statement and the database's words in whatever a script raises."""
    try:
        yield
    except (DatabaseLockedError, DatabaseUnreachableError):
        raise
    except sa.exc.DBAPIError as error:
        state = str(getattr(error.orig, "sqlstate", None) or "")
        name = str(getattr(error.orig, "sqlite_errorname", ""))
        if state == "40P01":
            raise DatabaseLockedError("another session and this one blocked each other") from error
        if state.startswith(("55P03", "08", "57P")) or name in _NOT_THE_SCRIPT:
            raise
        diagnosis = getattr(getattr(error.orig, "diag", None), "message_primary", None)
        raise _failure(script, str(diagnosis or error.orig), error.statement) from error
    except DatabaseFailedError as error:
        raise _failure(script, error.text, None, hint=error.hint) from error
    except Exception as error:
        raise _failure(script, f"{type(error).__name__}: {error}", None) from error


def _failure(
    script: Script, reason: str, statement: str | None, *, hint: str | None = None
) -> MigrationFailedError:
    text = f"revision {script.revision} failed and was rolled back: {' '.join(reason.split())}"
    if statement:
        shown = " ".join(statement.split())
        cut = shown[:_SHOWN_STATEMENT] + ("..." if len(shown) > _SHOWN_STATEMENT else "")
        text += f"; statement: {cut}"
    return MigrationFailedError(text, hint=hint or "mend the cause and run chatdb migrate again")
