"""`chatdb formats`: what can be read and written."""

from dataclasses import dataclass

import typer

from chatdb.cli.context import CommandContext
from chatdb.cli.lazy_group import command_app
from chatdb.cli.options import Format, FormatOption

app = command_app()


@dataclass(frozen=True, slots=True)
class KnownFormat:
    """One row: `name` is the word for --from and --to."""

    name: str
    title: str
    reads: bool
    writes: bool
    extensions: tuple[str, ...]


@app.command()
def formats(context: typer.Context, output_format: FormatOption = Format.TABLE) -> None:
    """List the formats that can be read and written.

    A file's format is found by what is in it; --from and --to take the names listed here.

    \b
    Example:
      chatdb formats --format json
    """
    from chatdb.formats.registry import FORMATS

    rows = [
        KnownFormat(known.name, known.title, known.reads, known.writes, known.extensions)
        for known in FORMATS
    ]
    CommandContext.of(context).output.rows(rows, KnownFormat, output_format)
