"""The migrations: where the scripts lie, and one revision at a time on a given connection.

Alembic is imported inside functions: a command that finds nothing to do never loads it.
"""

import re
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import chatdb
from chatdb.db.database import Database
from chatdb.db.schema import VERSION_TABLE
from chatdb.errors import NotFoundError

if TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.config import Config

_REVISION = re.compile(r"^revision\b[^=]*= *[\"'](\w+)[\"']", re.MULTILINE)
_DOWN_REVISION = re.compile(r"^down_revision\b[^=]*= *(?:None|[\"'](\w+)[\"'])", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Script:
    """A migration script: `sha256` is of its text with `\\n` line ends."""

    revision: str
    down_revision: str | None
    title: str
    sha256: str
    path: Path


def migrations_directory() -> Path:
    """Return the folder of env.py: in a wheel inside the package, in a checkout beside it."""
    package = Path(chatdb.__file__).parent
    for folder in (package / "_migrations", package.parent / "migrations"):
        if (folder / "env.py").is_file():
            return folder
    raise NotFoundError(
        f"the migrations of chatdb are missing beside {package}", hint="install chatdb-cli again"
    )


@cache
def scripts() -> tuple[Script, ...]:
    """Return every script from the first to head, read without importing Alembic or the scripts."""
    found = {}
    for path in migrations_directory().glob("versions/*.py"):
        script = _read_script(path)
        found[script.down_revision] = script
    chain: list[Script] = []
    while (script_after := found.get(chain[-1].revision if chain else None)) is not None:
        chain.append(script_after)
    return tuple(chain)


def head_revision() -> str:
    """Return the newest revision this chatdb knows."""
    return scripts()[-1].revision


def current_revision(connection: "sa.Connection") -> str | None:
    """Return the revision the database is at; None when chatdb has never migrated it."""
    import sqlalchemy as sa

    if VERSION_TABLE not in sa.inspect(connection).get_table_names():
        return None
    return connection.scalar(sa.text(f"SELECT version_num FROM {VERSION_TABLE}"))


def run_script(connection: "sa.Connection", revision: str) -> None:
    """Upgrade by Alembic to the revision on this connection, inside its transaction."""
    from alembic import command

    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def alembic_config() -> "Config":
    """Return a configuration without a file; the caller puts its connection into `attributes`."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations_directory()).replace("%", "%%"))
    return config


def upgrade(database: Database, *, revision: str | None = None) -> list[Script]:
    """Apply what is missing up to `revision` (None: head), a transaction each; return them."""
    applied: list[Script] = []
    target = revision or head_revision()
    while True:
        with database.migration_transaction() as connection:
            script = _next_script(current_revision(connection), target)
            if script is None:
                return applied
            run_script(connection, script.revision)
        applied.append(script)


def _next_script(current: str | None, target: str) -> Script | None:
    if current == target:
        return None
    return next((script for script in scripts() if script.down_revision == current), None)


def _read_script(path: Path) -> Script:
    text = path.read_text(encoding="utf-8")
    revision, down = _REVISION.search(text), _DOWN_REVISION.search(text)
    if revision is None or down is None:
        raise NotFoundError(f"{path} names no revision", hint="install chatdb-cli again")
    title = text.lstrip().removeprefix('"""').partition("\n")[0].strip().removesuffix('"""')
    digest = sha256(text.replace("\r\n", "\n").encode()).hexdigest()
    return Script(revision[1], down[1], title, digest, path)
