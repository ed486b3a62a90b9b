"""The doctor's findings for people: one line each, with the fix on a separate line."""

import textwrap
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from chatdb.cli.text import one_line

if TYPE_CHECKING:
    from chatdb.operations.doctor.findings import Finding

_MARGIN = "    "
_NARROWEST = 24
"""With less room than this, a text starts on a new line."""


class FailOn(StrEnum):
    """The lowest severity that causes exit code 1."""

    WARNING = "warning"
    ERROR = "error"
    NEVER = "never"


def report_lines(findings: "Sequence[Finding]", *, width: int | None) -> Iterator[str]:
    """Yield the lines; `width` None is no limit.

    Texts are broken between words. A fix is never broken: it is to be copied.
    """
    severities = max((len(finding.severity) for finding in findings), default=0)
    ids = max((len(finding.id) for finding in findings), default=0)
    for finding in findings:
        head = f"{finding.severity:<{severities}}  {finding.id:<{ids}}  "
        margin = " " * len(head)
        if width is not None and width - len(head) < _NARROWEST:
            yield head.rstrip()
            head = margin = _MARGIN
        room = None if width is None else width - len(margin)
        first, *more = _folded(one_line(finding.text), room)
        yield head + first
        yield from (margin + line for line in more)
        if finding.fix:
            yield f"{_MARGIN}fix: {one_line(finding.fix)}"


def _folded(text: str, room: int | None) -> list[str]:
    if room is None:
        return [text]
    return textwrap.wrap(text, max(room, 1), break_long_words=False, break_on_hyphens=False) or [""]
