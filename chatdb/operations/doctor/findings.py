"""The doctor's findings: a stable id, a severity, and how to fix it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Generic, TypeVar

from chatdb.errors import ChatdbError, DatabaseLockedError

Place = TypeVar("Place")


class Severity(StrEnum):
    """The severity: `warning` needs attention, with an `error` something does not work."""

    OK = "ok"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def rank(self) -> int:
        """The place in the order from ok to error."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding; `fix` is the command that fixes it, None if there is nothing to fix.

    docs/doctor.md explains each id.
    """

    id: str
    severity: Severity
    text: str
    fix: str | None = None


@dataclass(frozen=True, slots=True)
class Check(Generic[Place]):
    """One check of a place; its findings have its id unless they name another."""

    id: str
    run: Callable[[Place], Iterator[Finding]]


def ok(text: str, *, of: str = "") -> Finding:
    """Return a finding that all is well; `of` is its id, if it is not that of the check."""
    return Finding(of, Severity.OK, text)


def info(text: str, fix: str | None = None, *, of: str = "") -> Finding:
    """Return a finding that is worth knowing but no problem."""
    return Finding(of, Severity.INFO, text, fix)


def warning(text: str, fix: str | None = None, *, of: str = "") -> Finding:
    """Return a finding that needs attention."""
    return Finding(of, Severity.WARNING, text, fix)


def error(text: str, fix: str | None = None, *, of: str = "") -> Finding:
    """Return a finding that something does not work."""
    return Finding(of, Severity.ERROR, text, fix)


def examined(checks: "tuple[Check[Place], ...]", place: Place) -> Iterator[Finding]:
    """Run all checks; one that fails itself becomes a finding, and the others continue."""
    for check in checks:
        for finding in _run(check, place):
            yield finding if finding.id else replace(finding, id=check.id)


def _run(check: Check[Place], place: Place) -> Iterator[Finding]:
    try:
        yield from check.run(place)
    except DatabaseLockedError as failure:
        yield warning(f"this could not be checked: {failure.text}", failure.hint)
    except ChatdbError as failure:
        make = info if _is_refused(failure) else error
        yield make(f"this could not be checked: {failure.text}", failure.hint)
    except Exception as failure:  # noqa: BLE001 - whatever it is, it is what was found
        reason = str(failure).strip().partition("\n")[0]
        yield error(
            f"this could not be checked: {type(failure).__name__}: {reason}",
            "to see more of a database's error: chatdb schema status --debug",
        )


def _is_refused(failure: ChatdbError) -> bool:
    """Tell whether the database denies this user access: privileges have a separate check."""
    cause = getattr(failure.__cause__, "orig", None) or failure.__cause__
    return getattr(cause, "sqlstate", None) == "42501"
