"""How readers treat the fields of a source that have no column."""

from typing import Any

from chatdb.records import MARKS

_EMPTY: tuple[Any, ...] = ([], {})
_KINDS = {dict: "an object", list: "a list", str: "a text", bool: "a truth value"}


def kind_of(value: Any) -> str:
    """Describe a JSON value, in JSON's own words."""
    return "null" if value is None else _KINDS.get(type(value), "a number")


def take_text(fields: dict[str, Any], name: str) -> str | None:
    """Take a non-empty text out of the fields; anything else stays there."""
    value = fields.get(name)
    if isinstance(value, str) and value:
        del fields[name]
        return value
    return None


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


def with_marks(fields: dict[str, Any], marks: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata of a record: the fields of its source that are kept, and chatdb's marks.

    A field with the name of the marks becomes the mark `field`. Both arguments may be changed.
    """
    metadata = kept(fields)
    if MARKS in metadata:
        marks["field"] = metadata.pop(MARKS)
    if marks:
        metadata[MARKS] = marks
    return metadata
