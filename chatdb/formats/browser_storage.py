"""The contents of a browser's localStorage: text under keys, JSON in that text."""

from typing import Any

from chatdb.primitives import canonical


def stored_value(value: Any, key: str) -> Any:
    """Return the value of a key in a dump of localStorage; the value itself if it is not a dump.

    A dump is an object of texts; a value copied from the browser's tools may be such a text.
    """
    if isinstance(value, dict) and isinstance(value.get(key), str):
        value = value[key]
    if isinstance(value, str):
        try:
            return canonical.read(value)
        except ValueError:
            return value
    return value
