"""Recognises chat files: conversations and messages, and the index beside them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from chatdb.formats.files.json_records import decode_value
from chatdb.formats.files.source_files import SourceFile
from chatdb.formats.files.sources import Source
from chatdb.formats.message_roles import mapped_role
from chatdb.formats.products import product_of

# An index is decoded as a whole.
_LARGEST_INDEX = 64 << 20
_LOOKED_AT = 20
_READ_ELSEWHERE = {"mapping": "ChatGPT", "chat_messages": "Claude"}


@dataclass(slots=True)
class Index:
    """An index's entries for conversations by id, and which of them were found."""

    place: str = ""
    folder: str = ""
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)
    met: set[str] = field(default_factory=set)


class Indexes:
    """The indexes among the files of a source: each applies to its own folder and below."""

    def __init__(self, source: Source) -> None:
        self._found = list(_indexes(source))

    def __iter__(self) -> Iterator[Index]:
        return iter(self._found)

    def is_one(self, name: str) -> bool:
        """Tell whether a file of the source is an index."""
        return any(index.place == name for index in self._found)

    def of(self, path: str) -> Index:
        """Return the index for a file, by its path in the source; an empty one if there is none."""
        fitting = [index for index in self._found if path.startswith(index.folder)]
        return max(fitting, key=lambda index: len(index.folder), default=Index())


def path_in(source: str, name: str) -> str:
    """Return the path of a file in its source, which stays the same if the source is moved."""
    if name == source:
        return PurePosixPath(name).name
    return name.removeprefix(source).lstrip("/:")


def stem(path: str) -> str:
    """Return the name of a file up to its first point."""
    return PurePosixPath(path.rpartition(":")[2]).name.split(".")[0]


def is_message(value: Any) -> bool:
    """Tell whether a value is a message: a role, and a content or tool calls."""
    if not isinstance(value, dict) or not isinstance(value.get("role", 0), str | None):
        return False
    return not {"content", "tool_calls", "function_call"}.isdisjoint(value)


def is_talk(values: Iterable[Any]) -> bool:
    """Tell whether values are messages: all of them, and at least one with a known role."""
    first = list(values)[:_LOOKED_AT]
    return all(map(is_message, first)) and any(mapped_role(each["role"])[1] for each in first)


def is_conversation(value: Any) -> bool:
    """Tell whether a value is an object with its messages and an id or a title."""
    messages = value.get("messages") if isinstance(value, dict) else None
    if not isinstance(messages, list) or another_products(value) is not None:
        return False
    if not messages:
        return "id" in value and "title" in value
    known = [each for each in messages[:_LOOKED_AT] if is_message(each)]
    return is_talk(known) and bool(known) and not {"id", "title"}.isdisjoint(value)


def conversations_in(value: Any) -> dict[str, Any] | None:
    """Return the conversations of `{id: conversation}`; None for anything else."""
    if not isinstance(value, dict) or "messages" in value or another_products(value) is not None:
        return None
    whole = {
        key: {"messages": each} if isinstance(each, list) else each for key, each in value.items()
    }
    any_talk = False
    for each in whole.values():
        messages = each.get("messages") if isinstance(each, dict) else None
        if not isinstance(messages, list) or another_products(each, alone=False) is not None:
            return None
        if messages and not is_talk(messages):
            return None
        any_talk = any_talk or bool(messages)
    return whole if any_talk else None


def another_products(value: Any, *, alone: bool = True) -> str | None:
    """Return the product that an object's marks name, if it is not a chat file.

    An object that is not `alone` has its id outside, and need not contain one.
    """
    for mark, export in _READ_ELSEWHERE.items():
        if mark in value:
            return f"a conversation of a {export} export among other files"
    product = product_of(value if alone else {"id": "", **value})
    return None if product is None else product.refusal


def _indexes(source: Source) -> Iterator[Index]:
    """Yield the indexes among the files: objects of conversations without messages."""
    for file in source.files if len(source.files) > 1 else ():
        if file.size > _LARGEST_INDEX or "index" not in stem(file.name).lower():
            continue
        entries = _entries_of(_whole(file))
        if entries:
            path = path_in(source.name, file.name)
            yield Index(file.name, path[: path.rfind("/") + 1], entries)


def _whole(file: SourceFile) -> Any:
    with file.open(counting=False) as stream:
        return decode_value(stream.read()).value


def _entries_of(value: Any) -> dict[str, dict[str, Any]] | None:
    inside = value.get("conversations", value) if isinstance(value, dict) else value
    if isinstance(inside, list):
        inside = {
            str(each.get("id")): each for each in inside if isinstance(each, dict) and "id" in each
        }
    if not isinstance(inside, dict) or not all(isinstance(each, dict) for each in inside.values()):
        return None
    if any("messages" in each for each in inside.values()):
        return None
    return {key: dict(each) for key, each in inside.items()}
