"""The database that was used last, for whoever asks in a directory that has none."""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from chatdb import config as settings
from chatdb.cli.command_words import with_option
from chatdb.errors import DatabaseMissingError

if TYPE_CHECKING:
    from chatdb.db.url import DatabaseUrl


def remember_database(url: "DatabaseUrl") -> None:
    """Remember a database that was opened, without its password; failing is harmless."""
    from contextlib import suppress

    from chatdb.primitives.remembered import read_small, write_small

    path, text = _file(), _shown(url)
    if path is not None and read_small(path) != text:
        with suppress(OSError, ValueError):
            write_small(path, text)


def no_database(url: "DatabaseUrl", source: str, words: Sequence[str]) -> DatabaseMissingError:
    """Return the error for a file that is not there: it names the last database, and the command.

    `words` are those that were typed, without `chatdb`.
    """
    place = url.redacted()
    return DatabaseMissingError(
        f"there is no database at {place} ({source})",
        place=place,
        hint=last_used(url, words) or "to make one: chatdb import FILE",
    )


def last_used(url: "DatabaseUrl", words: Sequence[str]) -> str | None:
    """Return the hint that names the database used last, unless it is this one or gone."""
    last = _last(url)
    if last is None:
        return None
    # Behind what was typed, for the last one counts.
    again = with_option(words, ("--database-url", "-d"), last)
    return f"the last one used: {shlex.join(['chatdb', *again])}"


def _last(missing: "DatabaseUrl") -> str | None:
    from chatdb.db.url import parse_url
    from chatdb.errors import ConfigurationError
    from chatdb.primitives.remembered import read_small

    path = _file()
    text = None if path is None else read_small(path)
    if not text or text == _shown(missing):
        return None
    try:
        url = parse_url(text)
    except ConfigurationError:
        return None
    return text if url.path is None or url.path.exists() else None


def _shown(url: "DatabaseUrl") -> str:
    if url.path is not None:
        return replace(url, path=url.path.absolute()).redacted()
    # Without a password libpq looks for one in ~/.pgpass; *** would be one.
    secret = ("password", "sslpassword")
    kept = tuple(pair for pair in url.parameters if pair[0] not in secret)
    return replace(url, password="", parameters=kept).redacted()


def _file() -> Path | None:
    folder = settings.state_folder()
    return None if folder is None else folder / "last-database"
