"""Records with a value in every field, made from the fields' types: no field is named here."""

import types
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Literal, Union, get_args, get_origin
from uuid import UUID

import msgspec

from chatdb.primitives import canonical
from chatdb.records import Conversation, Digest, Place

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
LISTED = 2
"""Records in a list: the second is full, and what refers to another one means the first."""

Make = Callable[[int], Any]

_SIMPLE: dict[Any, Make] = {
    str: lambda number: f"text {number}",
    int: lambda number: number,
    Digest: lambda number: f"{number:064x}",
    float: lambda number: canonical.vector([number / 8])[0],
    bool: lambda _: True,
    datetime: lambda number: NOON + timedelta(seconds=number, microseconds=number),
    Any: lambda number: {"value": [number, "text", None, True]},
}


def full_conversation(start: int = 1) -> Conversation:
    """Return a conversation with a value in every field, each of them another one.

    Records with another `start` have the same ids, and later times, but no other value in common.
    """
    record: Conversation = full(Conversation, count(start), position=0)
    return record


def full(kind: type[msgspec.Struct], numbers: Iterator[int], *, position: int) -> Any:
    """Return a record that is the one at this position of its list."""
    values = {
        field.encode_name: _value(field.type, numbers, position)
        for field in msgspec.structs.fields(kind)
    }
    return kind(**values)


def bare_conversation() -> Conversation:
    """Return the conversation of the same ids with the fields that must be given, no others."""
    record: Conversation = _bare(Conversation, count(1), position=0)
    return record


def _bare(kind: type[msgspec.Struct], numbers: Iterator[int], *, position: int) -> Any:
    required = {
        field.encode_name: _value(field.type, numbers, position)
        for field in msgspec.structs.fields(kind)
        if field.required
    }
    return kind(**required)


def _value(kind: Any, numbers: Iterator[int], position: int) -> Any:
    """Return a value of a type; raises TypeError for a type that no field had before."""
    if kind is Place:
        return position
    if kind in _SIMPLE:
        return _SIMPLE[kind](next(numbers))
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        (inner,) = (each for each in arguments if each is not types.NoneType)
        return UUID(int=1) if inner is UUID else _value(inner, numbers, position)
    if kind is UUID:
        return UUID(int=position + 1)
    if origin is Literal:
        next(numbers)
        return arguments[-2]  # not the first: that is what many take where they know nothing
    if origin is dict:
        return _SIMPLE[Any](next(numbers))
    if (
        origin is list
        and isinstance(arguments[0], type)
        and issubclass(arguments[0], msgspec.Struct)
    ):
        inner = arguments[0]
        return [
            *(_bare(inner, numbers, position=place) for place in range(LISTED - 1)),
            full(inner, numbers, position=LISTED - 1),
        ]
    if origin is list:
        return [_value(arguments[0], numbers, position) for _ in range(LISTED)]
    raise TypeError(f"say in tests/store/filled.py what a field of {kind} may hold")


def values_of(record: msgspec.Struct) -> Iterator[tuple[str, Any]]:
    """Yield every field with its value, those of records in lists by their places."""
    for name in record.__struct_fields__:
        value = getattr(record, name)
        if isinstance(value, list) and value and isinstance(value[0], msgspec.Struct):
            for place, each in enumerate(value):
                for inner, held in values_of(each):
                    yield f"{name}.{place}.{inner}", held
        else:
            yield name, value
