"""`chatdb formats`: list what can be read and written."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from chatdb.cli.context import CommandContext
from chatdb.cli.lazy_group import command_app
from chatdb.cli.options import DataCommand

if TYPE_CHECKING:
    from chatdb.formats.registry import Format
    from chatdb.formats.source_groups import Group
    from chatdb.layouts.tables import System

app = command_app()


@dataclass(frozen=True, slots=True)
class KnownFormat:
    """One row: `name` is the value for --from and --to, `kind` is file or database.

    `group` is own, wide, small or output; `verified` are the versions whose own data was read.
    """

    name: str
    kind: str
    title: str
    reads: bool
    writes: bool
    group: "Group"
    extensions: tuple[str, ...] = ()
    verified: tuple[str, ...] = ()


@app.command(cls=DataCommand)
def formats(context: typer.Context) -> None:
    """List the formats and databases that can be read and written.

    Files and databases are recognised by their contents; --from and --to take these names. A dump
    of such a database by pg_dump is read like the database. Groups: own is chatdb's, wide is what
    many people have, small are single applications, output is only written.

    \b
    Example:
      chatdb formats --format json
    """
    from chatdb.formats.registry import FORMATS
    from chatdb.formats.source_groups import ORDER
    from chatdb.layouts.recognising import systems

    rows = [_row(known, "file", known.reads, known.extensions) for known in FORMATS]
    rows += [_row(known, "database", reads=True) for known in systems()]
    rows.sort(key=lambda known: ORDER.index(known.group))
    CommandContext.of(context).output.rows(
        rows, KnownFormat, table=_cells, shortened=("verified", "extensions", "title")
    )


def _row(
    known: "Format | System", kind: str, reads: bool, extensions: tuple[str, ...] = ()
) -> KnownFormat:
    return KnownFormat(
        *(known.name, kind, known.title, reads, known.writes, known.group, extensions),
        known.verified,
    )


def _cells(known: KnownFormat) -> dict[str, Any]:
    is_file = known.kind == "file"
    return {
        "group": known.group,
        "name": known.name,
        "title": known.title,
        "reads": known.reads,
        "writes": known.writes,
        "extensions": known.extensions if is_file else "a database",
        "verified": known.verified,
    }
