"""What chatdb records about a project's development server, in the project's `.chatdb`."""

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path

from chatdb.errors import ConfigurationError
from chatdb.primitives.atomic_write import atomic_write
from chatdb.primitives.filled import filled
from chatdb.primitives.own_folder import ignore_all_in, make_own_folder
from chatdb.servers.base import DevServer
from chatdb.servers.embedded.home import user_folder
from chatdb.servers.lock import only_one

FILE = "dev-db.json"
_LOCK = "dev-db.lock"
_PRODUCTION = "production"
"""A file that exists if the database was labelled so: a stopped server cannot be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """A server as it was last started; `path` is the folder it was recorded in."""

    engine: str
    project: str
    path: str
    port: int
    user: str
    password: str
    database: str
    image: str

    def server(self, folder: Path) -> DevServer:
        """Return the recorded server; `folder` is the project's `.chatdb`."""
        return filled(DevServer, self, folder=folder)


@dataclass(frozen=True, slots=True)
class Project:
    """A project's chatdb folder: `.chatdb`, or one of the user's if that is impossible."""

    root: Path
    folder: Path

    @property
    def new_name(self) -> str:
        """Return a unique name for the project: its folder's name, and a digest of its path."""
        slug = re.sub(r"[^a-z0-9]+", "-", self.root.name.lower()).strip("-")[:30]
        return f"chatdb-{slug}-{_digest(self.root)}" if slug else f"chatdb-{_digest(self.root)}"

    def is_new(self) -> bool:
        """Tell whether chatdb has nothing here: then there is nothing to lock or to stop."""
        return not self.folder.exists()

    def load(self) -> Remembered | None:
        """Return the recorded server; raises ConfigurationError if the file cannot be read.

        A project that was copied with its `.chatdb` gets a new name: it must not stop the server of
        the original.
        """
        path = self.folder / FILE
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            found = Remembered(**{name: told[name] for name in Remembered.__slots__})
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(
                f"{path} was not written by chatdb, or is damaged",
                hint=f"remove it (the data is kept): rm {path}; then run: chatdb dev-db up",
            ) from error
        if found.path == str(self.folder) or not _is_of(found):
            return found
        return replace(found, project=self.new_name)

    def save(self, remembered: Remembered) -> None:
        """Write the file atomically, for its user only."""
        self.make()
        text = json.dumps(asdict(remembered), indent=2, ensure_ascii=False)
        with atomic_write(self.folder / FILE) as stream:
            stream.write(f"{text}\n".encode())

    def note_production(self, *, is_production: bool) -> None:
        """Record whether the database is labelled production, for when it cannot be asked."""
        mark = self.folder / _PRODUCTION
        if is_production:
            mark.touch()
        else:
            mark.unlink(missing_ok=True)

    def was_production(self) -> bool:
        """Tell whether the database was last recorded as labelled production."""
        return (self.folder / _PRODUCTION).exists()

    def forget(self) -> None:
        """Remove the files."""
        (self.folder / FILE).unlink(missing_ok=True)
        self.note_production(is_production=False)

    def make(self) -> None:
        """Make the folder, which git ignores because of a file in it.

        Raises ConfigurationError if something else has its name.
        """
        if self.folder.exists() and not self.folder.is_dir():
            raise ConfigurationError(
                f"{self.folder} is not a folder", hint="move it away, then run: chatdb dev-db up"
            )
        make_own_folder(self.folder)
        ignore_all_in(self.folder)

    @contextmanager
    def locked(self, note: Callable[[str], None]) -> Iterator[None]:
        """Keep other chatdb processes from starting or stopping the project's server meanwhile.

        The lock ends with the process.
        """
        self.make()
        with only_one(self.folder / _LOCK, note):
            yield


def project_at(root: Path) -> Project:
    """Return the project of a folder; creates nothing."""
    root = root.absolute()
    inside = root / ".chatdb"
    if inside.is_dir() or os.access(root, os.W_OK):
        return Project(root, inside)
    return Project(root, user_folder() / f"project-{_digest(root)}")


def _is_of(found: Remembered) -> bool:
    """Tell whether the folder that recorded this still exists and has the same server."""
    try:
        told = json.loads((Path(found.path) / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(told, dict) and told.get("project") == found.project


def _digest(path: Path) -> str:
    return sha256(os.fsencode(path)).hexdigest()[:8]
