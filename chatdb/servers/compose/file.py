"""The compose file: where it is, and what it reads from the environment."""

from contextlib import suppress
from pathlib import Path

import chatdb
from chatdb.errors import NotFoundError
from chatdb.servers.base import DevServer

FILE_NAME = "docker-compose.dev.yml"
SERVICE = "postgres"
VOLUME = "postgres-data"
DATA_FOLDER = "chatdb"
"""The folder of the data in the volume: below the mount point, whatever the version."""

LABEL, LABEL_VALUE = "chatdb.server", "dev-db"
"""The label of everything chatdb creates: containers, volumes and networks."""


def shipped_compose_file() -> Path:
    """Return chatdb's own file: inside the package in a wheel, beside it in a checkout."""
    package = Path(chatdb.__file__).parent
    for folder in (package / "_compose", package.parent):
        if (folder / FILE_NAME).is_file():
            return folder / FILE_NAME
    raise NotFoundError(f"{FILE_NAME} is missing beside {package}", hint="reinstall chatdb-cli")


def compose_file_of(server: DevServer) -> Path:
    """Return the project's own copy (`chatdb init` creates one), else the shipped file.

    A file of the same name without our labels belongs to another program.
    """
    own = server.folder.parent / FILE_NAME
    with suppress(OSError):
        if f"{LABEL}: {LABEL_VALUE}" in own.read_text(errors="replace"):
            return own
    return shipped_compose_file()


def variables_of(server: DevServer) -> dict[str, str]:
    """Return the environment that the file reads, including the password."""
    return {
        "CHATDB_DEV_IMAGE": server.image,
        "CHATDB_DEV_PORT": str(server.port),
        "CHATDB_DEV_USER": server.user,
        "CHATDB_DEV_PASSWORD": server.password,
        "CHATDB_DEV_DATABASE": server.database,
    }
