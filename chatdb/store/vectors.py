"""Vectors of messages as rows: which messages lack one, how many there are, taking them away."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from chatdb.db.contract.search import SearchRequest, searched_text
from chatdb.db.schema import conversations, message_vectors, messages

TEXT_CHARACTERS = 8_000
"""How much of a message is embedded: some four pages."""

_v, _m = message_vectors.c, messages.c
Place = tuple[UUID, UUID]
"""A conversation and a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorCount:
    """The rows of one model: `vectors` of them have one, `numbers` long; `without` have none."""

    model: str
    vectors: int
    without: int
    numbers: int | None


def texts_after(organization: UUID, model: str, place: Place | None, most: int) -> sa.Select[Any]:
    """Return what reads messages in the order of their keys: key, text, digest of its vector."""
    own = sa.and_(
        _v.organization_id == _m.organization_id,
        _v.conversation_id == _m.conversation_id,
        _v.message_id == _m.id,
        _v.model == model,
    )
    text = sa.func.substr(searched_text(), 1, TEXT_CHARACTERS)
    statement = (
        sa.select(_m.conversation_id, _m.id, text.label("text"), _v.digest)
        .select_from(messages.outerjoin(message_vectors, own))
        .where(_m.organization_id == organization)
        .order_by(_m.conversation_id, _m.id)
        .limit(most)
    )
    if place is None:
        return statement
    here = [sa.literal(each, _m.id.type) for each in place]
    return statement.where(sa.tuple_(_m.conversation_id, _m.id) > sa.tuple_(*here))


def count_messages(connection: sa.Connection, organization: UUID) -> int:
    """Return how many messages an organization has."""
    count = sa.select(sa.func.count()).where(_m.organization_id == organization)
    return int(connection.execute(count.select_from(messages)).scalar_one())


def count_rows(connection: sa.Connection, organization: UUID, model: str) -> int:
    """Return how many messages were looked at for a model, whether they got a vector or not."""
    own = _v.organization_id == organization, _v.model == model
    count = sa.select(sa.func.count()).select_from(message_vectors).where(*own)
    return int(connection.execute(count).scalar_one())


def vector_counts(connection: sa.Connection, organization: UUID) -> list[VectorCount]:
    """Return the counts of each model, by its name."""
    with_one = sa.func.count(_v.vector)
    own = _v.organization_id == organization
    rows = connection.execute(
        sa.select(_v.model, with_one, sa.func.count() - with_one)
        .where(own)
        .group_by(_v.model)
        .order_by(_v.model)
    )
    return [
        VectorCount(
            model=model,
            vectors=vectors,
            without=without,
            numbers=numbers_of(connection, organization, model),
        )
        for model, vectors, without in rows.fetchall()
    ]


def numbers_of(connection: sa.Connection, organization: UUID, model: str) -> int | None:
    """Return how many numbers the vectors of a model have, None without any."""
    return _numbers(connection, _v.organization_id == organization, _v.model == model)


def numbers_of_any(connection: sa.Connection, model: str) -> int | None:
    """Return how many numbers the vectors of a model have in whatever organization."""
    return _numbers(connection, _v.model == model)


def _numbers(connection: sa.Connection, *own: sa.ColumnElement[bool]) -> int | None:
    one = sa.select(_v.vector).where(*own, _v.vector.is_not(None)).limit(1)
    vector = connection.scalar(one)
    if vector is None:
        return None
    return len(vector) // 4 if isinstance(vector, bytes) else len(vector)


def models_built(connection: sa.Connection, organization: UUID) -> list[str]:
    """Return the models of which there is a vector, by name."""
    own = _v.organization_id == organization
    return list(connection.scalars(sa.select(_v.model).where(own).distinct().order_by(_v.model)))


def delete_vectors(connection: sa.Connection, organization: UUID, model: str | None) -> int:
    """Delete the vectors of a model, or of all; return how many rows there were."""
    own = [_v.organization_id == organization]
    if model is not None:
        own.append(_v.model == model)
    return connection.execute(sa.delete(message_vectors).where(*own)).rowcount


def delete_left_over(connection: sa.Connection, organization: UUID, model: str) -> int:
    """Delete the vectors of messages that an application has deleted; return how many."""
    own = sa.select(_m.id).where(
        _m.organization_id == _v.organization_id,
        _m.conversation_id == _v.conversation_id,
        _m.id == _v.message_id,
    )
    return connection.execute(
        sa.delete(message_vectors).where(
            _v.organization_id == organization, _v.model == model, ~own.exists()
        )
    ).rowcount


def has_any(connection: sa.Connection, model: str) -> bool:
    """Tell whether any organization has vectors of a model."""
    one = sa.select(_v.model).where(_v.model == model).limit(1)
    return connection.execute(one).first() is not None


def in_conversations_of(request: SearchRequest) -> Iterator[sa.ColumnElement[bool]]:
    """Yield the condition that a vector's conversation meets a search's conditions on it."""
    c = conversations.c
    conditions = [
        *request.filters.of_conversation(),
        *(c.user_id.in_(sorted(each)) for each in (request.users, request.within_users) if each),
    ]
    if request.not_users:
        conditions.append(sa.or_(c.user_id.is_(None), c.user_id.not_in(sorted(request.not_users))))
    if conditions:
        own = c.organization_id == request.organization_id
        yield _v.conversation_id.in_(sa.select(c.id).where(own, *conditions))
