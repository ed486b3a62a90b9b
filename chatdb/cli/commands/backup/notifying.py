"""Posts the outcome of a command to a URL, including failure or interruption."""

import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer

from chatdb import __version__
from chatdb.cli.context import CommandContext
from chatdb.errors import ChatdbError, ExitCode

if TYPE_CHECKING:
    from chatdb.operations.backups.notify import Event, Failure, NotifyUrl, Result


@dataclass
class Details:
    """A few figures of the job, for the notify URL; a command fills in what it knows."""

    figures: dict[str, object] = field(default_factory=dict)


@contextmanager
def notifying(command: CommandContext, event: "Event", url: str | None) -> Iterator[Details]:
    """Post the outcome of the block to the URL that was typed, else to CHATDB_NOTIFY_URL.

    The server's answer never changes the command's result: a failed post is a warning. Raises
    UsageError, before the block, for an invalid URL.
    """
    details = Details()
    setting = command.config.backup.notify_url
    text = url if url is not None else (None if setting is None else setting.value)
    if text is None:
        yield details
        return
    from chatdb.operations.backups.notify import parse_notify_url

    report = _Report(command, event, parse_notify_url(text), details)
    try:
        yield details
    except typer.Exit as ending:
        report.post(ending.exit_code)
        raise
    except ChatdbError as error:
        report.post(error.exit_code, error)
        raise
    except KeyboardInterrupt:
        report.post(ExitCode.INTERRUPTED)
        raise
    except Exception as error:
        report.post(ExitCode.FAILED, error)
        raise
    report.post(ExitCode.OK)


class _Report:
    """One outcome to be posted."""

    def __init__(
        self, command: CommandContext, event: "Event", url: "NotifyUrl", details: Details
    ) -> None:
        self._command = command
        self._event = event
        self._url = url
        self._details = details
        self._started_at = datetime.now(UTC)
        self._started = time.monotonic()

    def post(self, exit_code: int, error: Exception | None = None) -> None:
        from chatdb.operations.backups.notify import JobOutcome, post_outcome

        outcome = JobOutcome(
            event=self._event,
            outcome=_result(exit_code),
            exit_code=int(exit_code),
            database=_database(self._command),
            host=platform.node(),
            chatdb_version=__version__,
            started_at=self._started_at,
            seconds=round(time.monotonic() - self._started, 3),
            details=self._details.figures,
            error=None if error is None else _failure(error),
        )
        problem = post_outcome(self._url, outcome)
        if problem is not None:
            self._command.diagnostics.warning(problem)


def _database(command: CommandContext) -> str | None:
    """Return the redacted URL, unless the URL itself is invalid."""
    try:
        return command.url.redacted()
    except ChatdbError:
        return None


def _result(exit_code: int) -> "Result":
    if exit_code == ExitCode.INTERRUPTED:
        return "interrupted"
    return "succeeded" if exit_code == ExitCode.OK else "failed"


def _failure(error: Any) -> "Failure":
    from chatdb.operations.backups.notify import Failure

    if isinstance(error, ChatdbError):
        return Failure(code=error.code, text=error.text, hint=error.hint)
    # The text of a bug or system error may contain anything, so only its kind is posted.
    return Failure(code="failed", text=type(error).__name__)
