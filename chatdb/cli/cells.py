"""Values as text: cells of a table, and JSON with invisible characters escaped."""

from datetime import UTC, datetime
from typing import Any

from chatdb.cli.text import escaped_json, one_line
from chatdb.formats.times import is_known


def cell_text(value: Any) -> str:
    """Write a value for a table's cell: one safe line, times to the second, lists as JSON."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        time = known_time(value)
        return "" if time is None else time.strftime("%Y-%m-%d %H:%M:%SZ")
    if isinstance(value, int):
        return f"{value}"
    if isinstance(value, (list, tuple, dict, set, frozenset)):
        return one_line(json_text(value)) if value else ""
    return one_line(str(value))


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
