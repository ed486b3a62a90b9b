"""What the errors of pg_dump, pg_restore and psql mean to the user."""

import re
from collections.abc import Sequence

from chatdb.db.postgresql.unreachable import diagnose, no_connection
from chatdb.db.url import DatabaseUrl
from chatdb.errors import (
    ChatdbError,
    DatabaseFailedError,
    DatabaseUnreachableError,
    InvalidInputError,
    ProgramMissingError,
    StorageError,
)

_PREFIX = re.compile(r"^(?:\S*/)?(?:pg_dump|pg_restore|psql)(?::[^:\s]+:\d+)?: (?:error: )?")
_NOISE = re.compile(r"^(?:pg_restore|pg_dump): (?:warning|hint|detail): |^(?:Command was|LINE \d)")
# pg_dump repeats a failed query in full.
_LARGEST_TEXT = 500


_PATTERNS: tuple[tuple[str, type[ChatdbError], str, str], ...] = (
    (
        r"server version mismatch",
        ProgramMissingError,
        "{program} is older than the server at {place}",
        "install a newer one, or set CHATDB_PG_BINDIR to its folder",
    ),
    (
        r"does not support compression",
        ProgramMissingError,
        "{program} cannot read it: {line}",
        "set CHATDB_PG_BINDIR to the folder of a version that was built with it",
    ),
    (
        r"unsupported version",
        ProgramMissingError,
        "{program} cannot read it: {line}",
        "install a newer one, or set CHATDB_PG_BINDIR to its folder",
    ),
    (
        r"(?:ERROR|FATAL|PANIC): .*(?:No space left on device|disk full)",
        StorageError,
        "{program} stopped: the server's disk is full ({place})",
        "free some space there",
    ),
    (
        r"No space left on device|disk full",
        StorageError,
        "{program} stopped: the disk is full",
        "free some space or choose another place",
    ),
    (
        r"terminating connection|server closed the connection|connection .*lost",
        DatabaseUnreachableError,
        "{program} lost its connection to {place}",
        "run the command again",
    ),
    (
        r"row-level security|row level security|permission denied|must be owner",
        DatabaseFailedError,
        "{program} failed: {line}",
        "connect as the owner of the tables: --database-url, --direct-url",
    ),
)
"""Searched in this order: pattern, error class, text, hint."""


def failure_of(
    program: str, code: int, said: Sequence[str], url: DatabaseUrl | None
) -> ChatdbError:
    """Return the error for a program that ended with this code after printing these lines.

    Without a `url` the program read a file, and an unknown error is blamed on that file.
    """
    refused = next((line for line in said if re.search("connection to server.*failed", line)), None)
    place = url.redacted() if url is not None else "the server"
    if refused is not None and url is not None:
        return no_connection(diagnose(_plain(refused), url), url)
    whole, line = "\n".join(said), _main_line(said, code)
    if url is not None and (known := _told_by_the_server(whole, url)) is not None:
        return known
    for pattern, kind, text, hint in _PATTERNS:
        if re.search(pattern, whole):
            return kind(text.format(program=program, place=place, line=line), hint=hint)
    kind = InvalidInputError if url is None else DatabaseFailedError
    return kind(f"{program} failed: {line}")


def _told_by_the_server(whole: str, url: DatabaseUrl) -> ChatdbError | None:
    """Ask the server if the output suggests other sessions or its settings as the cause."""
    from chatdb.db.postgresql.driver_errors import locked_error, read_only_error

    if re.search("lock timeout|could not obtain lock", whole):
        return locked_error(url)
    return read_only_error(url) if "in a read-only transaction" in whole else None


def _main_line(said: Sequence[str], code: int) -> str:
    """Return the first error printed, else the last line, else how it ended."""
    errors = [line for line in said if "error:" in line.lower() or "FATAL" in line]
    rest = [line for line in said if line.strip() and not _NOISE.match(line)]
    # The first error is the cause; those after it follow from it.
    line = next(iter(errors), rest[-1] if rest else "")
    if not line:
        return f"it was ended by signal {-code}" if code < 0 else f"it ended with {code}"
    return _plain(line)[:_LARGEST_TEXT]


def _plain(line: str) -> str:
    return _PREFIX.sub("", line).strip()
