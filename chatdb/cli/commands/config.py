"""`chatdb config`: the settings and their sources, and the user's own settings file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from chatdb import config as settings
from chatdb.cli import completion
from chatdb.cli.context import CommandContext
from chatdb.cli.lazy_group import group_app
from chatdb.cli.options import DataCommand, argument
from chatdb.config import Setting
from chatdb.errors import ConfigurationError, UsageError

app = group_app("Show the settings and their sources; change your own.")

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
    from chatdb import user_file
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
        _row("embeddings_url", config.embeddings.url),
        _row("embeddings_key", config.embeddings.key, "***"),
        _row("embeddings_model", config.embeddings.model),
        _row("pager", config.pager),
        _config_file(),
    ]
    command.output.rows(rows, ShownSetting)
    own = user_file.read(settings.user_file_path())
    if own.holds_password:
        command.diagnostics.warning(f"{own.path} holds a password")


NameArgument = Annotated[
    str,
    argument(
        "NAME",
        "database_url, org, timezone or pager.",
        autocompletion=completion.settings_of_the_user,
    ),
]


@app.command(name="set")
def set_(
    context: typer.Context,
    name: NameArgument,
    value: Annotated[str, argument("VALUE", "The value; a file is kept with its whole path.")],
) -> None:
    """Set a value in your own settings file.

    Options, the environment and a .env come before it. The file is made if there is none, readable
    by you only; its comments stay.

    \b
    Examples:
      chatdb config set database_url ~/chats.db
      chatdb config set timezone Europe/Berlin
    """
    from chatdb import user_file

    command = CommandContext.of(context)
    user_file.check_name(name)
    path = _path_of_file()
    value = _checked(name, value)
    user_file.change(path, name, value)
    command.diagnostics.note(f"{name} is set in {path}")
    if name == "database_url" and user_file.has_password(value):
        command.diagnostics.warning(
            f"{path} holds a password now; ~/.pgpass and PGPASSFILE keep it out of settings"
        )
    _tell_what_comes_first(command, name)


@app.command()
def unset(context: typer.Context, name: NameArgument) -> None:
    """Remove a value from your own settings file.

    \b
    Example:
      chatdb config unset database_url
    """
    from chatdb import user_file

    command = CommandContext.of(context)
    path = _path_of_file()
    was_there = path.exists() and user_file.change(path, name, None)
    if not was_there:
        user_file.check_name(name)
    command.diagnostics.note(f"{name} {'is removed from' if was_there else 'was not in'} {path}")


@app.command()
def edit(context: typer.Context) -> None:
    """Open your own settings file in an editor.

    VISUAL or EDITOR in the environment names the editor. What is saved is checked.

    \b
    Example:
      chatdb config edit
    """
    from chatdb import user_file
    from chatdb.cli.editor import edit_file

    command = CommandContext.of(context)
    path = _path_of_file()
    user_file.make(path)
    edit_file(path)
    saved = user_file.read(path)
    for name, value in saved.values.items():
        _checked(name, value)
    if saved.holds_password:
        command.diagnostics.warning(f"{path} holds a password")


def _path_of_file() -> Path:
    path = settings.user_file_path()
    if path is None:
        raise ConfigurationError(
            "there is no home directory for a settings file", hint="name one in CHATDB_CONFIG_FILE"
        )
    return path


def _checked(name: str, value: str) -> str:
    """Return the value as it is stored; raises ConfigurationError or UsageError for a bad one."""
    if not value.strip() and name != "pager":
        raise UsageError(f"{name} is empty", hint=f"to remove it: chatdb config unset {name}")
    if name == "timezone":
        from chatdb.primitives.time_words import zone_of

        zone_of(value)
    if name == "database_url":
        from dataclasses import replace

        from chatdb.db.url import parse_url

        url = parse_url(value)
        if url.path is not None and not url.path.is_absolute():
            # It would be another file in every directory.
            return replace(url, path=url.path.absolute()).exposed()
    return value


def _tell_what_comes_first(command: CommandContext, name: str) -> None:
    found = getattr(command.config, name)
    if not found.source.startswith(settings.USER_FILE):
        command.diagnostics.note(f"here {found.source} comes first")


def _config_file() -> ShownSetting:
    path = settings.user_file_path()
    if path is None or not settings.has_user_file(path):
        return ShownSetting("config_file", None if path is None else str(path), "not there")
    return ShownSetting("config_file", str(path), "in use")


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
    from chatdb.errors import ChatdbError
    from chatdb.primitives.in_time import in_time

    settings.export_libpq(command.config)

    def look() -> ShownSetting | None:
        from chatdb.db.label import look_at_label

        try:
            label = look_at_label(command.url, schema=command.schema)
        except ChatdbError:
            return None
        source = "not set" if label.environment is None else "the database"
        return ShownSetting("environment", label.environment, source)

    silent = ShownSetting("environment", None, "the database does not answer")
    return in_time(look, _LOOK_SECONDS) or silent


def _row(name: str, setting: Setting | None, shown: str | None = None) -> ShownSetting:
    """Return a setting's row; `shown` replaces a secret value."""
    if setting is None:
        return ShownSetting(name, None, "not set")
    return ShownSetting(name, setting.value if shown is None else shown, setting.source)
