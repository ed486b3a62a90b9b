"""The settings and where each came from: option > environment > `.env` > settings file > default.

This is the only module that reads the environment; the names it looks for are in the table of
`chatdb.variables`. It does not parse the URL: that is `chatdb.db.url`. The PG* variables are
combined into one.
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from chatdb import dotenv_file, variables
from chatdb.db.url import DatabaseUrl
from chatdb.errors import ConfigurationError
from chatdb.variables import Variable

if TYPE_CHECKING:
    from chatdb.user_file import UserFile

_LIBPQ_MARKS = ("PGHOST", "PGDATABASE")
_LONGEST_NAME = 63
USER_FILE = "settings file"
"""How the source of what the user's own file says begins."""
_RUNGS = ("option", "environment", ".env", USER_FILE, "default")
"""How a setting's source begins, highest priority first."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One value and its source, such as "option --org", "environment CHATDB_ORG", ".env line 3"."""

    value: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DevSettings:
    """Settings of a development server; docker-compose.dev.yml reads the same variables.

    None of them is checked here: `port` may be a number or `auto`, `memory` is read by Compose.
    """

    image: Setting
    port: Setting
    user: Setting
    password: Setting
    database: Setting
    memory: Setting


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupSettings:
    """Where backups go, their keys, and the notify URL; none is checked."""

    url: Setting
    recipients: Setting | None
    identity: Setting | None
    notify_url: Setting | None


