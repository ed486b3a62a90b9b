"""What a browser's localStorage holds: text under keys, JSON in that text."""

from typing import Any

from chatdb import canonical


def stored_value(value: Any, key: str) -> Any:
    """Return what stands under a key of a dump of localStorage; the value itself if it is none.

    A dump is an object of texts; a value copied out of the browser's tools may come as that text.
    """
    if isinstance(value, dict) and isinstance(value.get(key), str):
        value = value[key]
    if isinstance(value, str):
        try:
            return canonical.read(value)
        except ValueError:
            return value
    return value
