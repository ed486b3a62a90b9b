"""What `chatdb export` and `chatdb convert` share: options of formats, and stdout for them."""

from typing import Annotated, Any

from chatdb.cli import completion
from chatdb.cli.context import CommandContext
from chatdb.cli.options import option
from chatdb.errors import UsageError

ToOption = Annotated[
    str | None,
    option(
        "--to FORMAT",
        "Format: jsonl (lossless), json, csv, markdown, html, pdf ...; see chatdb formats.",
        autocompletion=completion.formats_written,
    ),
]
AllBranchesOption = Annotated[
    bool, option("--all-branches", "Write every branch, not only the active one.")
]
IncludeHiddenOption = Annotated[
    bool, option("--include-hidden", "Also write messages that the source hid.")
]
RawCsvOption = Annotated[
    bool, option("--raw-csv", "Leave CSV cells that look like formulas unchanged.")
]
FontDirOption = Annotated[
    list[str] | None,
    option("--font-dir DIR", "Folder with more fonts for --to pdf; repeatable."),
]
ForceOption = Annotated[bool, option("--force", "Overwrite existing files.")]


def font_folders(format_name: str, folders: list[str] | None) -> tuple[str, ...]:
    """Return the folders with fonts; raises UsageError for a format without pages."""
    if folders and format_name != "pdf":
        raise UsageError(
            f"--font-dir is only for PDF, not for {format_name}", hint="leave it out, or: --to pdf"
        )
    return tuple(folders or ())


def stdout_for(command: CommandContext, format_name: str) -> Any:
    """Return stdout for bytes; on a terminal the text is made safe.

    Raises UsageError for a format that is no text on a terminal.
    """
    return command.output.binary(is_json=is_json_text(command, format_name))


def is_json_text(command: CommandContext, format_name: str) -> bool:
    """Tell whether stdout gets JSON; raises UsageError for what is no text on a terminal."""
    from chatdb.formats.registry import written_format

    known = written_format(format_name)
    if known.content == "binary" and command.output.is_terminal:
        raise UsageError(
            f"{format_name} is no text for a terminal",
            hint=f"give a file: --output NAME{known.extensions[0]}",
        )
    return known.content == "json"
