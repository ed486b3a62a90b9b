"""`chatdb formats`: list what can be read and written."""

from dataclasses import dataclass
from typing import Any

import typer

from chatdb.cli.context import CommandContext
from chatdb.cli.lazy_group import command_app
from chatdb.cli.options import DataCommand

app = command_app()


@dataclass(frozen=True, slots=True)
class KnownFormat:
    """One row: `name` is the value for --from and --to, `kind` is file or database."""

    name: str
    kind: str
    title: str
    reads: bool
    writes: bool
    extensions: tuple[str, ...] = ()


@app.command(cls=DataCommand)
def formats(context: typer.Context) -> None:
    """List the formats and databases that can be read and written.

    Files and databases are recognised by their contents; --from and --to take these names. A dump
    of such a database by pg_dump is read like the database.

    \b
    Example:
      chatdb formats --format json
    """
    from chatdb.formats.registry import FORMATS
    from chatdb.layouts.recognising import systems

    rows = [
        KnownFormat(known.name, "file", known.title, known.reads, known.writes, known.extensions)
        for known in FORMATS
    ]
    rows += [
        KnownFormat(known.name, "database", known.title, reads=True, writes=known.writes)
        for known in systems()
    ]
    CommandContext.of(context).output.rows(
        rows, KnownFormat, table=_cells, shortened=("extensions", "title")
    )


def _cells(known: KnownFormat) -> dict[str, Any]:
    is_file = known.kind == "file"
    return {
        "name": known.name,
        "title": known.title,
        "reads": known.reads,
        "writes": known.writes,
        "extensions": known.extensions if is_file else "a database",
    }
