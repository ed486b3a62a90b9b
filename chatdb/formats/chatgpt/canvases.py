"""The canvases of a ChatGPT conversation: texts that tool calls make, rewrite and comment on.

A call is an assistant's message to `canmore.*` whose content is JSON. An update is a list of
patterns with their replacements; it is applied to the text that the branch has so far.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from chatdb.formats.chatgpt.patterns import is_whole, substituted
from chatdb.primitives import canonical
from chatdb.records import Message

if TYPE_CHECKING:
    from uuid import UUID

PREFIX = "canmore."

_CREATE, _UPDATE, _COMMENT = (f"{PREFIX}{verb}_textdoc" for verb in ("create", "update", "comment"))
_LARGEST = 4 << 20
"""Characters that updates of parts may make in one conversation: each repeats the whole text, so
that a hundred bytes of a hostile export could make a gigabyte."""
_LOOKED_BACK = 50
"""Canvases of a branch among which the one that an update means is looked for."""

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Canvas:
    """A state of a canvas, and the one that the branch had before it."""

    key: str
    name: str | None
    text: str
    before: "_Canvas | None"


def canvas_text(message: Message) -> str | None:
    """Return the text that a call wrote: all of it, the parts it replaced, or its comments."""
    recipient, call = _recipient(message), _call(message)
    if call is None:
        return None
    if recipient == _CREATE:
        return titled(call.get("name"), call.get("content"))
    if recipient == _UPDATE:
        return _joined(update.get("replacement") for update in _objects(call.get("updates")))
    if recipient == _COMMENT:
        return _joined(comment.get("comment") for comment in _objects(call.get("comments")))
    return None


def apply_updates(messages: Sequence[Message]) -> None:
    """Give each update, as its attached text, the canvas as it was after it.

    Where the update cannot be applied, or the text before it is unknown, it stays as it is.
    `messages` have parents before children.
    """
    states: dict[UUID | None, _Canvas | None] = {None: None}
    # Which canvas a call means is told by its answer alone.
    meant = {
        message.parent_id: found
        for message in messages
        if message.role == "tool" and (found := _textdoc_id(message)) is not None
    }
    writing = _Writing()
    for message in messages:
        state = states.get(message.parent_id)
        call = _call(message)
        if call is not None:
            state = writing.after(message, call, state, meant.get(message.id))
        states[message.id] = state


def storable(text: str) -> str:
    """Return the text without NUL and lone surrogates: JSON inside a clean text may have them."""
    return text if canonical.is_clean_text(text) else canonical.clean_text(text)[0]


def titled(name: Any, text: Any) -> str | None:
    """Return a text under its name; None if it has no words."""
    if not isinstance(text, str) or not text.strip():
        return None
    return f"{name}:\n{text}" if isinstance(name, str) and name else text


class _Writing:
    """The calls of one conversation, one after another."""

    def __init__(self) -> None:
        self._left = _LARGEST

    def after(
        self, message: Message, call: Fields, state: _Canvas | None, meant: str | None
    ) -> _Canvas | None:
        """Return the state of the branch after a call; the same one if it changed nothing."""
        recipient, key = _recipient(message), meant or str(message.source_id)
        if recipient == _CREATE:
            name, text = call.get("name"), call.get("content")
            named = name if isinstance(name, str) else None
            return _Canvas(key, named, text, state) if isinstance(text, str) else state
        before = _meant(state, meant)
        text = self._updated(before, call) if recipient == _UPDATE else None
        if text is None:
            return state
        if before is None:
            return _Canvas(key, None, text, state)
        shown = titled(before.name, text)
        message.attached_text = None if shown is None else storable(shown)
        # In place of the state before: a branch of updates has one canvas, not one for each.
        return _Canvas(before.key, before.name, text, before.before if before is state else state)

    def _updated(self, before: _Canvas | None, call: Fields) -> str | None:
        """Return a text after the updates of a call; None if one cannot be applied."""
        text = None if before is None else before.text
        for update in _objects(call.get("updates")):
            pattern, replacement = update.get("pattern"), update.get("replacement")
            if not isinstance(pattern, str) or not isinstance(replacement, str):
                return None
            if is_whole(pattern):
                text = replacement
            elif text is not None:
                every = update.get("multiple") is True
                made = substituted(text, pattern, replacement, every=every, most=self._left)
                self._left -= len(text if made is None else made)
                text = made
            if text is None:
                return None
        return text


def _meant(state: _Canvas | None, key: str | None) -> _Canvas | None:
    """Return the canvas that an update means: the one its answer names, else the last."""
    if key is None:
        return state
    place = state
    for _ in range(_LOOKED_BACK):
        if place is None or place.key == key:
            return place
        place = place.before
    return None


def _recipient(message: Message) -> str:
    recipient = message.metadata.get("recipient")
    return recipient if isinstance(recipient, str) else ""


def _call(message: Message) -> Fields | None:
    """Return the input of a call to a canvas; None for other messages and broken input."""
    if message.role != "assistant" or not _recipient(message).startswith(PREFIX):
        return None
    try:
        call = msgspec.json.decode(message.content)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return None
    return call if isinstance(call, dict) else None


def _textdoc_id(message: Message) -> str | None:
    metadata = message.metadata.get("metadata")
    canvas = metadata.get("canvas") if isinstance(metadata, dict) else None
    found = canvas.get("textdoc_id") if isinstance(canvas, dict) else None
    return found if isinstance(found, str) else None


def _objects(value: Any) -> Iterator[Fields]:
    if isinstance(value, list):
        yield from (each for each in value if isinstance(each, dict))


def _joined(texts: Iterator[Any]) -> str | None:
    return "\n\n".join(text for text in texts if isinstance(text, str) and text.strip()) or None
