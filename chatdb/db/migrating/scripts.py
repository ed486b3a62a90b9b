"""The migration scripts as files: read without importing them, Alembic or SQLAlchemy."""

import re
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

import chatdb
from chatdb.errors import NotFoundError

VERSION_TABLE = "chatdb_version"
"""Never `alembic_version`, which may be the application's."""

# Read as text: importing Alembic to learn the head takes 0.4 s, a scan of the files some ms.
_REVISION = re.compile(r"^revision\b[^=\n]*= *[\"'](\w+)[\"']", re.MULTILINE)
_DOWN_REVISION = re.compile(r"^down_revision\b[^=\n]*= *(?:None|[\"'](\w+)[\"'])", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Script:
    """A migration script: `sha256` is of its text with `\\n` line ends."""

    revision: str
    down_revision: str | None
    title: str
    sha256: str
    path: Path


def migrations_directory() -> Path:
    """Return the folder of env.py: inside the package in a wheel, beside it in a checkout."""
    package = Path(chatdb.__file__).parent
    # An editable install leaves a frozen copy in site-packages, so the package's own place decides.
    for folder in (package / "_migrations", package.parent / "migrations"):
        if (folder / "env.py").is_file():
            return folder
    raise NotFoundError(
        f"chatdb's migrations are missing beside {package}", hint="reinstall chatdb-cli"
    )


def is_checkout() -> bool:
    """Tell whether the migrations are those of a source checkout, where new ones may be written."""
    folder = migrations_directory()
    return folder.name == "migrations" and (folder.parent / "pyproject.toml").is_file()


@cache
def scripts(directory: Path | None = None) -> tuple[Script, ...]:
    """Return every script from the first to head; `directory` is another folder of scripts."""
    found = {}
    for path in (directory or migrations_directory() / "versions").glob("*.py"):
        script = _read_script(path)
        found[script.down_revision] = script
    chain: list[Script] = []
    while (script_after := found.get(chain[-1].revision if chain else None)) is not None:
        chain.append(script_after)
    return tuple(chain)


def head_revision(directory: Path | None = None) -> str:
    """Return the newest revision this chatdb knows."""
    return scripts(directory)[-1].revision


def _read_script(path: Path) -> Script:
    text = path.read_text(encoding="utf-8")
    revision, down = _REVISION.search(text), _DOWN_REVISION.search(text)
    if revision is None or down is None:
        raise NotFoundError(f"{path} names no revision", hint="reinstall chatdb-cli")
    title = text.lstrip().removeprefix('"""').partition("\n")[0].strip().removesuffix('"""')
    # git may check files out with other line ends; the script is the same.
    digest = sha256(text.replace("\r\n", "\n").encode()).hexdigest()
    return Script(revision[1], down[1], title.rstrip("."), digest, path)
