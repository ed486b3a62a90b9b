"""Values as text: cells of a table, and JSON with invisible characters escaped."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from chatdb.cli.progress import duration_text
from chatdb.cli.text import escaped_json, one_line, time_text
from chatdb.formats.times import is_known
from chatdb.primitives.sizes import size_text

_SIZES = ("bytes", "size")
_SHORT_TIME = 10
"""Seconds; below it tenths and hundredths are told."""


def cell_text(value: Any, name: str = "") -> str:
    """Write a value for a table's cell as people read it, on one safe line.

    Times are to the minute in their own zone, lists of words joined by commas. `name` is the
    field's: what is called `..bytes` or `..size` is a size, `..seconds` a duration, and `dry_run`
    says what it means.
    """
    if value is None:
        return ""
    if isinstance(value, (bool, int, float)):
        return _number_text(value, name)
    if isinstance(value, datetime):
        return "" if known_time(value) is None else time_text(value, value.tzinfo)
    if isinstance(value, (list, tuple, dict, set, frozenset)):
        return _values_text(value)
    return one_line(str(value))


def told_once(names: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    """Return the fields of one answer; the outcome of a dry run is that nothing was written."""
    fields = dict(zip(names, values, strict=True))
    if fields.get("dry_run") is True and "outcome" in fields:
        del fields["dry_run"]
        done = "" if fields["outcome"] == "done" else f"{fields['outcome']}, "
        fields["outcome"] = f"{done}dry run: nothing was written"
    return fields


def _number_text(value: float, name: str) -> str:
    if name == "dry_run":
        return "nothing was written" if value else ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name.endswith("seconds"):
        return f"{value:.2g} s" if value < _SHORT_TIME else duration_text(value)
    is_size = isinstance(value, int) and name.rpartition("_")[2] in _SIZES
    return size_text(int(value)) if is_size else f"{value}"


def _values_text(values: Any) -> str:
    if not values:
        return ""
    if isinstance(values, dict) and all(map(_is_plain, values.values())):
        return ", ".join(f"{one_line(str(key))}: {cell_text(values[key])}" for key in values)
    if not isinstance(values, dict) and all(map(_is_plain, values)):
        return ", ".join(map(cell_text, values))
    return one_line(json_text(values))


def _is_plain(value: Any) -> bool:
    """Tell whether a value can stand in a list of words: anything without values of its own."""
    return not isinstance(value, (list, tuple, dict, set, frozenset)) and value is not None


def json_text(value: Any, *, pretty: bool = False) -> str:
    """Write a value as JSON that a terminal can be shown; `pretty` on several lines."""
    import msgspec

    from chatdb.primitives import canonical
    from chatdb.primitives.nesting import with_room

    try:
        encoded = with_room(msgspec.json.encode, value, enc_hook=_encode_other)
    except UnicodeEncodeError:
        # A file name that is not UTF-8 arrives with lone surrogates.
        plain = with_room(msgspec.to_builtins, value, enc_hook=_encode_other)
        encoded = with_room(msgspec.json.encode, canonical.clean(plain)[0])
    if pretty:
        encoded = msgspec.json.format(encoded, indent=2)
    return escaped_json(encoded.decode())


def _encode_other(value: Any) -> Any:
    return str(value)


def known_time(value: datetime) -> datetime | None:
    """Return a time in UTC; None if there is none, rather than a time in 1970."""
    time = _utc(value)
    return time if is_known(time) else None


def _utc(value: datetime) -> datetime:
    return value.astimezone(UTC) if value.tzinfo is not None else value.replace(tzinfo=UTC)
