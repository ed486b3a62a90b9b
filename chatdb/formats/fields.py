"""How readers treat the fields of a source that have no column."""

from typing import Any

from chatdb.records import MARKS

_EMPTY: tuple[Any, ...] = ([], {})
_KINDS = {dict: "an object", list: "a list", str: "a text", bool: "a truth value"}


def kind_of(value: Any) -> str:
    """Describe a JSON value, in JSON's own words."""
    return "null" if value is None else _KINDS.get(type(value), "a number")


def kept(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the non-empty fields: null, `[]` and `{}` count as absent.

    If all of them are non-empty, returns the argument itself.
    """
    # The usual case, without a copy.
    if all(fields.values()):
        return fields
    return {
        name: value
        for name, value in fields.items()
        if value or (value is not None and value not in _EMPTY)
    }


def without_marks(fields: dict[str, Any], marks: dict[str, Any]) -> None:
    """Move a source's field with the name of chatdb's marks to the mark `field`."""
    if MARKS in fields:
        marks["field"] = fields.pop(MARKS)
