"""Metadata as users type it: `KEY=VALUE`, with keys of nested objects joined by points."""

import re
from collections.abc import Iterable
from typing import Any

from chatdb.errors import UsageError
from chatdb.primitives import canonical

_KEY = re.compile(r'"([^"]*)"|([^."=]+)')
_MOST_KEYS = 20


def condition(text: str) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    """Return the path and the accepted values: `n=5` means the number and the text.

    Raises UsageError.
    """
    path, value = _split(text)
    read = _scalar(value)
    return path, (value,) if isinstance(read, str) else (value, read)


def object_of(texts: Iterable[str]) -> dict[str, Any]:
    """Return the object that such texts form together; values that are JSON are read as JSON.

    Raises UsageError.
    """
    made: dict[str, Any] = {}
    for text in texts:
        path, value = _split(text)
        inner = made
        for key in path[:-1]:
            inner = inner.setdefault(key, {})
            if not isinstance(inner, dict):
                raise UsageError(f"{text!r}: {key!r} already has a value", hint="give it only once")
        inner[path[-1]] = _value(value)
    return made


def _split(text: str) -> tuple[tuple[str, ...], str]:
    cleaned = canonical.clean_text(text)[0]
    path: list[str] = []
    place = 0
    while (key := _KEY.match(cleaned, place)) is not None:
        path.append(key[1] if key[1] is not None else key[2])
        place = key.end()
        if not cleaned.startswith(".", place):
            break
        place += 1
    else:
        path = []  # A point without a key after it.
    if not path or not cleaned.startswith("=", place) or len(path) > _MOST_KEYS:
        raise UsageError(
            f"{text[:60]!r} is not KEY=VALUE",
            hint="for example lang=de, or shop.order=17; a key with a point: '\"a.b\"=x'",
        )
    return tuple(path), cleaned[place + 1 :]


def _scalar(text: str) -> Any:
    value = _value(text)
    return text if isinstance(value, (dict, list)) else value


def _value(text: str) -> Any:
    try:
        value = canonical.read(text)
    except ValueError:
        return text
    cleaned, replaced = canonical.clean(value)
    return text if replaced else cleaned