@dataclass(frozen=True, slots=True)
class EmbeddingsSettings:
    """The API that makes embeddings, its key and the model; none is checked."""

    url: Setting | None = None
    key: Setting | None = None
    model: Setting | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The settings of one run; `notes` are remarks on the `.env` for the user.

    `foreign_direct_url` is a direct URL that is not used: its source has lower priority than the
    database URL's; so is `foreign_attachments_dir`. `libpq` holds the PG* variables of a `.env`
    that also gave the database URL; `pg_bindir` names the folder of PostgreSQL's own programs.
    """

    database_url: Setting
    direct_url: Setting | None
    # With a typed database URL, migrations would go to another database by that of a .env.
    foreign_direct_url: Setting | None = None
    schema: Setting | None
    org: Setting
    timezone: Setting = Setting("UTC", "default")
    pager: Setting = Setting("", "default")
    attachments_dir: Setting | None = None
    # Files of one database would be unused ones to another, and be removed.
    foreign_attachments_dir: Setting | None = None
    pg_bindir: Setting | None = None
    dev: DevSettings
    backup: BackupSettings
    embeddings: EmbeddingsSettings = EmbeddingsSettings()
    libpq: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Source:
    """A source of values: the environment, or a `.env` with the line of each name."""

    values: Mapping[str, str]
    lines: Mapping[str, int] | None = None

    def find(self, variable: Variable) -> Setting | None:
        for name in variable.names:
            # An empty variable is how shells and Compose files unset one.
            if self.values.get(name):
                return Setting(self.values[name], self.describe(name))
        return None

    def describe(self, *names: str) -> str:
        if self.lines is None:
            return "environment " + ", ".join(names)
        lines = sorted(self.lines[name] for name in names)
        return f".env line{'s' if len(lines) > 1 else ''} " + ", ".join(map(str, lines))

    def database_url(self, above: Mapping[str, str] | None = None) -> Setting | None:
        """Return the URL; PG* variables are completed and overridden by those of `above`."""
        found = self.find(variables.DATABASE_URL)
        if found is not None:
            return found
        marks = [name for name in _LIBPQ_MARKS if self.values.get(name)]
        if not marks:
            return None
        return Setting(_libpq_url({**self.values, **(above or {})}), self.describe(*marks))

    def libpq(self) -> dict[str, str]:
        return {name: value for name, value in self.values.items() if name.startswith("PG")}


def load(
    *,
    database_url: str | None = None,
    direct_url: str | None = None,
    schema: str | None = None,
    org: str | None = None,
    attachments_dir: str | None = None,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> Config:
    """Find every setting in order of priority; the arguments are the options as typed.

    `environment` defaults to the process's, `directory` (where `.env` is searched) to the current
    one. Empty values count as unset. Raises ConfigurationError for an unreadable `.env` or settings
    file, an empty option, or an invalid schema name.
    """
    env = _Source(os.environ if environment is None else environment)
    values, lines, notes = dotenv_file.read((directory or Path()) / ".env")
    file = _Source(values, lines)
    own = _user_file(env.values)
    found = (
        _option("--database-url", database_url)
        or env.database_url()
        or file.database_url(env.libpq())
        or _of_user(own, variables.DATABASE_URL)
        or _default(variables.DATABASE_URL)
    )

    def find(variable: Variable) -> Setting | None:
        return env.find(variable) or file.find(variable) or _of_user(own, variable)

    def ladder(option: str, typed: str | None, variable: Variable) -> Setting | None:
        return _option(option, typed) or find(variable)

    def found_or_default(variable: Variable) -> Setting:
        return find(variable) or _default(variable)

    direct = ladder("--direct-url", direct_url, variables.DIRECT_URL)
    is_foreign = _is_foreign(direct, found)
    kept = ladder("--attachments-dir", attachments_dir, variables.ATTACHMENTS_DIR)
    return Config(
        database_url=found,
        direct_url=None if is_foreign else direct,
        foreign_direct_url=direct if is_foreign else None,
        schema=_possible_schema(ladder("--schema", schema, variables.SCHEMA)),
        org=ladder("--org", org, variables.ORG) or _default(variables.ORG),
        timezone=found_or_default(variables.TIMEZONE),
        pager=_pager(env.values, own),
        attachments_dir=None if _is_foreign(kept, found) else kept,
        foreign_attachments_dir=kept if _is_foreign(kept, found) else None,
        # Never from a `.env`: a cloned folder must not choose which program is run.
        pg_bindir=env.find(variables.PG_BINDIR),
        dev=_dev_settings(found_or_default),
        backup=_backup_settings(find, found_or_default),
        embeddings=EmbeddingsSettings(*map(find, variables.EMBEDDINGS)),
        libpq=file.libpq() if found.source.startswith(".env") else {},
        notes=(*notes, *_notes_of(own)),
    )


def _backup_settings(
    find: Callable[[Variable], Setting | None], found: Callable[[Variable], Setting]
) -> BackupSettings:
    return BackupSettings(
        url=found(variables.BACKUP_URL),
        recipients=find(variables.AGE_RECIPIENTS),
        identity=find(variables.AGE_IDENTITY),
        notify_url=find(variables.NOTIFY_URL),
    )


def _dev_settings(found: Callable[[Variable], Setting]) -> DevSettings:
    return DevSettings(
        image=found(variables.DEV_IMAGE),
        port=found(variables.DEV_PORT),
        user=found(variables.DEV_USER),
        password=found(variables.DEV_PASSWORD),
        database=found(variables.DEV_DATABASE),
        memory=found(variables.DEV_MEMORY),
    )


def _libpq_url(values: Mapping[str, str]) -> str:
    """Write the PG* variables as a URL, to show which database it is.

    The others, including the password, are left to libpq; all of them are if a service is named.
    """
    if values.get("PGSERVICE"):
        values = {}
    return DatabaseUrl(
        dialect_name="postgresql",
        user=values.get("PGUSER", ""),
        host=values.get("PGHOST", ""),
        port=values.get("PGPORT", ""),
        database=values.get("PGDATABASE", ""),
    ).exposed()


def export_libpq(config: Config) -> None:
    """Give libpq (in this process and in programs it starts) the PG* variables of the `.env`."""
    for name, value in config.libpq.items():
        # The environment beats the .env, variable by variable.
        os.environ.setdefault(name, value)


def _pager(env: Mapping[str, str], own: "UserFile | None") -> Setting:
    """Find the pager's command; an empty one is none, as in git.

    Never from a `.env`: a cloned folder must not choose which program is run.
    """
    for name in variables.PAGER.names:
        if name in env:
            return Setting(env[name], f"environment {name}")
    typed = None if own is None else own.values.get("pager")
    if own is not None and typed is not None:
        return Setting(typed, f"{USER_FILE} {own.path}")
    return _default(variables.PAGER)


def uses_color(environment: Mapping[str, str] | None = None) -> bool:
    """Tell whether NO_COLOR and TERM let a terminal have colours (https://no-color.org)."""
    env = os.environ if environment is None else environment
    return not env.get("NO_COLOR") and env.get("TERM") != "dumb"


def user_file_path(environment: Mapping[str, str] | None = None) -> Path | None:
    """Return the path of the user's settings file, None without a home."""
    env = os.environ if environment is None else environment
    typed = env.get(variables.CONFIG_FILE.names[0])
    if typed:
        return Path(typed)
    folder = _own_folder(env, variables.XDG_CONFIG_HOME)
    return None if folder is None else folder / "config.toml"


def _user_file(env: Mapping[str, str]) -> "UserFile | None":
    """Read the user's settings file; most have none, and pay nothing for it."""
    path = user_file_path(env)
    if path is None or not has_user_file(path, env):
        return None
    from chatdb import user_file

    return user_file.read(path)


def has_user_file(path: Path, environment: Mapping[str, str] | None = None) -> bool:
    """Tell whether there is a settings file to be read.

    The home may be another user's, as under sudo: a file there that may not be read is none. One
    that CHATDB_CONFIG_FILE names is read whatever it is.
    """
    env = os.environ if environment is None else environment
    named = bool(env.get(variables.CONFIG_FILE.names[0]))
    return os.access(path, os.F_OK if named else os.R_OK)


def _of_user(file: "UserFile | None", variable: Variable) -> Setting | None:
    value = None if file is None else file.get(variable)
    return None if value is None or file is None else Setting(value, f"{USER_FILE} {file.path}")


def _notes_of(file: "UserFile | None") -> Iterator[str]:
    if file is not None and file.holds_password and not file.is_private:
        chmod = f"chmod 600 {quote(str(file.path))}"
        yield f"{file.path} holds a password, and others can read it: {chmod}"


def state_folder() -> Path | None:
    """Return the folder for what chatdb remembers of its own use, None without a home."""
    return _own_folder(os.environ, variables.XDG_STATE_HOME)


def _own_folder(env: Mapping[str, str], variable: Variable) -> Path | None:
    """Return chatdb's folder below one of the XDG folders (or that of macOS)."""
    typed = env.get(variable.names[0], "")
    # The specification wants a relative one to be ignored.
    if typed.startswith("/"):
        return Path(typed, "chatdb")
    try:
        home = Path.home()
    except RuntimeError:
        return None
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "chatdb"
    return home / (variable.default or "").removeprefix("~/") / "chatdb"


def editor(environment: Mapping[str, str] | None = None) -> str | None:
    """Return the command line of the user's editor, None if none is set."""
    env = os.environ if environment is None else environment
    return next((env[name] for name in variables.EDITOR.names if env.get(name)), None)


def has_browser() -> bool:
    """Tell whether a browser can be expected: one is set, or there is a screen to show it on."""
    screens = (variables.BROWSER, variables.DISPLAY, variables.WAYLAND_DISPLAY)
    return sys.platform == "darwin" or any(os.environ.get(each.names[0]) for each in screens)


def pager_environment() -> dict[str, str]:
    """Return the environment for a pager: LESS=FRX unless the user has set LESS, as git does."""
    return {"LESS": variables.LESS.default or "", "LESSCHARSET": "utf-8", **os.environ}


def libpq_options() -> str:
    """Return PGOPTIONS, to which a client's own options are added."""
    return os.environ.get("PGOPTIONS", "")


def process_environment(additions: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment for a program that replaces it or is started."""
    return {**os.environ, **(additions or {})}


def _default(variable: Variable) -> Setting:
    return Setting(variable.default or "", "default")


def _rung(setting: Setting) -> int:
    """Return the priority of a setting's source, 0 being the highest."""
    return next(rung for rung, start in enumerate(_RUNGS) if setting.source.startswith(start))


def _is_foreign(setting: Setting | None, database: Setting) -> bool:
    """Tell whether a setting is for another database than the one that is used.

    Its source has a lower priority, or it is a project's and the database the user's own.
    """
    if setting is None:
        return False
    is_projects = setting.source.startswith(".env") and database.source.startswith(USER_FILE)
    return is_projects or _rung(setting) > _rung(database)


def _option(name: str, typed: str | None) -> Setting | None:
    if typed is None:
        return None
    if not typed.strip():
        raise ConfigurationError(
            f"{name} is empty", hint="leave the option out, or give it a value"
        )
    return Setting(typed, f"option {name}")


def _possible_schema(setting: Setting | None) -> Setting | None:
    """Return the setting; PostgreSQL would truncate a long name, and use another schema."""
    if setting is None:
        return None
    name = setting.value
    if len(name.encode(errors="replace")) > _LONGEST_NAME or name.startswith("pg_") or "\0" in name:
        raise ConfigurationError(
            f"invalid name for a PostgreSQL schema ({setting.source})",
            hint=f"use at most {_LONGEST_NAME} bytes, not starting with pg_: --schema chatdb",
        )
    return setting
