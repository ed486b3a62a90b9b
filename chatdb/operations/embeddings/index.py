"""Builds pgvector's index on the vectors of a model."""

from chatdb.db.database import Database
from chatdb.errors import NotFoundError
from chatdb.primitives.watch import Watch
from chatdb.store.vectors import numbers_of_any


def build_index(database: Database, model: str, watch: Watch) -> None:
    """Build it, if it is not there; raises UsageError where there is none, NotFoundError."""
    with database.transaction() as connection:
        numbers = numbers_of_any(connection, model)
    if numbers is None:
        raise NotFoundError(
            f"there are no vectors of {model} to index", hint="chatdb embeddings build"
        )
    watch.begin("building the index of vectors", None)
    database.dialect.vectors().build_index(database, model, numbers)
