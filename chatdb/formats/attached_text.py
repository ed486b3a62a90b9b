"""What a person saw beside a message of a source, made from the message as it is stored."""

from collections.abc import Callable

from chatdb.formats.chatgpt import attached as chatgpt
from chatdb.formats.claude import attached as claude
from chatdb.records import Message

MADE: dict[str, Callable[[Message], str | None]] = {
    "chatgpt": chatgpt.attached_text,
    "chatgpt-canvas": chatgpt.attached_text,
    "chatgpt-group": chatgpt.attached_text,
    "claude": claude.attached_text,
    "claude-design": claude.attached_text,
}
"""By `conversations.source`: what makes the text of messages that were imported without it."""
