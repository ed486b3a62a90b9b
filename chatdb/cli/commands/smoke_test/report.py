"""The smoke test's results for people: a line each, its reason folded beside it."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from chatdb.cli.diagnostics import redact
from chatdb.cli.table import headed_lines
from chatdb.cli.text import one_line

if TYPE_CHECKING:
    from chatdb.operations.smoke_test.check import CheckResult

_COLORS = {"passed": "32", "failed": "31", "skipped": "36", "not_run": "33"}


def report_lines(
    results: "Sequence[CheckResult]", *, width: int | None, color: bool
) -> Iterator[str]:
    """Yield the lines: outcome, name, milliseconds, reason; `width` None is no limit."""
    names = max((len(result.name) for result in results), default=0)
    for result in results:
        outcome = f"{result.outcome.value.replace('_', ' '):<7}"
        rest = f"  {result.name:<{names}}  {result.seconds * 1000:>6.0f} ms  "
        shown = f"\x1b[{_COLORS[result.outcome.value]}m{outcome}\x1b[0m" if color else outcome
        reason = one_line(redact(result.reason))
        yield from headed_lines(outcome + rest, reason, width, shown=shown + rest)
