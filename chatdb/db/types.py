"""Column types that behave alike on both databases: aware UTC times, canonical JSON, UUIDs.

SQLite stores them as text that sorts and reads well: UUIDs with hyphens, times as
`2026-01-31T12:00:00.000000Z`, JSON in its canonical form.
"""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from chatdb.primitives import canonical


def time_text(time: datetime) -> str:
    """Return an aware time as SQLite stores it: 27 characters, UTC, microseconds."""
    utc = time.astimezone(UTC)
    # Always as long: texts of one length sort as the times they mean.
    return utc.isoformat(timespec="microseconds")[:26] + "Z"


def parse_time(text: str) -> datetime:
    """Read a time that SQLite stored, or that an application wrote in any ISO 8601 form."""
    time = datetime.fromisoformat(text)
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _keeps_text(dialect: Dialect) -> bool:
    """Distinguish SQLite, which has text for all of these, from PostgreSQL's native types."""
    return not dialect.supports_native_uuid


class StoredText(TypeDecorator[str]):
    """Text as both databases store it: stored and searched values pass `clean_text`."""

    impl = sa.Text()
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else canonical.clean_text(value)[0]


class UtcTime(TypeDecorator[datetime]):
    """An aware datetime in UTC with microseconds; a naive one is refused."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        kept: TypeEngine[Any] = sa.Text() if _keeps_text(dialect) else sa.DateTime(timezone=True)
        return dialect.type_descriptor(kept)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        # Guessing a zone would shift the time by hours, and nobody would notice.
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        return time_text(value) if _keeps_text(dialect) else value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return parse_time(value) if _keeps_text(dialect) else value.astimezone(UTC)


class HyphenUuid(TypeDecorator[UUID]):
    """A UUID: native on PostgreSQL, 36 characters of text on SQLite."""

    impl = sa.Uuid()
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        kept: TypeEngine[Any] = sa.Text() if _keeps_text(dialect) else sa.Uuid()
        return dialect.type_descriptor(kept)

    def process_bind_param(self, value: UUID | None, dialect: Dialect) -> Any:
        return str(value) if value is not None and _keeps_text(dialect) else value

    def process_result_value(self, value: Any, dialect: Dialect) -> UUID | None:
        return UUID(value) if value is not None and _keeps_text(dialect) else value


class CanonicalJson(TypeDecorator[Any]):
    """A JSON value: JSONB on PostgreSQL, canonical text on SQLite; None is SQL's NULL."""

    impl = sa.JSON(none_as_null=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if _keeps_text(dialect):
            return dialect.type_descriptor(sa.Text())
        from sqlalchemy.dialects.postgresql import JSONB  # A tenth of the start-up time on SQLite.

        return dialect.type_descriptor(JSONB(none_as_null=True))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        if value is not None and _keeps_text(dialect):
            return canonical.encode_text(value)
        return value

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return canonical.decode(value) if value is not None and _keeps_text(dialect) else value


class FloatVector(TypeDecorator[list[float]]):
    """The numbers of an embedding: pgvector's type or JSONB on PostgreSQL, JSON text on SQLite."""

    impl = sa.Text()
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(sa.Text() if _keeps_text(dialect) else _OfTheColumn())

    def process_bind_param(self, value: list[float] | None, dialect: Dialect) -> Any:  # noqa: ARG002
        return None if value is None else canonical.encode_vector(value).decode()

    def process_result_value(self, value: Any, dialect: Dialect) -> list[float] | None:  # noqa: ARG002
        if value is None:
            return None
        # pgvector gives text without its own adapter, JSONB a list.
        return canonical.vector(canonical.decode(value) if isinstance(value, str) else value)


class PackedVector(TypeDecorator[Any]):
    """A vector in single precision: an array on PostgreSQL, little-endian bytes on SQLite."""

    impl = sa.LargeBinary()
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        kept: TypeEngine[Any] = sa.LargeBinary() if _keeps_text(dialect) else sa.ARRAY(sa.REAL())
        return dialect.type_descriptor(kept)


class _OfTheColumn(sa.types.UserDefinedType[Any]):
    """The literal that PostgreSQL receives without a type, and gives the column's type."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "JSONB"
