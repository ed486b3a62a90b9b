"""Calls Alembic: run one script, print one as SQL, write a new one."""

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chatdb.db.migrating.scripts import Script, migrations_directory

if TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.config import Config


def run_script(
    connection: "sa.Connection", target: str, *, down: bool, directory: Path | None = None
) -> None:
    """Go up or down to the target revision on this connection, inside its transaction."""
    from alembic import command

    config = alembic_config(directory)
    # As an object: in a URL the password's `%` would break the configuration, and str() masks it.
    config.attributes["connection"] = connection
    (command.downgrade if down else command.upgrade)(config, target)


def offline_statements(
    script: Script, dialect_name: str, *, down: bool, directory: Path | None = None
) -> list[str]:
    """Return the statements of one script for a dialect, without a database."""
    from alembic import command

    below, above = script.down_revision or "base", script.revision
    buffer = _Statements()
    config = alembic_config(directory)
    config.attributes |= {"dialect_name": dialect_name, "output_buffer": buffer}
    if down:
        command.downgrade(config, f"{above}:{below}", sql=True)
    else:
        command.upgrade(config, f"{below}:{above}", sql=True)
    return buffer.statements


def alembic_config(directory: Path | None = None) -> "Config":
    """Return a configuration without a file; the caller puts its connection into `attributes`."""
    from alembic.config import Config

    # Alembic prints to stdout, which is for data only.
    config = Config(cmd_opts=Namespace(quiet=True))
    config.set_main_option("script_location", _escaped(migrations_directory()))
    # Folders may have spaces and colons in their names; Alembic warns without a choice.
    config.set_main_option("path_separator", "newline")
    if directory is not None:
        config.set_main_option("version_locations", _escaped(directory))
    return config


def _escaped(path: Path) -> str:
    # Alembic reads its options by configparser, which interpolates `%`.
    return str(path).replace("%", "%%")


class _Statements:
    """An output buffer that Alembic writes one statement at a time to."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    def write(self, text: str) -> None:
        statement = text.strip().removesuffix(";").strip()
        if statement and not _is_framing(statement):
            self.statements.append(statement)

    def flush(self) -> None:
        pass


def _is_framing(statement: str) -> bool:
    """Leave out comments, and the statements that Alembic adds around a script."""
    return statement.startswith("--") or statement in ("BEGIN", "COMMIT")


def write_script(
    connection: "sa.Connection",
    *,
    revision: str,
    title: str,
    include_object: Any,
    render_item: Any,
) -> Sequence[Path]:
    """Write a script with the difference between `db/schema.py` and the connected database."""
    from alembic import command

    config = alembic_config()
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    config.set_main_option("truncate_slug_length", "60")
    config.attributes |= {
        "connection": connection,
        "include_object": include_object,
        "render_item": render_item,
    }
    made = command.revision(config, message=title, autogenerate=True, rev_id=revision)
    found = made if isinstance(made, list) else [made]
    return [Path(script.path) for script in found if script is not None]
