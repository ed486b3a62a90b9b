"""The smoke test: uses a temporary conversation to test that a database works and is isolated.

The checks run in a thread, so that a hanging server or a held lock cannot delay the report. The
test removes what it wrote at its end; a later one removes what a killed one left.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock, Thread
from typing import Literal

import chatdb
from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from chatdb.errors import ChatdbError
from chatdb.operations.smoke_test.check import (
    CheckFailedError,
    CheckResult,
    CheckSkippedError,
    SmokeCheck,
    SmokeOutcome,
    SmokePlace,
    expect,
)
from chatdb.operations.smoke_test.conversation import CONVERSATION_CHECKS
from chatdb.operations.smoke_test.isolation import ISOLATION_CHECKS
from chatdb.operations.smoke_test.record import SmokeRecord
from chatdb.operations.smoke_test.round_trip import ROUND_TRIP_CHECKS
from chatdb.operations.smoke_test.schema import CURRENT, REACHABLE, SCHEMA_CHECKS
from chatdb.operations.smoke_test.traces import keep_record, new_traces, remove, rows_left

CLEAN_UP = "clean-up"
_SHARE_OF_CLEAN_UP = 0.1
_LONGEST_CLEAN_UP = 3.0

Trouble = Literal["unreachable", "schema"]
OnResult = Callable[[CheckResult], object]

CHECKS: tuple[SmokeCheck, ...] = (
    *SCHEMA_CHECKS,
    *CONVERSATION_CHECKS,
    *ISOLATION_CHECKS,
    *ROUND_TRIP_CHECKS,
)
"""All checks before the clean-up, in this order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmokeReport:
    """The results; `trouble` says why no check could work.

    `unkept` is why the outcome could not be saved for `chatdb status`, None if it was.
    """

    results: tuple[CheckResult, ...]
    finished_at: datetime
    seconds: float
    trouble: Trouble | None
    unkept: str | None

    @property
    def failed(self) -> tuple[str, ...]:
        """The names of the checks that failed."""
        return tuple(each.name for each in self.results if each.outcome is SmokeOutcome.FAILED)

    @property
    def is_passed(self) -> bool:
        """Tell whether nothing failed, and every check was run."""
        return all(
            each.outcome in (SmokeOutcome.PASSED, SmokeOutcome.SKIPPED) for each in self.results
        )


def smoke_test(
    url: DatabaseUrl,
    *,
    schema: str | None = None,
    timeout: float = 30.0,
    now: datetime | None = None,
    on_result: OnResult = lambda _result: None,
) -> SmokeReport:
    """Run every check and return the report, after `timeout` seconds at the latest.

    `on_result` receives each check as it ends, in another thread. No error of a check is raised.
    Ctrl-C removes what the test wrote before it passes on.
    """
    database = Database.open(url, schema=schema, keep=True)
    run = _Run(database, now or datetime.now(UTC), timeout, on_result)
    worker = Thread(target=run.work, name="smoke test", daemon=True)
    worker.start()
    try:
        worker.join(run.seconds_for_checks)
    except BaseException:
        run.give_up("interrupted")
        raise
    if worker.is_alive():
        run.give_up(f"timed out after {timeout:g} s")
    return run.report()


