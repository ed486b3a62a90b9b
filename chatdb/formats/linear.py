"""Messages of formats with plain lists: each is the parent of the next."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from chatdb.formats.base import Tally
from chatdb.formats.blocks import is_block, read_blocks
from chatdb.formats.cleaning import add_fields, mark
from chatdb.formats.fields import kept
from chatdb.formats.identity import REPEATED, MessageIds
from chatdb.formats.message_roles import mapped_role, usual_role
from chatdb.formats.times import Moment
from chatdb.formats.trees import newest_leaf
from chatdb.primitives import canonical
from chatdb.records import Conversation, Message


class Chain:
    """The messages of a conversation without branches, each the parent of the next."""

    def __init__(
        self, tally: Tally, conversation: UUID, started: datetime, expected: Sequence[Any] = ()
    ) -> None:
        self.messages: list[Message] = []
        self._tally = tally
        self._ids = MessageIds(conversation, expected)
        self._latest = started

    def add(self, source_id: str, at: Moment, content: Any) -> Message:
        """Append a message of the user's, to be completed; its time defaults to its parent's.

        A content that is not text, from a JSON column, is kept in the metadata unchanged.
        """
        identifier, repeated = self._ids.of(source_id)
        if repeated:
            self._tally.lossy[REPEATED] += 1
        message = self._append(identifier, source_id, at.at, content)
        if isinstance(content, list | dict):
            message.metadata = {"content": canonical.copied(content)}
            blocks = read_blocks(content, self._tally)
            message.content = blocks.text or blocks.result_text
            blocks.fill(message)
        if at.at is None:
            mark(message, "time", "interpolated")
        return message

    def add_without_id(self, source_id: str, at: datetime, role: str, content: Any) -> Message:
        """Append a message whose id is derived from its content."""
        identifier = self._ids.without_source_id(role, str(content))
        return self._append(identifier, source_id, at, content)

    def set_role(self, message: Message, raw: Any) -> None:
        """Set the role for a source's word; an unusual word is marked on the message."""
        role = usual_role(raw)
        if role is None:
            role, known = mapped_role(raw)
            mark(message, "role", raw)
            if not known:
                self._tally.lossy[f"unknown role {str(raw)[:40]!r} read as {role}"] += 1
        message.role = role

    def _append(
        self, identifier: UUID, source_id: str, at: datetime | None, content: Any
    ) -> Message:
        self._latest = at or self._latest
        message = Message(
            id=identifier,
            parent_id=self.messages[-1].id if self.messages else None,
            role="user",
            content=_text(content),
            source_id=source_id,
            created_at=self._latest,
        )
        self.messages.append(message)
        return message


def _text(content: Any) -> str:
    """Return a text unchanged, and a number as text; nothing else is content."""
    if isinstance(content, str):
        return content
    return str(content) if isinstance(content, int | float) else ""


def _between(first: datetime, last: datetime, number: int, count: int) -> datetime:
    """Return a time for one of `count` messages, evenly from the first to the last."""
    return first if count < 2 else first + (last - first) * number / (count - 1)


def add_entries(
    record: Conversation,
    entries: Sequence[Any],
    tally: Tally,
    *,
    times: Sequence[Moment] = (),
    keep_contents: bool = False,
) -> None:
    """Add messages of `{role, content}`, without ids and possibly times, to a conversation.

    Those without a time are spread evenly between the conversation's creation and its update. Other
    fields of an entry become its metadata; an entry that is not an object stays in the
    conversation's. `keep_contents` also keeps block contents in the metadata unchanged, to be
    written back.
    """
    chain = Chain(tally, record.id, record.created_at)
    for number, entry in enumerate(entries):
        known = times[number].at if times else None
        at = known or _between(record.created_at, record.updated_at, number, len(entries))
        blocks = entry.get("content") if keep_contents and isinstance(entry, dict) else None
        as_it_came = canonical.copied(blocks) if isinstance(blocks, list | dict) else None
        message = _add_entry(chain, record, number, entry, at, tally)
        if message is not None and as_it_came:
            message.metadata = {**message.metadata, "content": as_it_came}
        if message is not None and known is None:
            mark(message, "time", "interpolated")
    record.messages = chain.messages
    record.current_message_id = newest_leaf(record.messages)


def _add_entry(
    chain: Chain, record: Conversation, number: int, entry: Any, at: datetime, tally: Tally
) -> Message | None:
    if not isinstance(entry, dict):
        tally.lossy["a message that is no object kept in metadata"] += 1
        record.metadata.setdefault("messages", {})[str(number)] = entry
        return None
    role, content = entry.pop("role", None), entry.pop("content", None)
    message = chain.add_without_id(str(number), at, str(role), "" if content is None else content)
    chain.set_role(message, role)
    if isinstance(content, list) or (isinstance(content, dict) and is_block(content)):
        _read_content(message, content, entry, role, tally)
    elif content is not None and not isinstance(content, str):
        entry["content"] = content
        tally.lossy["content that is no text kept in metadata"] += 1
    else:
        tally.content_types["text" if isinstance(content, str) else "none"] += 1
    _take_calls(message, entry)
    add_fields(message, kept(entry))
    return message


def _read_content(
    message: Message, content: Any, entry: dict[str, Any], role: Any, tally: Tally
) -> None:
    """Read a content of blocks; a user's message of only outputs becomes the tool's."""
    blocks = read_blocks(content, tally)
    message.content = blocks.text or blocks.result_text
    blocks.fill(message)
    message.attachments = blocks.attachments or None
    if blocks.rest:
        entry["content"] = blocks.rest
    if message.role == "user" and blocks.is_only_results:
        message.role = "tool"
        mark(message, "role", role)


def _take_calls(message: Message, entry: dict[str, Any]) -> None:
    """Take OpenAI's fields beside the content: calls, thoughts, a refusal."""
    calls = entry.get("tool_calls")
    if isinstance(calls, list) and calls:
        message.tool_calls = [*(message.tool_calls or []), *entry.pop("tool_calls")]
    if isinstance(entry.get("function_call"), dict):
        message.tool_calls = [*(message.tool_calls or []), entry.pop("function_call")]
    for name in ("reasoning_content", "reasoning"):
        thought = entry.get(name)
        if isinstance(thought, str) and thought:
            message.reasoning = [*(message.reasoning or []), {"content": entry.pop(name)}]
    refusal = entry.get("refusal")
    if isinstance(refusal, str) and not message.content:
        message.content = refusal
