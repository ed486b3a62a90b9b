"""Compares the live database with the migrations' result, and writes its DDL."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

import chatdb
from chatdb.db.contract.search_index import COMPLETE_HINT
from chatdb.db.database import Database
from chatdb.db.migrating.catalogue import Difference, compare, expected_catalogue
from chatdb.db.migrating.revision import look, mismatch
from chatdb.db.migrating.scripts import VERSION_TABLE, scripts
from chatdb.db.schema import organizations
from chatdb.db.schema import settings as settings_table
from chatdb.db.types import time_text
from chatdb.operations.schema.schema import applied_runs
from chatdb.operations.searching.public import LOOK_SECONDS
from chatdb.store.search_index import search_index_state

SEARCH_INDEX = "messages_search"
SEARCH_KIND = "search index"
"""The kind of difference between a full-text index and its messages."""
_SEARCH_NAMES = ("ix_messages_search", SEARCH_INDEX)


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The differences from the newest revision; `notes` are intended or harmless ones.

    An index that others added is a note unless it is unique: it refuses no row. A script that was
    changed after it was applied is a difference of kind `script`, a full-text index that lacks
    words or messages one of kind `search index`.
    """

    revision: str
    search_index: str
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]


def check(database: Database, *, settings: Mapping[str, str] | None = None) -> CheckReport:
    """Compare tables, columns, constraints, indexes, triggers, views and functions with head.

    Needs only the privilege to read; `settings` are those of its transaction, such as a
    lock_timeout. Raises SchemaMismatchError if the database is not at head.
    """
    seen = look(database.url, schema=database.schema)
    if seen.state != "current" or seen.revision is None:
        raise mismatch(seen, database.url)
    with database.transaction(snapshot=True, settings=settings) as connection:
        ways = database.dialect.migration_ways()
        found, left_out = ways.catalogue(connection), ways.left_out(connection)
        state = search_index_state(connection)
        index = database.dialect.search_index().look(connection, seconds=LOOK_SECONDS)
        scripts_changed = list(_changed_scripts(connection))
    differences = compare(expected_catalogue(database.dialect.name), found)
    differences = [item for item in differences if item.name not in left_out]
    added = [item for item in differences if _is_added_index(item)]
    differences = [item for item in differences if item not in added]
    notes = [f"the index {item.name} on {item.table} is not chatdb's" for item in added]
    if state != "present":
        absent = [item for item in differences if _is_absent_search(item)]
        differences = [item for item in differences if item not in absent]
        notes.append(f"the search index is {state}; to build it: {COMPLETE_HINT}")
    else:
        differences += [
            Difference(SEARCH_KIND, "messages", SEARCH_INDEX, "damaged", "whole", text)
            for text in index.damages
        ]
    return CheckReport(seen.revision, state, (*scripts_changed, *differences), tuple(notes))


def dump(database: Database) -> str:
    """Return the DDL of the live schema, with its revision and default organization.

    Run on an empty database, it creates a schema that `check` accepts.
    """
    seen = look(database.url, schema=database.schema)
    if seen.revision is None:
        raise mismatch(seen, database.url)
    with database.transaction(snapshot=True) as connection:
        statements = [
            *database.dialect.migration_ways().dump(connection),
            f"INSERT INTO {VERSION_TABLE} (version_num) VALUES ({_literal(seen.revision)})",
            *_first_rows(connection),
        ]
    header = (
        f"-- The schema of chatdb at revision {seen.revision}, written by chatdb"
        f" {chatdb.__version__} for {database.dialect.name}.\n"
        "-- Run it on an empty database, in one transaction.\n\n"
    )
    return header + "\n".join(f"{statement};\n" for statement in statements)


def write_dump(database: Database, path: Path) -> None:
    """Write the DDL to a file, atomically. Raises StorageError."""
    from chatdb.formats.files.outputs import open_output

    text = dump(database)
    with open_output(path) as stream:
        stream.write(text.encode())


def _first_rows(connection: sa.Connection) -> Iterator[str]:
    """Yield the rows that the migrations insert, and the state of the search index."""
    for row in connection.execute(sa.select(organizations).where(organizations.c.key == "default")):
        values = ", ".join(map(_literal, map(_text, row)))
        yield f"INSERT INTO organizations ({', '.join(row._fields)}) VALUES ({values})"
    query = sa.select(settings_table).where(settings_table.c.key.startswith("search_index"))
    for row in connection.execute(query.order_by(settings_table.c.key)):
        yield (
            "INSERT INTO chatdb_settings (key, value) VALUES"
            f" ({_literal(row.key)}, {_literal(row.value)})"
        )


def _text(value: object) -> str:
    return time_text(value) if isinstance(value, datetime) else str(value)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _changed_scripts(connection: sa.Connection) -> Iterator[Difference]:
    runs = applied_runs(connection)
    for script in scripts():
        run = runs.get(script.revision)
        if run is not None and run.sha256 != script.sha256:
            yield Difference(
                "script", "", script.revision, "changed", f"sha256 {script.sha256}", run.sha256
            )


def _is_absent_search(difference: Difference) -> bool:
    return difference.problem == "missing" and difference.name.startswith(_SEARCH_NAMES)


def is_of_search_index(difference: Difference) -> bool:
    """Tell whether rebuilding the full-text index fixes the difference."""
    return difference.name.startswith(_SEARCH_NAMES)


def _is_added_index(difference: Difference) -> bool:
    return (
        difference.problem == "unexpected"
        and difference.kind == "index"
        and difference.found.startswith("CREATE INDEX ")
    )


def problems(differences: Sequence[Difference]) -> str:
    """Count the differences in words, for the line after the table."""
    count = len(differences)
    return f"{count} difference{'' if count == 1 else 's'} from the newest revision"
