"""The doctor's checks of the schema: its revision, differences, unfinished jobs."""

import shlex
from collections.abc import Iterator
from datetime import UTC, datetime

import sqlalchemy as sa

from chatdb.db.database import Database
from chatdb.db.label import PRODUCTION, look_at_label
from chatdb.db.migrating.revision import look, mismatch
from chatdb.db.schema import leases
from chatdb.operations.copying.public import standing_copy
from chatdb.operations.doctor.findings import Check, Finding, error, info, ok, warning
from chatdb.operations.schema.public import SEARCH_KIND, check

_SHOWN = 3
LIMITS = {"lock_timeout": "500ms", "statement_timeout": "5s"}
"""Of every transaction: a check must not wait in a queue that others then wait behind."""


def _state(database: Database) -> Iterator[Finding]:
    seen = look(database.url, schema=database.schema)
    if seen.state == "current":
        yield ok(f"the schema is at the newest revision ({seen.revision})")
        return
    found = mismatch(seen, database.url)
    make = info if seen.state == "empty" and not seen.elsewhere else error
    yield make(found.text, found.hint)


def is_current(database: Database) -> bool:
    """Tell whether the schema is at the newest revision: otherwise nothing more is checked."""
    return look(database.url, schema=database.schema).state == "current"


def _differences(database: Database) -> Iterator[Finding]:
    if not is_current(database):
        return
    report = check(database, settings=LIMITS)
    scripts = [item for item in report.differences if item.kind == "script"]
    others = [item for item in report.differences if item.kind not in ("script", SEARCH_KIND)]
    if others:
        names = [f"{item.kind} {item.name} {item.problem}" for item in others]
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        yield error(
            "the schema differs from the one the migrations create: "
            f"{', '.join(names[:_SHOWN])}{more}",
            "chatdb schema check",
        )
    else:
        yield ok("the schema is the one the migrations create")
    if scripts:
        names = [item.name for item in scripts]
        yield warning(
            f"scripts were changed after they were applied: {', '.join(names)}",
            "chatdb schema history; install the chatdb that applied them, or a newer one",
            of="schema-scripts",
        )
    else:
        yield ok("the scripts are those that were applied", of="schema-scripts")


def _leases(database: Database) -> Iterator[Finding]:
    if not is_current(database):
        return
    with database.transaction(settings=LIMITS) as connection:
        held = connection.execute(sa.select(leases).order_by(leases.c.name)).fetchall()
    now = datetime.now(UTC)
    for row in held:
        if row.expires_at > now:
            yield info(f"{row.owner} is running {row.name}, until {row.expires_at:%H:%M}Z")
        else:
            yield warning(
                f"{row.owner} did not finish {row.name}, started before "
                f"{row.expires_at:%Y-%m-%d %H:%M}Z",
                "run that command again",
            )
    if not held:
        yield ok("no long job is running, and none was left unfinished")


def _copy(database: Database) -> Iterator[Finding]:
    if not is_current(database):
        return
    with database.transaction(settings=LIMITS) as connection:
        progress = standing_copy(connection)
    if progress is None:
        yield ok("no copy into this database was left unfinished")
    else:
        yield warning(
            f"a copy of {progress.source} into this database is running, or did not finish",
            "run the same chatdb copy again",
        )


def _environment(database: Database) -> Iterator[Finding]:
    if not is_current(database):
        return
    label = look_at_label(database.url, schema=database.schema)
    if label.environment is None:
        yield info(
            "the database is not labelled development, staging or production",
            "chatdb environment set development",
        )
    elif label.environment == PRODUCTION:
        yield info(
            "the database is labelled production: destructive commands require --confirm "
            f"{shlex.quote(label.name)}"
        )
    else:
        yield ok(f"the database is labelled {label.environment}")


SCHEMA_CHECKS: tuple[Check[Database], ...] = (
    Check("schema-state", _state),
    Check("schema-differences", _differences),
    Check("leases", _leases),
    Check("copy", _copy),
    Check("environment", _environment),
)
"""The checks of the schema, in this order."""
