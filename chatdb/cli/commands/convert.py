"""`chatdb convert`: convert an export to another format, without a database."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chatdb.cli import completion
from chatdb.cli.context import CommandContext
from chatdb.cli.export_options import (
    AllBranchesOption,
    FontDirOption,
    ForceOption,
    IncludeHiddenOption,
    RawCsvOption,
    ToOption,
    font_folders,
    stdout_for,
)
from chatdb.cli.export_report import report, warn_of_kept
from chatdb.cli.lazy_group import command_app
from chatdb.cli.options import argument, option
from chatdb.cli.text import counted
from chatdb.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from chatdb.cli.progress import Progress
    from chatdb.formats.base import Skipped
    from chatdb.formats.files.writing import Written
    from chatdb.operations.exporting.convert import ConvertOptions

app = command_app()


@app.command()
def convert(
    context: typer.Context,
    paths: Annotated[
        list[str],
        argument("IN... OUT", "Input files or folders, then the output; - is stdin or stdout."),
    ],
    reads: Annotated[
        str | None,
        option(
            "--from FORMAT",
            "Format of IN; detected from its structure if not given.",
            autocompletion=completion.formats_read,
        ),
    ] = None,
    to: ToOption = None,
    source_name: Annotated[
        str | None, option("--source-name NAME", "Name of the installation that IN comes from.")
    ] = None,
    all_branches: AllBranchesOption = False,
    include_hidden: IncludeHiddenOption = False,
    raw_csv: RawCsvOption = False,
    font_dir: FontDirOption = None,
    force: ForceOption = False,
) -> None:
    """Convert an export to another format, without a database.

    The format is taken from OUT's name unless --to is given. A folder (a name that ends in a slash)
    gets one file for each conversation. A name that ends in .gz or .zst is compressed.

    \b
    Examples:
      chatdb convert export.zip export.jsonl
      chatdb convert export.zip notes/ --to markdown
    """
    from chatdb.formats.files.writing import format_of
    from chatdb.operations.exporting.convert import ConvertOptions

    command = CommandContext.of(context)
    *inputs, output = paths
    if not inputs:
        raise UsageError("give an input and an output", hint="chatdb convert IN OUT")
    writes = format_of(output, to)
    if writes is None:
        raise UsageError(
            f"{output} does not say which format to write", hint="give it: --to markdown"
        )
    options = ConvertOptions(
        inputs=inputs,
        writes=writes,
        reads=reads,
        source_name=source_name,
        all_branches=all_branches,
        include_hidden=include_hidden,
        raw_csv=raw_csv,
        font_folders=font_folders(writes, font_dir),
    )
    options.writer()
    _Converting(command, options).to(output, force=force)


class _Converting:
    """One conversion, with its progress and report on stderr."""

    def __init__(self, command: CommandContext, options: "ConvertOptions") -> None:
        self._command = command
        self._request = options
        self._skipped = 0

    def to(self, output: str, *, force: bool) -> None:
        """Write to the given output; exits with 7 if something was skipped."""
        from chatdb.formats.files.writing import STDOUT
        from chatdb.operations.exporting.convert import total_size

        total = total_size(self._request.inputs)
        with self._command.diagnostics.progress("converting", total=total) as progress:
            written = self._write(output, progress, force=force)
        report(self._command, written, None if output == STDOUT else output)
        if self._skipped:
            self._command.diagnostics.warning(f"{counted(self._skipped, 'item')} skipped")
            raise typer.Exit(ExitCode.PARTIAL)

    def _write(self, output: str, progress: "Progress", *, force: bool) -> "Written":
        from chatdb.formats.files.writing import STDOUT, is_folder
        from chatdb.operations.exporting.convert import convert_file, convert_folder, convert_stream

        skip, advance = self._on_skipped, progress.advance
        if output == STDOUT:
            stream = stdout_for(self._command, self._request.writes)
            return convert_stream(self._request, stream, on_skipped=skip, on_bytes=advance)
        if not is_folder(output):
            path = Path(output)
            return convert_file(self._request, path, force=force, on_skipped=skip, on_bytes=advance)
        return convert_folder(
            self._request,
            Path(output),
            force=force,
            on_skipped=skip,
            on_bytes=advance,
            on_kept=lambda name: warn_of_kept(self._command, name),
        )

    def _on_skipped(self, item: "Skipped") -> None:
        self._skipped += 1
        self._command.diagnostics.warning(f"skipped {item.place}: {item.reason}")
