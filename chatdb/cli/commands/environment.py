"""`chatdb environment`: the label of a database, stored in the database itself."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated

import typer

from chatdb import config as settings
from chatdb.cli.confirm import confirm
from chatdb.cli.context import CommandContext
from chatdb.cli.dev_server import dev_database
from chatdb.cli.lazy_group import group_app
from chatdb.cli.options import DataCommand, DryRunOption, YesOption, argument

app = group_app("Label a database: development, staging or production.")


class EnvironmentName(StrEnum):
    """The labels of a database."""

    DEVELOPMENT = "development"
    STAGING = "staging"
    PRODUCTION = "production"


@dataclass(frozen=True, slots=True)
class ShownEnvironment:
    """A database (redacted), its name for `--confirm`, and its label, None if it has none."""

    environment: str | None
    name: str
    database: str


@app.command(cls=DataCommand)
def show(context: typer.Context) -> None:
    """Show the database's label.

    The name is what --confirm expects if the label is production.

    \b
    Example:
      chatdb environment show --format json
    """
    from chatdb.db.label import look_at_label

    command = CommandContext.of(context)
    settings.export_libpq(command.config)
    command.require_database_file()
    label = look_at_label(command.url, schema=command.schema)
    shown = ShownEnvironment(label.environment, label.name, command.url.redacted())
    command.output.record(shown)
    if label.environment is None:
        command.diagnostics.note("it has no label; to set one: chatdb environment set production")


@app.command(name="set", cls=DataCommand)
def set_environment(
    context: typer.Context,
    environment: Annotated[EnvironmentName, argument(None, "The label.", case_sensitive=False)],
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Label the database.

    On production, destructive commands require --confirm NAME, seed is refused, and removing the
    label requires --confirm NAME too.

    \b
    Examples:
      chatdb environment set production
      chatdb environment set staging --yes --confirm chatdb
    """
    from chatdb.db.label import PRODUCTION
    from chatdb.operations.schema.environment import EnvironmentChange, label, set_label

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
                plan = [f"{before} becomes {wanted}", "(commands no longer require its name)"]
                confirm(command, plan, yes=yes, action="remove the label")
            change = set_label(database, wanted, may_lower=lowers)
            dev_database(command).note_label(command.url, wanted)
    command.output.record(change)
    if not dry_run and wanted == PRODUCTION:
        command.diagnostics.note(
            "destructive commands now require its name: --confirm NAME; chatdb environment show "
            "prints the name"
        )
