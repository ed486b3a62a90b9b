"""Where the tables would be created on PostgreSQL, and what prevents it."""

import shlex
from typing import TYPE_CHECKING, Any

from chatdb.db.migrating.other_schemas import ELSEWHERE, in_schemas
from chatdb.db.migrating.scripts import VERSION_TABLE
from chatdb.db.url import DatabaseUrl
from chatdb.errors import ConfigurationError, DatabaseFailedError, RefusedError

if TYPE_CHECKING:
    import psycopg

_PLACE = f"""
SELECT current_setting('server_encoding'), current_database()::text, current_user::text,
       current_schema()::text, n.nspname::text,
       has_database_privilege(current_database(), 'CREATE'),
       has_schema_privilege(current_schema(), 'CREATE'),
       EXISTS (SELECT FROM pg_namespace WHERE nspname = %(schema)s)
FROM (SELECT to_regclass('{VERSION_TABLE}') AS version) v
LEFT JOIN pg_class c ON c.oid = v.version LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
"""
_SYSTEM = ("pg_catalog", "information_schema")


def require_place(
    connection: "psycopg.Connection[Any]", url: DatabaseUrl, schema: str | None, *, writes: bool
) -> None:
    """Implements `MigrationWays.require_place` on an open connection."""
    row = connection.execute(_PLACE.encode(), {"schema": schema}).fetchall()[0]
    encoding, database, user, here, version_schema, may_make_schema, may_create, is_there = row
    require_utf8(database, encoding)
    if schema is None:
        if here is None or here in _SYSTEM:
            raise ConfigurationError(
                f"the search path of user {user} contains no schema where tables can be created",
                hint="give one: --schema public",
            )
        _require_one_set(connection, url, here, version_schema)
    elif not is_there:
        if writes and not may_make_schema:
            raise DatabaseFailedError(
                f"user {user} may not create the schema {schema} in the database {database}",
                hint=f"as the database's owner: CREATE SCHEMA {sql_name(schema)} AUTHORIZATION"
                f" {sql_name(user)}",
            )
        return
    if writes and not may_create:
        raise DatabaseFailedError(
            f"user {user} may not create tables in the schema {here or schema}",
            hint="as its owner: GRANT USAGE, CREATE ON SCHEMA"
            f" {sql_name(here or schema or '')} TO {sql_name(user)}",
        )


def require_utf8(database: str, encoding: str) -> None:
    """Raise RefusedError for an encoding that cannot hold every letter."""
    if encoding != "UTF8":
        raise RefusedError(
            f"the database {database} has the encoding {encoding}, which cannot store every chat;"
            " nothing was changed",
            hint="create one that can, and give its URL with --database-url: CREATE DATABASE"
            f" {sql_name(database + '_utf8')} TEMPLATE template0 ENCODING 'UTF8'",
        )


def _require_one_set(
    connection: "psycopg.Connection[Any]", url: DatabaseUrl, here: str, version_schema: str | None
) -> None:
    """Refuse to create the tables, or some of them here, if they exist in another schema."""
    if version_schema == here:
        return
    found = [version_schema] if version_schema is not None else []
    found = found or [name for (name,) in connection.execute(ELSEWHERE.encode(), {"schema": None})]
    if found:
        raise RefusedError(
            f"{url.redacted()} has chatdb's tables {in_schemas(found)}; by default, new ones "
            f"would be created in {here}; nothing was changed",
            hint=f"chatdb migrate --schema {shlex.quote(found[0])}; for a second set of tables:"
            f" --schema {shlex.quote(here)}",
        )


def sql_name(text: str) -> str:
    """Write a name for SQL, quoted only if necessary."""
    if text.isidentifier() and text.isascii() and text.islower():
        return text
    return '"' + text.replace('"', '""') + '"'
