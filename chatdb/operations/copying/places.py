"""The two databases of a copy: whether they can be copied, and the command that would do it."""

import shlex

from chatdb.db.connect import missing_file
from chatdb.db.database import Database
from chatdb.db.encoding import require_utf8_database
from chatdb.db.migrating.other_schemas import in_schemas
from chatdb.db.migrating.revision import look, mismatch
from chatdb.errors import RefusedError, SchemaMismatchError, UsageError
from chatdb.operations.schema.public import holds_nothing


def check_places(source: Database, destination: Database) -> None:
    """Raise what speaks against a copy; RefusedError where the destination lacks letters."""
    if address_of(source) == address_of(destination):
        raise UsageError(
            f"{source.url.redacted()} is both source and destination",
            hint="give a different destination",
        )
    if source.url.path is not None and not source.url.path.exists():
        raise missing_file(source.url, hint="check the path")
    seen = look(source.url, schema=source.schema)
    if seen.elsewhere:
        error = mismatch(seen, source.url)
        error.hint = _command(source, destination, source_schema=seen.elsewhere[0])
        raise error
    if seen.state != "current":
        raise _named_mismatch(source)
    require_utf8_database(destination.url)


def is_made(source: Database, destination: Database) -> bool:
    """Tell whether the destination has its tables; raises SchemaMismatchError for others.

    Only some of them, without a conversation, were left by a chatdb killed on its first use. Raises
    RefusedError if they are in another schema than the one that would be used.
    """
    seen = look(destination.url, schema=destination.schema)
    if seen.state == "behind" and holds_nothing(destination):
        return False
    if seen.state not in ("current", "empty"):
        raise _named_mismatch(destination)
    if seen.elsewhere and destination.schema is None:
        raise RefusedError(
            f"{destination.url.redacted()} has chatdb's tables {in_schemas(seen.elsewhere)}, not"
            " where a copy would make them; nothing was changed",
            hint=_command(source, destination, schema=seen.elsewhere[0]),
        )
    if seen.state == "empty" and seen.tables:
        raise SchemaMismatchError(
            f"{destination.url.redacted()} has tables of another program",
            state="not_chatdb",
            hint=f"to put chatdb's beside them: chatdb migrate {_typed(destination)}, then copy",
        )
    return seen.state == "current"


def _command(
    source: Database,
    destination: Database,
    *,
    source_schema: str | None = None,
    schema: str | None = None,
) -> str:
    """Return the whole command, for `--schema` alone is about both databases.

    `source_schema` and `schema` (the destination's) are given where another was typed.
    """
    words = [source.url.redacted(), destination.url.redacted()]
    own = schema or destination.schema
    from_schema = source_schema or source.schema
    if own is not None:
        words += ["--schema", own]
        from_schema = from_schema or _schema_of(source)
    if from_schema not in (None, own):
        words += ["--source-schema", str(from_schema)]
    return f"chatdb copy {shlex.join(words)}"


def _schema_of(database: Database) -> str | None:
    """Return the schema that unqualified names of a server lead to; None for a file."""
    if database.url.path is not None:
        return None
    with database.transaction() as connection:
        return str(connection.exec_driver_sql("SELECT current_schema()").scalar_one())


def _named_mismatch(database: Database) -> SchemaMismatchError:
    """Return the error with its command for the database concerned."""
    seen = look(database.url, schema=database.schema)
    error = mismatch(seen, database.url)
    if error.hint is not None:
        error.hint = error.hint.replace("chatdb migrate", f"chatdb migrate {_typed(database)}")
    return error


def _typed(database: Database) -> str:
    """Write the options that name a database."""
    words = ["-d", database.url.redacted()]
    return shlex.join(words if database.schema is None else [*words, "--schema", database.schema])


def address_of(database: Database) -> str:
    """Return what identifies a database: no user, no password, no parameters."""
    url = database.url
    if url.path is not None:
        return f"sqlite:///{url.path.resolve()}"
    host = url.host or dict(url.parameters).get("service", "localhost")
    where = f"{host}:{url.port or '5432'}"
    schema_name = "" if database.schema is None else f" ({database.schema})"
    return f"postgresql://{where}/{url.database or url.user}{schema_name}"
