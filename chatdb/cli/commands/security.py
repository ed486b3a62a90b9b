"""`chatdb security`: check who can access whose chats."""

from pathlib import Path

import typer

from chatdb import config as settings
from chatdb.cli.context import CommandContext
from chatdb.cli.findings import FailOn, FailOnOption, print_findings
from chatdb.cli.lazy_group import group_app
from chatdb.cli.options import DataCommand

app = group_app("Check who can access whose chats.")


@app.command(cls=DataCommand)
def check(
    context: typer.Context,
    fail_on: FailOnOption = FailOn.WARNING,
) -> None:
    """Try to access other tenants' data, and find what allows it.

    On PostgreSQL it tries as each application role, in a transaction that is rolled back; on both
    databases it checks file permissions. docs/tenants.md explains each id.

    \b
    Examples:
      chatdb security check
      chatdb security check --format json --fail-on error
    """
    from chatdb.operations.security.check import SecuritySettings, check_security

    command = CommandContext.of(context)
    config = command.config
    settings.export_libpq(config)
    found = check_security(
        SecuritySettings(
            folder=Path(),
            url=command.url,
            direct_url=command.direct_url,
            schema=command.schema,
            attachments=command.attachments_folder,
            backups=_folder(config.backup.url.value),
            ssl_mode=settings.process_environment().get("PGSSLMODE", "prefer"),
        )
    )
    print_findings(command, found, fail_on=fail_on)


def _folder(place: str) -> Path | None:
    """Return a store that is a local folder, else None."""
    if place.startswith("file://"):
        return Path(place.removeprefix("file://"))
    return None if "://" in place else Path(place)
