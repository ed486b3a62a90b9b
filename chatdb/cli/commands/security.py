"""`chatdb security`: check who can access whose chats."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from chatdb import config as settings
from chatdb.cli.context import CommandContext
from chatdb.cli.diagnostics import redact
from chatdb.cli.doctor_report import FailOn, report_lines
from chatdb.cli.lazy_group import group_app
from chatdb.cli.options import FormatOption, OutputFormat
from chatdb.errors import ExitCode

app = group_app("Check who can access whose chats.")


@app.command()
def check(
    context: typer.Context,
    fail_on: Annotated[
        FailOn, typer.Option("--fail-on", help="Lowest severity that causes exit code 1.")
    ] = FailOn.WARNING,
    output_format: FormatOption = OutputFormat.TABLE,
) -> None:
    """Try to access other tenants' data, and find what allows it.

    On PostgreSQL it tries as each application role, in a transaction that is rolled back; on both
    databases it checks file permissions. docs/tenants.md explains each id.

    \b
    Examples:
      chatdb security check
      chatdb security check --format json --fail-on error
    """
    from chatdb.cli.table import terminal_width
    from chatdb.operations.doctor.findings import Finding, Severity
    from chatdb.operations.security.check import SecuritySettings, check_security

    command = CommandContext.of(context)
    config = command.config
    settings.export_libpq(config)
    found = check_security(
        SecuritySettings(
            folder=Path(),
            url=command.url,
            direct_url=command.direct_url,
            schema=None if config.schema is None else config.schema.value,
            backups=_folder(config.backup.url.value),
            ssl_mode=settings.process_environment().get("PGSSLMODE", "prefer"),
        )
    )
    findings = [replace(finding, text=redact(finding.text)) for finding in found]
    if output_format is OutputFormat.TABLE:
        width = terminal_width() if command.output.is_terminal else None
        for line in report_lines(findings, width=width):
            command.output.text(line)
    else:
        command.output.rows(findings, Finding, output_format)
    counts = Counter(finding.severity for finding in findings)
    bad = [
        f"{counts[severity]} {severity}{'s' if counts[severity] > 1 else ''}"
        for severity in (Severity.ERROR, Severity.WARNING)
        if counts[severity]
    ]
    command.diagnostics.note(", ".join(bad) or "nothing to fix")
    worst = max((finding.severity.rank for finding in findings), default=0)
    if fail_on is not FailOn.NEVER and worst >= Severity(fail_on.value).rank:
        raise typer.Exit(ExitCode.FAILED)


def _folder(place: str) -> Path | None:
    """Return a store that is a local folder, else None."""
    if place.startswith("file://"):
        return Path(place.removeprefix("file://"))
    return None if "://" in place else Path(place)
