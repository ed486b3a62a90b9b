"""The migrations: where the scripts lie, and one revision at a time on a given connection.

Alembic is imported inside functions: a command that finds nothing to do never loads it.
"""

from typing import TYPE_CHECKING

from chatdb.db.database import Database
from chatdb.db.scripts import (
    VERSION_TABLE,
    Script,
    head_revision,
    migrations_directory,
    scripts,
)

if TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.config import Config


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
