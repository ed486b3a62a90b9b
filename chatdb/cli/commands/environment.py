"""`chatdb environment`: what a database is for, kept in the database itself."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated

import typer

from chatdb import config as settings
from chatdb.cli.confirm import confirm
from chatdb.cli.context import CommandContext
from chatdb.cli.dev_server import dev_database
from chatdb.cli.lazy_group import group_app
from chatdb.cli.options import DryRunOption, Format, FormatOption, YesOption

app = group_app("Label a database: development, staging or production.")


class EnvironmentName(StrEnum):
    """What a database may be labelled as."""

    DEVELOPMENT = "development"
    STAGING = "staging"
    PRODUCTION = "production"


@dataclass(frozen=True, slots=True)
class ShownEnvironment:
    """A database (redacted), its name for `--confirm`, and its label; None: nobody labelled it."""

    environment: str | None
    name: str
    database: str


@app.command()
def show(context: typer.Context, output_format: FormatOption = Format.TABLE) -> None:
    """Show what the database is labelled as.

    The name is the one that --confirm wants where the label is production.

    \b
    Example:
      chatdb environment show --format json
    """
    from chatdb.db.label import look_at_label

    command = CommandContext.of(context)
    settings.export_libpq(command.config)
    schema = command.config.schema
    label = look_at_label(command.url, schema=None if schema is None else schema.value)
    shown = ShownEnvironment(label.environment, label.name, command.url.redacted())
    command.output.record(shown, output_format)
    if label.environment is None:
        command.diagnostics.note("nobody labelled it: chatdb environment set production")


@app.command(name="set")
def set_environment(
    context: typer.Context,
    environment: Annotated[
        EnvironmentName, typer.Argument(case_sensitive=False, help="What the database is for.")
    ],
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    output_format: FormatOption = Format.TABLE,
) -> None:
    """Label the database.

    On production every command that destroys something asks for --confirm NAME, seed is
    refused, and the label itself is taken off by --confirm NAME only.

    \b
    Examples:
      chatdb environment set production
      chatdb environment set staging --yes --confirm chatdb
    """
    from chatdb.db.label import PRODUCTION
    from chatdb.operations.environment import EnvironmentChange, label, set_label

    command = CommandContext.of(context)
    wanted = environment.value
    with command.open_database(create=not dry_run) as database:
        before = label(database)
        change = EnvironmentChange(environment=wanted, before=before)
        lowers = before == PRODUCTION and wanted != PRODUCTION
        if dry_run:
            change = replace(change, dry_run=True)
        else:
            if lowers:
                plan = [f"{before} becomes {wanted}", "(nothing asks for its name any more)"]
                confirm(command, plan, yes=yes, action="take the label off")
            change = set_label(database, wanted, may_lower=lowers)
            dev_database(command).note_label(command.url, wanted)
    command.output.record(change, output_format)
    if not dry_run and wanted == PRODUCTION:
        command.diagnostics.note(
            "what destroys something asks for its name now: --confirm NAME;"
            " chatdb environment show tells the name"
        )
