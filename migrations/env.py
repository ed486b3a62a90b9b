"""Alembic's environment: runs on the connection that `chatdb.db.migrations` hands over.

`alembic` typed by hand in a checkout works too: it opens the configured database itself.
"""

from alembic import context

from chatdb.db.schema import VERSION_TABLE, metadata


def run() -> None:
    connection = context.config.attributes.get("connection")
    if connection is None:
        _run_with_own_connection()
        return
    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table=VERSION_TABLE,
        render_as_batch=connection.dialect.name == "sqlite",
        include_object=context.config.attributes.get("include_object"),
        compare_type=True,
    )
    context.run_migrations()


def _run_with_own_connection() -> None:
    import os  # noqa: PLC0415
    from pathlib import Path  # noqa: PLC0415

    from chatdb.config import load_config  # noqa: PLC0415
    from chatdb.db.database import Database  # noqa: PLC0415
    from chatdb.db.url import parse_url  # noqa: PLC0415

    config = load_config({}, environment=os.environ, directory=Path.cwd())
    database = Database.open(parse_url(config.database_url.value), schema=config.schema.value)
    with database.migration_transaction() as connection:
        context.config.attributes["connection"] = connection
        run()


run()
