"""`chatdb config`: the settings and their sources."""

from dataclasses import dataclass

import typer

from chatdb import config as settings
from chatdb.cli.context import CommandContext
from chatdb.cli.lazy_group import group_app
from chatdb.cli.options import DataCommand
from chatdb.config import Setting

app = group_app("Show the settings and where they come from.")

_LOOK_SECONDS = 2.0
"""Seconds to wait for the database's label; the settings must be shown even without it."""


@dataclass(frozen=True, slots=True)
class ShownSetting:
    """One row: URLs are redacted, `value` is None for a setting that is not set."""

    name: str
    value: str | None
    source: str


@app.command(cls=DataCommand)
def show(context: typer.Context) -> None:
    """Show each setting, redacted, and where it came from.

    The environment is the database's own label; chatdb environment set changes it.

    \b
    Example:
      chatdb config show --format json
    """
    from chatdb.backups.store import redacted_url

    command = CommandContext.of(context)
    config = command.config
    direct = command.direct_url
    dev, backup = config.dev, config.backup
    rows = [
        ShownSetting("database_url", command.url.redacted(), config.database_url.source),
        _direct_url(config, None if direct is None else direct.redacted()),
        _row("schema", config.schema),
        _row("org", config.org),
        _row("timezone", config.timezone),
        _environment(command),
        _attachments_dir(command),
        _row("pg_bindir", config.pg_bindir),
        _row("dev_image", dev.image),
        _row("dev_port", dev.port),
        _row("dev_user", dev.user),
        _row("dev_password", dev.password, "***"),
        _row("dev_database", dev.database),
        _row("dev_memory", dev.memory),
        _row("backup_url", backup.url, redacted_url(backup.url.value)),
        _row("age_recipients", backup.recipients),
        _row("age_identity", backup.identity),
        _row("notify_url", backup.notify_url, "***"),
    ]
    command.output.rows(rows, ShownSetting)


def _direct_url(config: settings.Config, shown: str | None) -> ShownSetting:
    """Return the row of the direct URL; a URL of another database is left out."""
    foreign = config.foreign_direct_url
    if foreign is None:
        return _row("direct_url", config.direct_url, shown)
    return ShownSetting("direct_url", None, f"left out: {foreign.source} is for another database")


def _attachments_dir(command: CommandContext) -> ShownSetting:
    """Return the row of the folder of attachments, which a SQLite file has beside it."""
    setting, folder = command.config.attachments_dir, command.attachments_folder
    foreign = command.config.foreign_attachments_dir
    if foreign is not None and folder is None:
        why = f"left out: {foreign.source} is for another database"
        return ShownSetting("attachments_dir", None, why)
    if setting is not None or folder is None:
        return _row("attachments_dir", setting)
    return ShownSetting("attachments_dir", str(folder), "default")


def _environment(command: CommandContext) -> ShownSetting:
    """Return the row of the database's label, without it if the database does not answer soon."""
    from threading import Thread

    from chatdb.errors import ChatdbError

    settings.export_libpq(command.config)
    told: list[ShownSetting] = []

    def look() -> None:
        from chatdb.db.label import look_at_label

        try:
            label = look_at_label(command.url, schema=command.schema)
        except ChatdbError:
            return
        source = "not set" if label.environment is None else "the database"
        told.append(ShownSetting("environment", label.environment, source))

    thread = Thread(target=look, daemon=True)
    thread.start()
    thread.join(_LOOK_SECONDS)
    silent = ShownSetting("environment", None, "the database does not answer")
    return told[0] if told else silent


def _row(name: str, setting: Setting | None, shown: str | None = None) -> ShownSetting:
    """Return a setting's row; `shown` replaces a secret value."""
    if setting is None:
        return ShownSetting(name, None, "not set")
    return ShownSetting(name, setting.value if shown is None else shown, setting.source)