class _Run:
    """One smoke test in progress; `give_up` ends it while a check is still running."""

    def __init__(
        self, database: Database, now: datetime, timeout: float, on_result: OnResult
    ) -> None:
        self._place = SmokePlace(database=database, traces=new_traces(now), now=now)
        self._on_result = on_result
        self._results: dict[str, CheckResult] = {}
        self._booking = Lock()
        self._given_up = False
        self._clean_up_seconds = min(timeout * _SHARE_OF_CLEAN_UP, _LONGEST_CLEAN_UP)
        self.seconds_for_checks = timeout - self._clean_up_seconds
        self._started = self._check_started = time.perf_counter()
        self._is_removed = False
        self._unkept: str | None = None

    def work(self) -> None:
        """Run the checks one after another, then clean up, save the outcome and close."""
        with self._place.database as database:
            for check in (*CHECKS, _CLEAN_UP):
                if not self._book(self._result_of(check)):
                    break
            else:
                self._keep(database, {})
                return
            # The check that was stuck has continued after all, so more may have been written.
            if self._has_passed(CURRENT):
                with suppress(Exception):
                    remove(database, self._place.traces.keys, settings={})

    def give_up(self, reason: str) -> None:
        """Record the running check as failed and those after it as not run; clean up briefly."""
        with self._booking:
            self._given_up = True
            late = [check.name for check in CHECKS if check.name not in self._results]
            seconds = time.perf_counter() - self._check_started
            for name in late[:1]:
                self._set(name, SmokeOutcome.FAILED, seconds, reason)
            for name in late[1:]:
                self._set(name, SmokeOutcome.NOT_RUN, 0.0, f"not run: {reason}")
            if CLEAN_UP not in self._results:
                self._set(CLEAN_UP, *self._late_clean_up())

    def report(self) -> SmokeReport:
        """Return the report of what was recorded."""
        trouble: Trouble | None = None
        if not self._has_passed(REACHABLE):
            trouble = "unreachable"
        elif not self._has_passed(CURRENT):
            trouble = "schema"
        return SmokeReport(
            results=tuple(self._results.values()),
            finished_at=datetime.now(UTC),
            seconds=time.perf_counter() - self._started,
            trouble=trouble,
            unkept=self._unkept,
        )

    def _result_of(self, check: SmokeCheck) -> CheckResult:
        self._check_started = started = time.perf_counter()
        missing = [name for name in check.needs if not self._has_passed(name)]
        outcome = SmokeOutcome.NOT_RUN
        if missing:
            reason = f"not run: {missing[0]} did not pass"
        else:
            outcome, reason = _outcome_of(check, self._place)
        seconds = time.perf_counter() - started
        return CheckResult(name=check.name, outcome=outcome, seconds=seconds, reason=reason)

    def _has_passed(self, name: str) -> bool:
        result = self._results.get(name)
        return result is not None and result.outcome is SmokeOutcome.PASSED

    def _book(self, result: CheckResult) -> bool:
        """Record a result; False if the report has been made already."""
        with self._booking:
            if self._given_up:
                return False
            self._results[result.name] = result
        self._on_result(result)
        return True

    def _set(self, name: str, outcome: SmokeOutcome, seconds: float, reason: str) -> None:
        self._results[name] = CheckResult(
            name=name, outcome=outcome, seconds=seconds, reason=reason
        )

    def _late_clean_up(self) -> tuple[SmokeOutcome, float, str]:
        """Remove what was written, if that takes no time; return the check's fields."""
        if not self._has_passed(CURRENT):
            return SmokeOutcome.NOT_RUN, 0.0, f"not run: {CURRENT} did not pass"
        started = time.perf_counter()
        removal = Thread(target=self._remove_soon, daemon=True)
        removal.start()
        removal.join(self._clean_up_seconds)
        seconds = time.perf_counter() - started
        if removal.is_alive() or not self._is_removed:
            reason = "what was written still exists: a smoke test in an hour, or later, removes it"
            return SmokeOutcome.FAILED, seconds, reason
        return SmokeOutcome.PASSED, seconds, "removed what was written"

    def _remove_soon(self) -> None:
        limit = str(int(self._clean_up_seconds * 500))
        settings = {"lock_timeout": limit, "statement_timeout": limit}
        database = self._place.database
        with (
            suppress(Exception),
            Database.open(database.url, schema=database.schema) as own,
        ):
            remove(own, self._place.traces.keys, settings=settings)
            self._is_removed = True
            self._keep(own, settings)

    def _keep(self, database: Database, settings: dict[str, str]) -> None:
        """Save the outcome for `chatdb status`; not being allowed to is no failure."""
        if not self._has_passed(CURRENT):
            return
        outcomes = [each.outcome for each in self._results.values()]
        failed = [
            name for name, each in self._results.items() if each.outcome is SmokeOutcome.FAILED
        ]
        record = SmokeRecord(
            finished_at=datetime.now(UTC),
            outcome="failed" if failed else "passed",
            passed=outcomes.count(SmokeOutcome.PASSED),
            failed=tuple(failed),
            seconds=round(time.perf_counter() - self._started, 3),
            chatdb=chatdb.__version__,
        )
        try:
            keep_record(database, record, settings=settings)
        except Exception as error:  # noqa: BLE001 - told in the report
            self._unkept = _first_line(error)


def _outcome_of(check: SmokeCheck, place: SmokePlace) -> tuple[SmokeOutcome, str]:
    """Run a check; whatever it raises is its outcome."""
    try:
        return SmokeOutcome.PASSED, check.run(place)
    except CheckSkippedError as skipped:
        return SmokeOutcome.SKIPPED, str(skipped)
    except CheckFailedError as failure:
        return SmokeOutcome.FAILED, str(failure)
    except ChatdbError as error:
        hint = "" if error.hint is None else f" ({error.hint})"
        return SmokeOutcome.FAILED, error.text + hint
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what was found
        return SmokeOutcome.FAILED, f"{type(error).__name__}: {_first_line(error)}"


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _clean_up(place: SmokePlace) -> str:
    if not rows_left(place.database, place.traces):
        return "nothing was written"
    remove(place.database, place.traces.keys, settings={})
    left = rows_left(place.database, place.traces)
    expect(not left, f"{left} rows of the test still exist")
    return "removed what was written; tombstones and log have no trace of it"


_CLEAN_UP = SmokeCheck(name=CLEAN_UP, run=_clean_up, needs=(CURRENT,))
