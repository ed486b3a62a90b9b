"""People's addresses in exports: of mail, phones and machines. They are not stored."""

import re
from typing import Any

_KEY = re.compile(r"e-?mail|phone|(?:^|_)ip(?:$|_)|address", re.IGNORECASE)
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_NAME = re.compile(r"(?:full|display|user|author)_?name", re.IGNORECASE)
"""Who has not said a name is listed by the address."""
_PEOPLE = frozenset(("account", "author", "creator", "owner", "project", "user"))
"""Fields about people, beside which anything else may be what they said."""

Fields = dict[str, Any]


def without(value: Any) -> tuple[Any, int]:
    """Return a value without the addresses in it, at any depth, and how many there were."""
    missing = 0
    if isinstance(value, list):
        items = []
        for each in value:
            item, count = without(each)
            items.append(item)
            missing += count
        return items, missing
    if not isinstance(value, dict):
        return value, 0
    fields = {}
    for name, each in value.items():
        if _is_address(name, each):
            missing += 1
        else:
            fields[name], count = without(each)
            missing += count
    return fields, missing


def drop_contacts(fields: Fields) -> int:
    """Take addresses out of fields and of the objects about people in them; return how many."""
    dropped = 0
    for name in list(fields):
        value = fields[name]
        if isinstance(value, str):
            if "@" in value and _KEY.search(name):
                del fields[name]
                dropped += 1
        elif name in _PEOPLE and isinstance(value, dict):
            fields[name], count = without(value)
            dropped += count
    return dropped


def _is_address(name: str, value: Any) -> bool:
    if _KEY.search(name):
        return bool(value)
    if not isinstance(value, str) or "@" not in value:
        return False
    if _NAME.fullmatch(name):
        return _ADDRESS.search(value) is not None
    return _ADDRESS.fullmatch(value.strip()) is not None
