"""The error classes: what a user can act on, with the exit code and the next command to type.

Anything that is not a `ChatdbError` is a bug and keeps its traceback.
"""

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """The exit codes; docs/exit-codes.md has the same table."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    SCHEMA = 4
    NOT_FOUND = 5
    REFUSED = 6
    PARTIAL = 7
    INTERRUPTED = 130


class ChatdbError(Exception):
    """Base class, never raised itself: `text` says what happened, `hint` what to type next.

    `code` is the stable word of the JSON form of the error.
    """

    code: ClassVar[str] = "failed"
    exit_code: ClassVar[ExitCode] = ExitCode.FAILED

    def __init__(self, text: str, *, hint: str | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.hint = hint


class UsageError(ChatdbError):
    """An invalid option or argument."""

    code = "usage"
    exit_code = ExitCode.USAGE


class ConfigurationError(ChatdbError):
    """An invalid setting (URL, schema name, `.env`)."""

    code = "configuration"
    exit_code = ExitCode.USAGE


class InvalidInputError(ChatdbError):
    """A file that cannot be read in the expected format; the text names the place."""

    code = "invalid_input"


class StorageError(ChatdbError):
    """A full disk, a read-only location, a missing permission on a file."""

    code = "storage"


class UnreadableFileError(StorageError):
    """A file that is there but cannot be read; `reason` is the system's word for why."""

    def __init__(self, text: str, *, reason: str, hint: str | None = None) -> None:
        super().__init__(text, hint=hint)
        self.reason = reason


class DatabaseUnreachableError(ChatdbError):
    """No connection to the database, or it was lost."""

    code = "database_unreachable"
    exit_code = ExitCode.UNREACHABLE


class DatabaseMissingError(DatabaseUnreachableError):
    """There is no such database: no SQLite file, or none of that name on a server.

    `place` is its URL without the password.
    """

    code = "not_found"
    exit_code = ExitCode.NOT_FOUND

    def __init__(self, text: str, *, place: str, hint: str | None = None) -> None:
        super().__init__(text, hint=hint)
        self.place = place


class DatabaseLockedError(ChatdbError):
    """Another session held a lock for longer than allowed; the text names the holder."""

    code = "database_locked"


class DatabaseFailedError(ChatdbError):
    """The database refused a statement, and retrying would not help."""

    code = "database_failed"


class MigrationFailedError(ChatdbError):
    """A revision failed and was rolled back completely."""

    code = "migration_failed"


class SchemaMismatchError(ChatdbError):
    """The schema is not one this chatdb works with; `state` is a word of `schema status`.

    `state` is one of `empty`, `behind`, `ahead`, `unknown_revision`, `not_chatdb`.
    """

    code = "schema_mismatch"
    exit_code = ExitCode.SCHEMA

    def __init__(self, text: str, *, state: str, hint: str | None = None) -> None:
        super().__init__(text, hint=hint)
        self.state = state


class NotFoundError(ChatdbError):
    """The conversation, organization, revision or file named does not exist."""

    code = "not_found"
    exit_code = ExitCode.NOT_FOUND


class RefusedError(ChatdbError):
    """A dangerous action was not confirmed, or is not allowed."""

    code = "refused"
    exit_code = ExitCode.REFUSED


class ProgramMissingError(ChatdbError):
    """Another program (psql, sqlite3) is not installed; the hint names packages."""

    code = "program_missing"


class EngineUnavailableError(ChatdbError):
    """A way to run a development server that does not work here.

    `reason` is one of `not_installed`, `not_running`, `no_permission`, `failed`.
    """

    code = "engine_unavailable"

    def __init__(self, text: str, *, reason: str, hint: str | None = None) -> None:
        super().__init__(text, hint=hint)
        self.reason = reason


class ServerFailedError(ChatdbError):
    """A development server that does not start, or stopped; the text has the end of its log."""

    code = "server_failed"


class LoginRefusedError(ServerFailedError):
    """A development server is running, but its data was created with another user or password."""


class PortTakenError(ChatdbError):
    """Another program listens on the port of a development server; the text names it if it can."""

    code = "port_taken"


class TypesettingFailedError(ChatdbError):
    """A document that cannot be made into pages; the text has the compiler's own words."""

    code = "typesetting_failed"


class EmbeddingsFailedError(ChatdbError):
    """An API made no embeddings; the text says why, without the key."""

    code = "embeddings_failed"
