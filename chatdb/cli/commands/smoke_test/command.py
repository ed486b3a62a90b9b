"""`chatdb smoke-test`: test that a database works, from writing to isolation."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chatdb import config as settings
from chatdb.cli.context import CommandContext
from chatdb.cli.lazy_group import command_app
from chatdb.cli.next_command import for_the_same_database
from chatdb.cli.options import DataCommand, option, seconds
from chatdb.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from chatdb.operations.smoke_test.check import CheckResult
    from chatdb.operations.smoke_test.run import SmokeReport

app = command_app()

_EXIT_CODES = {"unreachable": ExitCode.UNREACHABLE, "schema": ExitCode.SCHEMA}


@app.command(cls=DataCommand)
def smoke_test(
    context: typer.Context,
    junit: Annotated[
        Path | None, option("--junit FILE", "Also write the results as JUnit XML.")
    ] = None,
    timeout: Annotated[
        float, seconds("--timeout", "Time limit for the whole test.", least=1)
    ] = 30.0,
) -> None:
    """Test that the database works and keeps tenants separate.

    Writes, counts, finds, exports, imports and deletes a conversation in a temporary organization
    that is removed at the end; remains of a killed test are removed an hour later. Prints a line
    if all is well, with -v every check. Exits with 1 if a check failed, 3 if the database cannot be
    reached, 4 if its schema is not current, 5 if there is no such file.

    \b
    Examples:
      chatdb smoke-test
      chatdb smoke-test --junit results/smoke-test.xml --timeout 60
    """
    from chatdb.operations.smoke_test.check import CheckResult

    if junit == Path("-"):
        raise UsageError(
            "--junit needs a file: the results go to standard output",
            hint="--junit results/smoke-test.xml",
        )
    command = CommandContext.of(context)
    command.require_database_file()
    report = _run(command, timeout) if junit is None else _run_into(junit, command, timeout)
    output = command.output
    counts = _counts(report)
    if output.is_table and report.is_passed and not command.options.verbose:
        output.text(f"{counts}; -v shows all")
    elif output.is_table:
        from chatdb.cli.commands.smoke_test.report import report_lines

        output.lines(report_lines(report.results, width=output.width, color=output.color))
        command.diagnostics.note(counts)
    else:
        output.rows(report.results, CheckResult)
        command.diagnostics.note(counts)
    if report.unkept is not None:
        command.diagnostics.note(f"the outcome is not saved for chatdb status: {report.unkept}")
    if report.trouble is not None:
        raise typer.Exit(_EXIT_CODES[report.trouble])
    if not report.is_passed:
        raise typer.Exit(ExitCode.FAILED)


def _run_into(junit: Path, command: CommandContext, timeout: float) -> "SmokeReport":
    from chatdb.cli.commands.smoke_test.junit import junit_xml
    from chatdb.formats.files.outputs import open_output

    started_at = datetime.now(UTC)
    junit.parent.mkdir(parents=True, exist_ok=True)
    # Opened first: a file that cannot be written is reported before anything is done.
    with open_output(junit) as stream:
        report = _run(command, timeout)
        results, seconds = report.results, report.seconds
        stream.write(junit_xml("smoke-test", results, started_at=started_at, seconds=seconds))
    return report


def _run(command: CommandContext, timeout: float) -> "SmokeReport":
    from chatdb.operations.smoke_test.run import smoke_test as run

    settings.export_libpq(command.config)

    def tell(result: "CheckResult") -> None:
        # A table has them all at its end.
        if not command.output.is_table:
            command.diagnostics.detail(f"{result.name}: {result.outcome}, {result.reason}")

    report = run(
        command.url,
        schema=command.schema,
        timeout=timeout,
        on_result=tell,
    )
    typed = command.options
    results = [
        replace(each, reason=for_the_same_database(each.reason, typed)) for each in report.results
    ]
    return replace(report, results=tuple(results))


def _counts(report: "SmokeReport") -> str:
    """Return how many checks had which outcome, and the time."""
    counts = Counter(result.outcome.value for result in report.results)
    parts = [
        f"{counts[outcome]} {outcome.replace('_', ' ')}"
        for outcome in ("passed", "failed", "skipped", "not_run")
        if counts[outcome]
    ]
    return f"{', '.join(parts)} in {report.seconds:.2f} s"
