"""Alembic's environment: runs on the connection that `chatdb.db.migrating.migrations` passes.

Running `alembic` by hand in a checkout works too: it opens the configured database itself.
"""

from alembic import context

from chatdb.db.schema import VERSION_TABLE, metadata


def run() -> None:
    if context.is_offline_mode():
        _print_statements()
        return
    connection = context.config.attributes.get("connection")
    if connection is None:
        _run_with_own_connection()
        return
    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table=VERSION_TABLE,
        include_object=context.config.attributes.get("include_object"),
        render_item=context.config.attributes.get("render_item"),
        compare_type=True,
    )
    context.run_migrations()


def _print_statements() -> None:
    context.configure(
        dialect_name=context.config.attributes.get("dialect_name", "postgresql+psycopg"),
        target_metadata=metadata,
        version_table=VERSION_TABLE,
        literal_binds=True,
        dialect_opts={"paramstyle": "named"},  # The others double every percent sign.
        output_buffer=context.config.attributes.get("output_buffer"),
    )
    context.run_migrations()


def _run_with_own_connection() -> None:
    from chatdb.config import export_libpq, load
    from chatdb.db.database import Database
    from chatdb.db.url import parse_url

    config = load()
    export_libpq(config)
    schema = None if config.schema is None else config.schema.value
    url = parse_url((config.direct_url or config.database_url).value)
    database = Database.open(url, schema=schema)
    with database.migration_transaction() as connection:
        context.config.attributes["connection"] = connection
        run()


run()
