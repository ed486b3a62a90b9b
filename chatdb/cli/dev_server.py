"""Shared by the commands of `chatdb dev-db`: the project, its engines, the options."""

from pathlib import Path
from typing import TYPE_CHECKING

from chatdb import config as settings
from chatdb.cli.context import CommandContext
from chatdb.config import Setting
from chatdb.variables import DEV_MEMORY

if TYPE_CHECKING:
    from chatdb.db.url import DatabaseUrl
    from chatdb.operations.dev_db.dev_db import DevDatabase, DevServerOption, DevServerOptions


def dev_database(command: CommandContext) -> "DevDatabase":
    """Return the development server of the project in the current directory."""
    from chatdb.operations.dev_db.dev_db import DevDatabase
    from chatdb.operations.dev_db.engines import Engines
    from chatdb.operations.dev_db.memory import project_at

    engines = Engines(
        environment=settings.process_environment(_for_compose(command)),
        bindir=command.bindir,
    )
    return DevDatabase(project_at(Path.cwd()), engines)


def _for_compose(command: CommandContext) -> dict[str, str]:
    """Return the setting that only the compose file reads; the default is the file's own."""
    memory = command.config.dev.memory
    return {} if memory.source == "default" else {DEV_MEMORY.names[0]: memory.value}


def options(command: CommandContext, *, engine: str, port: str | None) -> "DevServerOptions":
    """Return the options, else the settings; defaults count as not given."""
    from chatdb.operations.dev_db.dev_db import DevServerOption, DevServerOptions
    from chatdb.operations.dev_db.engines import AUTO

    dev = command.config.dev
    return DevServerOptions(
        engine=DevServerOption(engine, asked=engine != AUTO),
        port=_wish(dev.port) if port is None else DevServerOption(port, asked=True),
        user=_wish(dev.user),
        password=_wish(dev.password),
        database=_wish(dev.database),
        image=_wish(dev.image),
    )


def checkpoint_url(command: CommandContext) -> "DatabaseUrl":
    """Return the database whose checkpoints are meant: the development server's.

    Another database must be given by --database-url. Raises NotFoundError, RefusedError, UsageError
    for a SQLite file.
    """
    from chatdb.errors import UsageError

    if command.options.database_url is None:
        return dev_database(command).running()
    url = command.direct_url or command.url
    if url.path is not None:
        raise UsageError(
            "a SQLite database has no server to keep checkpoints",
            hint=f"copy its file: sqlite3 {url.path} '.backup copy.db'",
        )
    return url


def _wish(setting: Setting) -> "DevServerOption":
    from chatdb.operations.dev_db.dev_db import DevServerOption

    return DevServerOption(setting.value, asked=setting.source != "default")
