"""How many messages have vectors, by model, and taking the vectors away."""

from dataclasses import dataclass

import sqlalchemy as sa

from chatdb.db.database import Database
from chatdb.records import Organization
from chatdb.store.every_organization import Scope, chosen
from chatdb.store.vectors import (
    VectorCount,
    count_messages,
    delete_vectors,
    has_any,
    models_built,
    vector_counts,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStatus:
    """The vectors of one model in one organization.

    `vectors` messages have one of `numbers` numbers, `without_text` have nothing to embed,
    `missing` are new since the last build. `index_bytes` is the size of pgvector's index on the
    vectors of all organizations, None without one.
    """

    organization: str
    model: str
    vectors: int
    without_text: int
    missing: int
    numbers: int | None
    index_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DropReport:
    """The models whose vectors were removed, and of how many messages."""

    models: tuple[str, ...]
    removed: int


def embeddings_status(database: Database, *, scope: Scope) -> list[ModelStatus]:
    """Return the state of each model that was built, by organization."""
    found = []
    with database.transaction(snapshot=True) as connection:
        for organization in chosen(connection, database.dialect, scope):
            counts = vector_counts(connection, organization.id)
            messages = count_messages(connection, organization.id) if counts else 0
            found += [
                _status(database, connection, organization, each, messages) for each in counts
            ]
    return found


def _status(
    database: Database,
    connection: sa.Connection,
    organization: Organization,
    count: VectorCount,
    messages: int,
) -> ModelStatus:
    return ModelStatus(
        organization=organization.key,
        model=count.model,
        vectors=count.vectors,
        without_text=count.without,
        missing=max(0, messages - count.vectors - count.without),
        numbers=count.numbers,
        index_bytes=database.dialect.vectors().index_bytes(connection, count.model),
    )


def drop_vectors(
    database: Database, *, scope: Scope, model: str | None, dry_run: bool
) -> DropReport:
    """Remove the vectors of a model, or of all models, in the scope.

    The index on a model's vectors goes with the last of them.
    """
    models: set[str] = set()
    removed = 0
    with database.transaction(write=not dry_run) as connection:
        for organization in list(chosen(connection, database.dialect, scope)):
            built = models_built(connection, organization.id)
            models.update(built if model is None else {model} & {*built})
            if dry_run:
                removed += sum(
                    each.vectors + each.without
                    for each in vector_counts(connection, organization.id)
                    if model in (None, each.model)
                )
            else:
                removed += delete_vectors(connection, organization.id, model)
        if not dry_run and not database.dialect.is_bound(connection):
            for name in models:
                if not has_any(connection, name):
                    database.dialect.vectors().drop_index(connection, name)
    return DropReport(models=tuple(sorted(models)), removed=removed)
