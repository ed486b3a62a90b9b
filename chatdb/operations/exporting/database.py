"""From chatdb's database into another system's: an SQL file, or its live database."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl, parse_url
from chatdb.errors import UsageError
from chatdb.formats.base import Tally, WriteOptions
from chatdb.formats.files.outputs import open_output
from chatdb.formats.files.writing import check_file
from chatdb.layouts import registry
from chatdb.layouts.fitting import Fitting
from chatdb.layouts.targets import (
    CONVERSATIONS_AT_ONCE,
    RowsWritten,
    SqlFile,
    Target,
    open_target,
)
from chatdb.layouts.writing import LayoutWriter, Writing, WrittenRow, lose_times
from chatdb.operations.exporting.exports import read_conversations
from chatdb.operations.exporting.files import ExportOptions
from chatdb.operations.organizations.public import organizations
from chatdb.records import Conversation
from chatdb.store.every_organization import EVERY
from chatdb.store.lines import OnRead

_SQL_NAMES = (".sql", ".sql.gz", ".sql.zst")


@dataclass(slots=True, kw_only=True)
class DatabaseWritten:
    """What was written: rows by table, and what the layout cannot store."""

    conversations: int = 0
    messages: int = 0
    rows: dict[str, RowsWritten] = field(default_factory=dict)
    lossy: dict[str, int] = field(default_factory=dict)


def check_output(output: str, name: str) -> None:
    """Raise UsageError unless the output is a database's URL or the name of an SQL file."""
    is_sqlite = parse_url(output).path is not None if "://" in output else _is_sqlite_name(output)
    if is_sqlite and not registry.writer(name).on_sqlite:
        raise UsageError(
            f"{name} uses PostgreSQL, but {output} is a SQLite database",
            hint=f"--output {name}.sql, or --output postgresql://user@host/database",
        )
    if (
        "://" not in output
        and not output.lower().endswith(_SQL_NAMES)
        and not _is_sqlite_name(output)
    ):
        raise UsageError(
            f"--to {name} writes a database or an SQL file, but {output} is neither",
            hint=f"--output {name}.sql, or --output postgresql://user@host/database",
        )


def one_organization(options: ExportOptions) -> str:
    """Return the key of the organization; raises UsageError for all organizations."""
    if options.organization_key is EVERY:
        raise UsageError(
            f"--to {options.format_name} writes one organization, not all of them into one place",
            hint="choose one: --org KEY; to list them: chatdb organizations list",
        )
    return options.organization_key


def export_to(
    database: Database, output: str, options: ExportOptions, *, force: bool, on_read: OnRead
) -> DatabaseWritten:
    """Write to the output that `check_output` accepted."""
    if "://" in output or _is_sqlite_name(output):
        return export_database(database, parse_url(output), options, force=force, on_read=on_read)
    return export_sql_file(database, Path(output), options, force=force, on_read=on_read)


def export_sql_file(
    database: Database, path: Path, options: ExportOptions, *, force: bool, on_read: OnRead
) -> DatabaseWritten:
    """Write an SQL file that creates the layout's missing tables and fills them.

    Raises RefusedError for an existing file, unless `force`, and StorageError.
    """
    check_file(path, force=force)
    layout = registry.layout(options.format_name)
    with open_output(path) as stream:
        target = SqlFile(stream, layout.system.title, force=False)
        return _export(database, target, options, on_read)


def export_database(
    database: Database, url: DatabaseUrl, options: ExportOptions, *, force: bool, on_read: OnRead
) -> DatabaseWritten:
    """Write into a live database of the layout, or an empty one, in one transaction.

    Existing rows with the same id are unchanged, unless `force`. On PostgreSQL it may be chatdb's
    own database, in a different schema. Raises RefusedError for a database with other tables, and
    the errors of `chatdb.errors`.
    """
    if url == database.url and url.path is not None:
        raise UsageError(
            "this is chatdb's own database", hint="give another with --output, or a file"
        )
    with open_target(url, registry.layout(options.format_name), force=force) as target:
        return _export(database, target, options, on_read)


def _export(
    database: Database, target: Target, options: ExportOptions, on_read: OnRead
) -> DatabaseWritten:
    key = one_organization(options)
    with database.transaction() as connection:
        organization = organizations.require(connection, key)
    write_options = WriteOptions(
        all_branches=options.all_branches, include_hidden=options.include_hidden
    )
    tally = Tally()
    writing = Writing(write_options, organization, tally)
    writer = registry.writer(options.format_name)(writing, target)
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
        options.wanted,
        organization_key=key,
        ids_within=options.ids_within,
        on_read=count,
    )
    with closing(records):
        for batch in _batches(records):
            target.write(writer, fitting.rows(_rows(writer, batch, writing)))
    target.end(writer.after)
    written.rows = target.written
    written.lossy = dict(tally.lossy.most_common())
    return written


def _batches(records: Iterator[Conversation]) -> Iterator[list[Conversation]]:
    while batch := list(islice(records, CONVERSATIONS_AT_ONCE)):
        yield batch


def _rows(
    writer: LayoutWriter, batch: Iterable[Conversation], writing: Writing
) -> Iterator[WrittenRow]:
    for record in batch:
        lose_times(record, writing, writer.times)
        yield from writer.rows(record)


def _is_sqlite_name(output: str) -> bool:
    return output.lower().endswith((".db", ".sqlite", ".sqlite3"))
