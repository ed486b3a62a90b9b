"""The `.env` of the current directory: its values, and the line that each stands in."""

from collections.abc import Mapping
from pathlib import Path

from chatdb.errors import ConfigurationError

EnvFile = tuple[Mapping[str, str], Mapping[str, int], tuple[str, ...]]
"""Values by name, lines by name, and remarks for the user."""


def read(path: Path) -> EnvFile:
    """Read the file, if there is one; raises ConfigurationError for one that cannot be read."""
    # A virtual environment may be called .env too; password stores provide one as a pipe.
    if not (path.is_file() or path.is_fifo()):
        return {}, {}, ()
    try:
        # Windows editors begin a file with a byte order mark, which
        # would be part of the first name.
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{path.name} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}",
            hint="fix the file or its permissions, or run chatdb in another directory",
        ) from error
    return _parsed(text)


def _parsed(text: str) -> EnvFile:
    from io import StringIO

    from dotenv import dotenv_values
    from dotenv.parser import parse_stream

    lines: dict[str, int] = {}
    kept: list[str] = []
    notes: list[str] = []
    for binding in parse_stream(StringIO(text)):
        # The parser counts a blank line before a statement as part of it.
        blank = len(binding.original.string) - len(binding.original.string.lstrip("\r\n"))
        line = binding.original.line + binding.original.string[:blank].count("\n")
        # python-dotenv itself would log a warning to stderr for such a line.
        if binding.error:
            notes.append(f".env line {line} cannot be read and is ignored")
            continue
        kept.append(binding.original.string)
        if binding.key is not None:
            lines[binding.key] = line
    values = dotenv_values(stream=StringIO("".join(kept)))
    found = {name: value for name, value in values.items() if value is not None}
    return found, lines, tuple(notes)
