"""Messages as JSON from people and programs: one object, or one a line."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from chatdb.errors import InvalidInputError, UsageError
from chatdb.operations.conversations.messages import NewMessage
from chatdb.primitives import canonical
from chatdb.records import ROLES

_TEXTS = ("content", "author", "model", "parent_id")
_VALUES = ("reasoning", "tool_calls", "tool_outputs", "attachments")
FIELDS = ("role", *_TEXTS, *_VALUES, "metadata", "id", "created_at")


def messages_of(text: str) -> list[NewMessage]:
    """Read one JSON object, a list of them, or JSON Lines; raises InvalidInputError, UsageError."""
    values = list(_values(text))
    if not values:
        raise UsageError("the JSON contains no message", hint='for example {"content": "hello"}')
    return [message_of(value, f"message {number}") for number, value in enumerate(values, 1)]


def message_of(value: Any, place: str) -> NewMessage:
    """Turn a decoded object into a message; raises InvalidInputError for invalid fields."""
    if not isinstance(value, dict):
        raise InvalidInputError(f"{place} is not a JSON object")
    unknown = [name for name in value if name not in FIELDS]
    if unknown:
        raise InvalidInputError(
            f"{place} has a field {unknown[0][:60]!r}, which a new message cannot have",
            hint=f"fields are {', '.join(FIELDS)}; the rest goes into metadata",
        )
    given = {name: each for name, each in value.items() if each is not None}
    for name in _TEXTS:
        if not isinstance(given.get(name, ""), str):
            raise InvalidInputError(f"{place}: {name} is not a text")
    if not isinstance(given.get("metadata", {}), dict):
        raise InvalidInputError(f"{place}: metadata is not a JSON object")
    if "role" in given:
        given["role"] = role_of(given["role"], place)
    if "id" in given:
        given["id"] = _id(given["id"], place)
    if "created_at" in given:
        given["created_at"] = _time(given["created_at"], place)
    if "parent_id" in given:
        given["parent"] = given.pop("parent_id")
    return NewMessage(**given)


def role_of(value: Any, place: str = "--role") -> Any:
    """Return a role that messages can have; raises UsageError."""
    if value not in ROLES:
        raise UsageError(f"{place}: unknown role {value!r}", hint=f"roles are {', '.join(ROLES)}")
    return value


def json_of(text: str, option: str) -> Any:
    """Read the JSON of an option; raises UsageError."""
    try:
        return canonical.read(text)
    except ValueError as error:
        raise UsageError(f"{option} is not JSON: {error}") from error


def json_or_text(text: str) -> Any:
    """Read a JSON object or list; anything else is returned as text."""
    try:
        value = canonical.read(text)
    except ValueError:
        return text
    return value if isinstance(value, (dict, list)) else text


def _values(text: str) -> Iterator[Any]:
    try:
        whole = canonical.read(text)
    except ValueError:
        yield from _lines(text)
        return
    if isinstance(whole, list):
        yield from whole
    else:
        yield whole


def _lines(text: str) -> Iterator[Any]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            yield canonical.read(line)
        except ValueError as error:
            raise InvalidInputError(f"line {number} is not JSON: {error}") from error


def _id(value: Any, place: str) -> UUID:
    try:
        return UUID(value)
    except (ValueError, AttributeError, TypeError) as error:
        raise InvalidInputError(f"{place}: id is not a UUID: {str(value)[:60]!r}") from error


def _time(value: Any, place: str) -> datetime:
    try:
        time = datetime.fromisoformat(value)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidInputError(
            f"{place}: created_at is not an ISO 8601 time: {str(value)[:60]!r}"
        ) from error
