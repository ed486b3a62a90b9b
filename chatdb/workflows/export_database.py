"""From chatdb's database into another system's: a file of SQL, or its live database."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl, parse_url
from chatdb.errors import UsageError
from chatdb.formats.base import Tally, WriteOptions
from chatdb.formats.outputs import open_output
from chatdb.formats.writing import check_file
from chatdb.layouts import registry
from chatdb.layouts.fitting import Fitting
from chatdb.layouts.targets import (
    CONVERSATIONS_AT_ONCE,
    RowsWritten,
    SqlFile,
    Target,
    open_target,
)
from chatdb.layouts.writing import LayoutWriter, Writing, WrittenRow
from chatdb.operations import organizations
from chatdb.operations.exports import read_conversations
from chatdb.records import Conversation
from chatdb.store.every_organization import EVERY
from chatdb.store.lines import OnRead
from chatdb.workflows.export_files import ExportRequest

_SQL_NAMES = (".sql", ".sql.gz", ".sql.zst")


@dataclass(slots=True, kw_only=True)
class DatabaseWritten:
    """What was written: rows by table, and what the layout had no place for."""

    conversations: int = 0
    messages: int = 0
    rows: dict[str, RowsWritten] = field(default_factory=dict)
    lossy: dict[str, int] = field(default_factory=dict)


def check_output(output: str, name: str) -> None:
    """Raise UsageError unless the output is a database's URL or the name of a file of SQL."""
    is_sqlite = parse_url(output).path is not None if "://" in output else _is_sqlite_name(output)
    if is_sqlite and not registry.writer(name).on_sqlite:
        raise UsageError(
            f"{name} has its database on PostgreSQL, and {output} is SQLite's",
            hint=f"--output {name}.sql, or --output postgresql://user@host/database",
        )
    if (
        "://" not in output
        and not output.lower().endswith(_SQL_NAMES)
        and not _is_sqlite_name(output)
    ):
        raise UsageError(
            f"--to {name} writes a database or a file of SQL, and {output} is neither",
            hint=f"--output {name}.sql, or --output postgresql://user@host/database",
        )


def one_organization(request: ExportRequest) -> str:
    """Return the key of the organization; raises UsageError for every one of them."""
    if request.organization_key is EVERY:
        raise UsageError(
            f"--to {request.format_name} writes one organization, not all of them into one place",
            hint="name one: --org KEY; chatdb organizations list has them all",
        )
    return request.organization_key


def export_to(
    database: Database, output: str, request: ExportRequest, *, force: bool, on_read: OnRead
) -> DatabaseWritten:
    """Write to what `check_output` has passed."""
    if "://" in output or _is_sqlite_name(output):
        return export_database(database, parse_url(output), request, force=force, on_read=on_read)
    return export_sql_file(database, Path(output), request, force=force, on_read=on_read)


def export_sql_file(
    database: Database, path: Path, request: ExportRequest, *, force: bool, on_read: OnRead
) -> DatabaseWritten:
    """Write a file of SQL that makes the layout's tables where they are missing, and fills them.

    Raises RefusedError for a file that exists, unless `force`, and StorageError.
    """
    check_file(path, force=force)
    layout = registry.layout(request.format_name)
    with open_output(path) as stream:
        target = SqlFile(stream, layout.title, force=False)
        return _export(database, target, request, on_read)


def export_database(
    database: Database, url: DatabaseUrl, request: ExportRequest, *, force: bool, on_read: OnRead
) -> DatabaseWritten:
    """Write into a live database of the layout, or an empty one, in one transaction.

    Rows whose id is there stay as they are, unless `force`. On PostgreSQL it may be the database
    that chatdb shares, in a schema of its own. Raises RefusedError for a database with
    other tables, and the errors of `chatdb.errors`.
    """
    if url == database.url and url.path is not None:
        raise UsageError(
            "this is chatdb's own database", hint="name another with --output, or a file"
        )
    with open_target(url, registry.layout(request.format_name), force=force) as target:
        return _export(database, target, request, on_read)


def _export(
    database: Database, target: Target, request: ExportRequest, on_read: OnRead
) -> DatabaseWritten:
    key = one_organization(request)
    with database.transaction() as connection:
        organization = organizations.require(connection, key)
    options = WriteOptions(all_branches=request.all_branches, include_hidden=request.include_hidden)
    tally = Tally()
    writing = Writing(options, organization, tally)
    writer = registry.writer(request.format_name)(writing, target)
    written = DatabaseWritten()

    def count(conversations: int, messages: int) -> None:
        written.conversations += conversations
        written.messages += messages
        on_read(conversations, messages)

    fitting = Fitting(target.catalogue, writing)
    target.begin(writer.tables)
    target.write(writer, fitting.rows(writer.begin()))
    records = read_conversations(
        database,
        request.wanted,
        organization_key=key,
        ids_within=request.ids_within,
        on_read=count,
    )
    with closing(records):
        for batch in _batches(records):
            target.write(writer, fitting.rows(_rows(writer, batch)))
    target.end(writer.after)
    written.rows = target.written
    written.lossy = dict(tally.lossy.most_common())
    return written


def _batches(records: Iterator[Conversation]) -> Iterator[list[Conversation]]:
    while batch := list(islice(records, CONVERSATIONS_AT_ONCE)):
        yield batch


def _rows(writer: LayoutWriter, batch: Iterable[Conversation]) -> Iterator[WrittenRow]:
    for record in batch:
        yield from writer.rows(record)


def _is_sqlite_name(output: str) -> bool:
    return output.lower().endswith((".db", ".sqlite", ".sqlite3"))
