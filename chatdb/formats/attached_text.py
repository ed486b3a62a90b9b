"""What people saw beside the messages of a source, made from the messages as they are stored."""

from collections.abc import Callable, Sequence
from typing import Any

from chatdb.formats.chatgpt import attached as chatgpt
from chatdb.formats.chatgpt.canvases import apply_updates
from chatdb.formats.claude import attached as claude
from chatdb.records import MARKS, Message, is_hidden

_MADE: dict[str, Callable[[Message], str | None]] = {
    "chatgpt": chatgpt.attached_text,
    "claude": claude.attached_text,
    "claude-design": claude.attached_text,
}
SOURCES = tuple(sorted(_MADE))
"""The sources whose messages may have been imported without it: `conversations.source`."""


def fill(source: str, messages: Sequence[Message]) -> None:
    """Give the messages of a conversation, parents before children, the text that they lack.

    A message that its source hid, and that has a report, is hidden no longer.
    """
    make = _MADE[source]
    for message in messages:
        if message.attached_text is None:
            message.attached_text = make(message)
            if message.attached_text and is_hidden(message) and chatgpt.has_report(message):
                message.metadata = _shown(message.metadata)
    if source == "chatgpt":
        apply_updates(messages)


def _shown(metadata: dict[str, Any]) -> dict[str, Any]:
    marks = {name: mark for name, mark in metadata[MARKS].items() if name != "hidden"}
    rest = {name: value for name, value in metadata.items() if name != MARKS}
    return rest | ({MARKS: marks} if marks else {})
