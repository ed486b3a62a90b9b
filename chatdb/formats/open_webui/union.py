"""The two copies of an Open WebUI message made one: that in the chat's JSON, and its row.

The application writes both on every turn, and they diverge. A row is newer: it wins field by field
where both have a value; what is in one only stays.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from chatdb.formats.base import Tally
from chatdb.formats.fields import kind_of
from chatdb.formats.times import parse_time

OTHER_COPY = "other_copy"
"""The key in a message's fields of what the chat's JSON has where the row has something else."""

IN_JSON_ONLY = "messages only in the chat's JSON, not among its rows: kept"
IN_ROWS_ONLY = "messages only among the rows of a chat, not in its JSON: kept"
DIFFERS = "messages whose two copies differ: the row's values taken, the others kept in metadata"

Fields = dict[str, Any]


def union(
    chat: str,
    own: Mapping[str, Any],
    rows: Iterable[Fields] | None,
    tally: Tally,
) -> tuple[dict[str, Fields], list[tuple[str, str]]]:
    """Return the messages of a chat by their bare ids, and what is no message with the reason.

    `own` are those of its JSON; `rows` have the same names of fields, None where the system has no
    such rows yet.
    """
    messages: dict[str, Fields] = {}
    odd: list[tuple[str, str]] = []
    for name, value in own.items():
        if isinstance(value, dict):
            messages[name] = value
        else:
            odd.append((name, f"not an object but {kind_of(value)}"))
    if rows is None:
        return messages, odd
    only_here = set(messages)
    for row in rows:
        name = bare(chat, str(row.pop("id")))
        known = messages.get(name)
        if known is None:
            messages[name] = row
            tally.lossy[IN_ROWS_ONLY] += 1
        else:
            messages[name] = _joined(known, row, tally)
            only_here.discard(name)
    if only_here:
        tally.lossy[IN_JSON_ONLY] += len(only_here)
    return messages, odd


def bare(chat: str, identifier: str) -> str:
    """Return a message's own id: that of its row begins with the chat's."""
    return identifier.removeprefix(f"{chat}-")


def _joined(own: Fields, row: Fields, tally: Tally) -> Fields:
    joined, others = dict(own), {}
    for name, value in row.items():
        former = own.get(name)
        if former == value or _is_empty(value):
            continue
        if not _is_empty(former) and not _is_same(name, former, value):
            others[name] = former
        joined[name] = value
    if others:
        joined[OTHER_COPY] = others
        tally.lossy[DIFFERS] += 1
    return joined


def _is_empty(value: Any) -> bool:
    return not value and (value is None or isinstance(value, str | list | dict))


def _is_same(name: str, own: Any, row: Any) -> bool:
    """Tell whether a row only says again, or in full, what the JSON has."""
    if name == "timestamp":
        return parse_time(own).at == parse_time(row).at
    if isinstance(own, dict) and isinstance(row, dict):  # Usage gets its sum in the row.
        return own.items() <= row.items() if _is_flat(own) else bool(own == row)
    return bool(own == row)


def _is_flat(value: Fields) -> bool:
    return not any(isinstance(each, dict | list) for each in value.values())
