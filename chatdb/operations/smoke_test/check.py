"""A check of the smoke test: a name, what it needs, and a function that looks."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from chatdb.db.database import Database
from chatdb.operations.smoke_test.traces import Traces
from chatdb.records import Message


class SmokeOutcome(StrEnum):
    """The outcome of a check; `skipped`: there is nothing here that it could check."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    NOT_RUN = "not_run"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One check: its reason says what was seen, or why it failed or was not run."""

    name: str
    outcome: SmokeOutcome
    seconds: float
    reason: str


@dataclass(slots=True, kw_only=True)
class SmokePlace:
    """Where the checks look, and what earlier ones created."""

    database: Database
    traces: Traces
    now: datetime
    conversation_id: UUID | None = None
    sent: list[Message] = field(default_factory=list)
    """The expected messages, in order."""
    word: str = ""
    """A word that occurs nowhere else."""
    updated_at: datetime | None = None

    @property
    def conversation(self) -> UUID:
        """The id of the conversation; a check that needs one names the check that creates it."""
        if self.conversation_id is None:
            raise CheckFailedError("there is no conversation")
        return self.conversation_id


class CheckFailedError(Exception):
    """Raised by a check that did not find what it should; the text is the reason."""


class CheckSkippedError(Exception):
    """Raised by a check that has nothing to check here; the text is the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmokeCheck:
    """A check: `run` returns what it saw or raises; it is not run unless `needs` have passed."""

    name: str
    run: Callable[[SmokePlace], str]
    needs: tuple[str, ...] = ()


def expect(condition: object, reason: str) -> None:
    """Fail the check, for this reason, unless the condition holds."""
    if not condition:
        raise CheckFailedError(reason)


def expect_equal(found: Any, expected: Any, what: str) -> None:
    """Fail the check unless both are equal; the reason shows both, shortened."""
    if found != expected:
        raise CheckFailedError(f"{what}: expected {_short(expected)}, found {_short(found)}")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 120 else text[:117] + "..."
