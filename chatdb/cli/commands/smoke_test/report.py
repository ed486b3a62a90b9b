"""The smoke test's results for people: a line each, its reason folded beside it."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from chatdb.cli.diagnostics import redact
from chatdb.cli.text import one_line

if TYPE_CHECKING:
    from chatdb.operations.smoke_test.check import CheckResult

_COLORS = {"passed": "32", "failed": "31", "skipped": "36", "not_run": "33"}
_NARROWEST = 24
_MARGIN = "    "


def report_lines(
    results: "Sequence[CheckResult]", *, width: int | None, color: bool
) -> Iterator[str]:
    """Yield the lines: outcome, name, milliseconds, reason; `width` None is no limit."""
    names = max((len(result.name) for result in results), default=0)
    for result in results:
        outcome = result.outcome.value.replace("_", " ")
        rest = f"  {result.name:<{names}}  {result.seconds * 1000:>6.0f} ms  "
        taken = len("skipped") + len(rest)
        shown = f"{outcome:<7}"
        if color:
            shown = f"\x1b[{_COLORS[result.outcome.value]}m{shown}\x1b[0m"
        reason = one_line(redact(result.reason))
        if width is not None and width - taken < _NARROWEST:
            yield (shown + rest).rstrip()
            yield from (_MARGIN + line for line in _folded(reason, width - len(_MARGIN)))
            continue
        first, *more = _folded(reason, None if width is None else width - taken)
        yield shown + rest + first
        yield from (" " * taken + line for line in more)


def _folded(text: str, room: int | None) -> list[str]:
    if room is None:
        return [text]
    return textwrap.wrap(text, max(room, 1), break_on_hyphens=False) or [""]
