"""The findings of `doctor` and `security check`: a line each, with the fix on a separate line."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from chatdb.cli.context import CommandContext
from chatdb.cli.diagnostics import redact
from chatdb.cli.options import option
from chatdb.cli.text import counted, one_line
from chatdb.errors import ExitCode

if TYPE_CHECKING:
    from chatdb.operations.doctor.findings import Finding

_MARGIN = "    "


class FailOn(StrEnum):
    """The lowest severity that causes exit code 1."""

    WARNING = "warning"
    ERROR = "error"
    NEVER = "never"


FailOnOption = Annotated[FailOn, option("--fail-on", "Lowest severity that causes exit code 1.")]


def print_findings(
    command: CommandContext,
    found: "Sequence[Finding]",
    *,
    fail_on: FailOn,
) -> None:
    """Print findings without passwords, and how many are bad; exit with 1 as `fail_on` says."""
    from chatdb.operations.doctor.findings import Finding, Severity

    findings = [replace(finding, text=redact(finding.text)) for finding in found]
    if command.output.is_table:
        # What needs attention stands last, where a terminal still shows it.
        findings.sort(key=lambda finding: finding.severity.rank)
        for line in _report_lines(findings, width=command.output.width):
            command.output.text(line)
    else:
        command.output.rows(findings, Finding)
    counts = Counter(finding.severity for finding in findings)
    bad = [
        f"{counts[severity]} {severity}{'s' if counts[severity] > 1 else ''}"
        for severity in (Severity.ERROR, Severity.WARNING)
        if counts[severity]
    ]
    checked = counted(len(findings), "check")
    command.diagnostics.note(f"{', '.join(bad) or 'nothing to fix'} in {checked}")
    worst = max((finding.severity.rank for finding in findings), default=0)
    if fail_on is not FailOn.NEVER and worst >= Severity(fail_on.value).rank:
        raise typer.Exit(ExitCode.FAILED)


def _report_lines(findings: "Sequence[Finding]", *, width: int | None) -> Iterator[str]:
    """Yield the lines; a fix is never broken: it is to be copied."""
    from chatdb.cli.table import headed_lines

    severities = max((len(finding.severity) for finding in findings), default=0)
    ids = max((len(finding.id) for finding in findings), default=0)
    for finding in findings:
        head = f"{finding.severity:<{severities}}  {finding.id:<{ids}}  "
        yield from headed_lines(head, one_line(finding.text), width, break_long_words=False)
        if finding.fix:
            yield f"{_MARGIN}fix: {one_line(finding.fix)}"
