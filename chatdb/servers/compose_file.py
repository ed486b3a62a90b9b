"""The compose file: where it lies, and what it reads from the environment."""

from contextlib import suppress
from pathlib import Path

import chatdb
from chatdb.errors import NotFoundError
from chatdb.servers.base import DevServer

FILE_NAME = "docker-compose.dev.yml"
SERVICE = "postgres"
VOLUME = "postgres-data"
DATA_FOLDER = "chatdb"
"""The data in the volume lie in this folder: below the mount point, whatever the version."""

LABEL, LABEL_VALUE = "chatdb.server", "dev-db"
"""What chatdb made carries it: containers, volumes and networks."""


def shipped_compose_file() -> Path:
    """Return chatdb's own file: in a wheel inside the package, in a checkout beside it."""
    package = Path(chatdb.__file__).parent
    for folder in (package / "_compose", package.parent):
        if (folder / FILE_NAME).is_file():
            return folder / FILE_NAME
    raise NotFoundError(f"{FILE_NAME} is missing beside {package}", hint="install chatdb-cli again")


def compose_file_of(server: DevServer) -> Path:
    """Return the project's own copy (`chatdb init` makes one), else the shipped file.

    A file of the same name without our labels is another program's.
    """
    own = server.folder.parent / FILE_NAME
    with suppress(OSError):
        if f"{LABEL}: {LABEL_VALUE}" in own.read_text(errors="replace"):
            return own
    return shipped_compose_file()


def variables_of(server: DevServer) -> dict[str, str]:
    """Return the environment that the file reads, the password in it."""
    return {
        "CHATDB_DEV_IMAGE": server.image,
        "CHATDB_DEV_PORT": str(server.port),
        "CHATDB_DEV_USER": server.user,
        "CHATDB_DEV_PASSWORD": server.password,
        "CHATDB_DEV_DATABASE": server.database,
    }
