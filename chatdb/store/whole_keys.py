"""Conditions for rows by their whole keys: for anything shorter SQLite reads much more."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa

# SQLite refuses an expression deeper than 1,000.
_AT_ONCE = 200

_Key = TypeVar("_Key")


def some_at_once(keys: Sequence[_Key]) -> Iterator[Sequence[_Key]]:
    """Yield the keys in parts that a statement can hold."""
    for start in range(0, len(keys), _AT_ONCE):
        yield keys[start : start + _AT_ONCE]


def is_one_of(
    columns: Sequence[sa.Column[Any]], keys: Sequence[Sequence[Any]]
) -> sa.ColumnElement[bool]:
    """Return the condition that the columns have the values of one of the keys."""
    return sa.or_(
        *(
            sa.and_(*(column == value for column, value in zip(columns, key, strict=True)))
            for key in keys
        )
    )
