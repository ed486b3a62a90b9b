"""`chatdb restore`: bring a backup back, and take that back again."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chatdb.cli.backup_keys import IdentityOption, reading_keys
from chatdb.cli.backup_options import StageWatch, backup_place, dump_programs
from chatdb.cli.confirm import confirm
from chatdb.cli.context import CommandContext
from chatdb.cli.lazy_group import command_app
from chatdb.cli.options import DryRunOption, Format, FormatOption, YesOption
from chatdb.cli.restore_report import kept_lines, plan_lines, restored_lines, way_back
from chatdb.errors import UsageError

if TYPE_CHECKING:
    from chatdb.backups.catalogue import Backup
    from chatdb.db.url import DatabaseUrl
    from chatdb.workflows.restore import Restore

app = command_app()


@app.command()
def restore(
    context: typer.Context,
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILE]", help="A file of the backup, its name, or: latest.", show_default=False
        ),
    ] = None,
    into: Annotated[
        str | None,
        typer.Option("--into", metavar="URL", help="Into this database, not the configured one."),
    ] = None,
    undo: Annotated[
        bool,
        typer.Option("--undo", help="Put the database back that the last restore replaced."),
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="End the sessions of who is connected; give up tables it has not."
        ),
    ] = False,
    trust: Annotated[
        bool, typer.Option("--trust", help="Run an SQL file that could run programs.")
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, help="Build so many indexes at once.  [default: auto]"),
    ] = None,
    no_owner: Annotated[
        bool, typer.Option("--no-owner", help="All of it becomes yours; no rights are granted.")
    ] = False,
    no_migrate: Annotated[
        bool, typer.Option("--no-migrate", help="Leave the schema at the backup's revision.")
    ] = False,
    identity: IdentityOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    output_format: FormatOption = Format.TABLE,
) -> None:
    """Bring a backup back and put it in the database's place.

    Checksums are compared, everything is restored into a new database, counted and compared with
    the manifest, brought to the newest revision, and only then swapped in by renaming. The
    database that was there is kept; --undo puts it back. Whatever fails, it stays as it was.

    \b
    Examples:
      chatdb restore latest
      chatdb restore relay_dev_20231220_143022.sql --into postgresql://localhost/relay
      chatdb restore --undo
    """
    from chatdb.workflows.restore import planned_restore
    from chatdb.workflows.restore_parts import RestoreWish

    command = CommandContext.of(context)
    url = _target(command, into)
    if undo:
        _undo(command, url, file, force=force, yes=yes, dry_run=dry_run, into=into)
        return
    if file is None:
        raise UsageError("name a backup to restore", hint="chatdb restore latest")
    schema = command.config.schema
    wish = RestoreWish(
        programs=dump_programs(command),
        schema=None if schema is None else schema.value,
        jobs=jobs,
        force=force,
        trust=trust,
        owner=not no_owner,
        migrate=not no_migrate,
    )
    backup = _find(command, file, url, identity)
    with StageWatch(command) as watch, planned_restore(backup, url, wish, watch) as planned:
        plan = planned.plan()
        if dry_run:
            watch.end()
            _print_plan(command, planned, output_format)
            return
        planned.require_alone()
        watch.end()
        if plan.replaces:
            confirm(command, plan_lines(plan), yes=yes, action="replace", url=url)
        else:
            for remark in plan.remarks:
                command.diagnostics.warning(remark)
        done = planned.run()
    if output_format is Format.TABLE:
        command.output.text("\n".join(restored_lines(done)))
    else:
        command.output.record(done, output_format)
    for line in way_back(done.kept, into):
        command.diagnostics.note(line)


def _target(command: CommandContext, into: str | None) -> "DatabaseUrl":
    """Return the address of the place: without its pooler where one is known."""
    from chatdb import config as settings
    from chatdb.db.url import parse_url

    settings.export_libpq(command.config)
    if into is not None:
        return parse_url(into)
    return command.direct_url or command.url


def _find(
    command: CommandContext, text: str, url: "DatabaseUrl", identity: Path | None
) -> "Backup":
    from chatdb.backups.catalogue import find
    from chatdb.backups.names import safe_database
    from chatdb.backups.reading import recognised

    found = find(
        text,
        backup_place(command, None),
        database=safe_database(url.name),
        keys=reading_keys(command, identity),
    )
    return recognised(found)


def _print_plan(command: CommandContext, planned: "Restore", output_format: Format) -> None:
    plan = planned.plan()
    if output_format is Format.TABLE:
        command.output.text("\n".join([f"would replace {plan.database}:", *plan_lines(plan)]))
    else:
        command.output.record(plan, output_format)


def _undo(
    command: CommandContext,
    url: "DatabaseUrl",
    name: str | None,
    *,
    force: bool,
    yes: bool,
    dry_run: bool,
    into: str | None,
) -> None:
    """Put back what the last restore, or the one that is named, replaced."""
    from chatdb.db.replacement import open_replacement

    with open_replacement(url, command.diagnostics.note) as replacement:
        kept = replacement.find_kept(name)
        lines = kept_lines(kept, is_there=replacement.is_there())
        if dry_run:
            command.output.text("\n".join([f"would replace {url.redacted()}:", *lines]))
            return
        confirm(command, lines, yes=yes, action="replace", url=url)
        aside = replacement.put_back(kept, force=force)
    command.output.text(f"{url.redacted()} is what it was until {kept.kept_at:%Y-%m-%d %H:%M:%S}Z")
    for line in way_back(None if aside is None else aside.name, into):
        command.diagnostics.note(line)
