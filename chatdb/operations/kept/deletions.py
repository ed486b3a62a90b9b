"""What the log of a database tells of the files that its deletions kept, by the bare driver."""

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chatdb.db.connect import connect_postgresql, connect_sqlite
from chatdb.db.migrating.revision import translated
from chatdb.db.url import DatabaseUrl
from chatdb.errors import ChatdbError

_TABLE = "chatdb_log"
_ROWS = (
    "SELECT kind, subject, finished_at, details FROM {table}"
    " WHERE kind IN ('deletion', 'restore') AND outcome = 'succeeded' ORDER BY started_at"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedDeletion:
    """A deletion that saved a file: its organization, and how much was deleted."""

    path: Path
    kept_at: datetime
    organization: str
    conversations: int
    messages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionLog:
    """The deletions that saved a file, oldest first.

    `was_restored`: the log came with a backup, and the one before may have named more. `problem`
    tells why the log could not be read, None where it could; a database without tables has none.
    """

    deletions: tuple[LoggedDeletion, ...] = ()
    was_restored: bool = False
    problem: str | None = None


def read_deletion_log(url: DatabaseUrl, *, schema: str | None = None) -> DeletionLog:
    """Read the log; works with any revision."""
    try:
        with translated(url):
            rows = _rows_of_file(url) if url.path is not None else _rows_of_server(url, schema)
    except ChatdbError as error:
        return DeletionLog(problem=error.text)
    return DeletionLog(
        deletions=tuple(
            LoggedDeletion(
                path=Path(details["kept"]),
                kept_at=finished_at,
                organization=subject,
                conversations=_amount(details.get("conversations", 1)),
                messages=_amount(details.get("messages")),
            )
            for kind, subject, finished_at, details in rows
            if kind == "deletion"
            and isinstance(details, dict)
            and isinstance(details.get("kept"), str)
        ),
        was_restored=any(kind == "restore" for kind, *_ in rows),
    )


def _rows_of_file(url: DatabaseUrl) -> Sequence[tuple[str, str, datetime, Any]]:
    if not url.sqlite_path.exists():
        return ()
    with closing(connect_sqlite(url)) as file:
        there = "SELECT name FROM sqlite_master WHERE type = 'table' AND name = ?"
        if file.execute(there, (_TABLE,)).fetchone() is None:
            return ()
        rows = file.execute(_ROWS.format(table=_TABLE)).fetchall()
    return [
        (kind, subject, _time(finished_at), json.loads(details))
        for kind, subject, finished_at, details in rows
    ]


def _rows_of_server(
    url: DatabaseUrl, schema: str | None
) -> Sequence[tuple[str, str, datetime, Any]]:
    from psycopg import errors, sql

    table = sql.Identifier(*([schema] if schema else []), _TABLE)
    with connect_postgresql(url, autocommit=True) as connection:
        try:
            return connection.execute(sql.SQL(_ROWS).format(table=table)).fetchall()
        except (errors.UndefinedTable, errors.UndefinedColumn, errors.InvalidSchemaName):
            return ()


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _amount(value: Any) -> int:
    """Return a count stored as a number, or as the list of what was counted."""
    return value if isinstance(value, int) else len(value) if isinstance(value, list) else 0
