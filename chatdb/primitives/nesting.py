"""How deep JSON may be nested: one limit for all input, and room to work within it.

The interpreter's own limit, which JSON libraries share, counts the surrounding calls too: what one
command could just read, another could not write.
"""

import sys
from collections.abc import Callable, Iterable
from typing import Any, ParamSpec, TypeVar

MAX_DEPTH = 1000
"""Levels of nested lists and objects in a JSON value; SQLite's functions have the same limit."""
TOO_DEEP = f"nested too deeply: more than {MAX_DEPTH:,} levels"

_ROOM = 3 * MAX_DEPTH
_CONTAINERS = (dict, list, tuple)

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class TooDeepError(ValueError):
    """A JSON value that is nested too deeply."""

    def __init__(self) -> None:
        super().__init__(TOO_DEEP)


def with_room(
    function: Callable[Parameters, Result], *arguments: Parameters.args, **named: Parameters.kwargs
) -> Result:
    """Call a function that may hit the interpreter's limit, and again with a higher one.

    Raises TooDeepError if that is not enough either. The limit stays: another thread may be deep in
    its work when it would be lowered.
    """
    if sys.getrecursionlimit() < _ROOM:
        try:
            return function(*arguments, **named)
        except RecursionError:
            sys.setrecursionlimit(_ROOM)
    try:
        return function(*arguments, **named)
    except RecursionError as error:
        raise TooDeepError from error


def roomy(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Return the function with enough stack for everything within the limit."""

    def call(*arguments: Parameters.args, **named: Parameters.kwargs) -> Result:
        try:
            return function(*arguments, **named)
        except RecursionError:
            return with_room(function, *arguments, **named)

    return call


def is_too_deep(value: Any) -> bool:
    """Tell whether a JSON value is nested deeper than `MAX_DEPTH`."""
    if not may_be_too_deep():
        return False
    level = [value] if isinstance(value, _CONTAINERS) else []
    for _ in range(MAX_DEPTH):
        level = [
            inner for each in level for inner in _inside(each) if isinstance(inner, _CONTAINERS)
        ]
        if not level:
            return False
    return True


def require_depth(value: Any) -> Any:
    """Return the value; raises TooDeepError for one that is nested too deeply."""
    if is_too_deep(value):
        raise TooDeepError
    return value


def may_be_too_deep() -> bool:
    """Tell whether decoded JSON can be too deep at all.

    Up to Python 3.11 the interpreter's limit applies to JSON libraries, and is the same.
    """
    return sys.getrecursionlimit() > MAX_DEPTH or sys.version_info >= (3, 12)


def _inside(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value
