"""The design chats of a Claude.ai export: a file each, in a shape of their own since August 2026.

They become entries of the shape of the other conversations, which is then read as those are.
"""

from typing import Any

from chatdb.formats.claude.reader import ClaudeReader
from chatdb.formats.files.json_records import Peeked, RecordContext
from chatdb.records import Conversation

SOURCE = "claude-design"

_LOOKED_AT = 20
_AUTHOR = "authorAccountUuid"

Fields = dict[str, Any]


class DesignReader(ClaudeReader):
    """Reads files of `design_chats/`, a conversation each."""

    name = SOURCE
    version = 2

    def recognises_record(self, value: Any) -> bool:
        if not isinstance(value, dict) or not isinstance(value.get("messages"), list):
            return False
        project = value.get("project")
        return isinstance(value.get("uuid"), str) and (
            (isinstance(project, dict) and "name" in project)
            or any(map(_is_of_a_design, value["messages"][:_LOOKED_AT]))
        )

    def peek(self, data: bytes) -> Peeked | None:
        """Decode each: whose conversation it is stands in its messages."""
        del data
        return None

    def convert(self, record: Fields, context: RecordContext) -> Conversation:
        messages = record.pop("messages", None)
        _set_aside(record, "name", "account")
        record["name"] = record.pop("title", None)
        user = _first_author(messages)
        if user is not None:
            record["account"] = {"uuid": user}
        if isinstance(messages, list):
            record["chat_messages"] = [
                entry for message in messages for entry in _entries(message, user, context)
            ]
        return super().convert(record, context)


reader = DesignReader()


def _is_of_a_design(message: Any) -> bool:
    content = message.get("content") if isinstance(message, dict) else None
    return isinstance(content, dict) and not {"contentBlocks", _AUTHOR}.isdisjoint(content)


def _first_author(messages: Any) -> str | None:
    contents = [each.get("content") for each in messages or () if isinstance(each, dict)]
    authors = [each.get(_AUTHOR) for each in contents if isinstance(each, dict)]
    return next((author for author in authors if isinstance(author, str) and author), None)


def _entries(message: Any, user: str | None, context: RecordContext) -> list[Any]:
    """Return the message as entries: several if a person said something while it was written."""
    if not isinstance(message, dict) or not isinstance(message.get("content"), dict):
        return [_with_text(message)]
    content = message.pop("content")
    _set_aside(content, *message)
    if content.get(_AUTHOR) == user:
        content.pop(_AUTHOR, None)
    if content.get("timestamp") == message.get("created_at"):
        content.pop("timestamp", None)
    text, blocks = content.pop("content", None), content.pop("contentBlocks", None)
    entry = {**message, **content, "text": text}
    if not isinstance(blocks, list):
        return [entry if blocks is None else {**entry, "content": blocks}]
    return _turns(entry, blocks, context)


def _with_text(message: Any) -> Any:
    if isinstance(message, dict) and isinstance(message.get("content"), str):
        message["text"] = message.pop("content")
    return message


def _turns(entry: Fields, blocks: list[Any], context: RecordContext) -> list[Fields]:
    """Cut the blocks where a person spoke; the later parts get ids made from the message's."""
    turns: list[Fields] = [{**entry, "content": []}]
    for block in blocks:
        said = _said(block)
        if said is None:
            turns[-1]["content"] += _usual(block)
            continue
        context.tally.lossy["a person's words inside an answer: a message of their own"] += 1
        turns.append(_part(entry, len(turns), role="user", **said))
        turns.append(_part(entry, len(turns), role=entry.get("role"), content=[]))
    if len(turns) > 1 and _bare(_text_of(blocks)) == _bare(entry.get("text")):
        turns[0].pop("text")  # Of all the parts together.
    return [turns[0], *(turn for turn in turns[1:] if turn.get("text") or turn.get("content"))]


def _text_of(blocks: list[Any]) -> str:
    texts = (block.get("text") for block in blocks if isinstance(block, dict))
    return " ".join(text for text in texts if isinstance(text, str))


def _bare(text: Any) -> Any:
    return text.split() if isinstance(text, str) else text


def _part(entry: Fields, number: int, **fields: Any) -> Fields:
    identifier = entry.get("uuid")
    named = {"uuid": f"{identifier}#{number}"} if isinstance(identifier, str) else {}
    return {**named, "created_at": entry.get("created_at")} | fields


def _said(block: Any) -> Fields | None:
    """Return what a person said in a block and what stands beside it; None if nobody did."""
    if not isinstance(block, dict) or block.get("type") != "user_interjection":
        return None
    message = block.get("message")
    inside = message if isinstance(message, dict) else {"content": message}
    text = inside.get("content")
    if not isinstance(text, str) or not text:
        return None
    beside = {name: value for name, value in block.items() if name not in ("type", "message")}
    fields = {name: value for name, value in inside.items() if name != "content"}
    _set_aside(beside, "uuid", "role", "text", *fields)
    _set_aside(fields, "uuid", "role", "text")
    time = {"created_at": beside.pop("timestamp")} if "timestamp" in beside else {}
    return {**time, **beside, **fields, "text": text}


def _set_aside(fields: Fields, *names: str) -> None:
    """Give fields of these names another one, so that they are not overwritten."""
    for name in names:
        if name in fields:
            fields[f"{name}_"] = fields.pop(name)


def _usual(block: Any) -> list[Any]:
    """Return a block as the other conversations have it: a call and its output are two."""
    call = block.get("toolCall") if isinstance(block, dict) else None
    if not isinstance(call, dict) or block.get("type") != "tool_call":
        return [block]
    others = {name: value for name, value in block.items() if name not in ("type", "toolCall")}
    output = call.pop("output", None)
    found: list[Any] = [{"type": "tool_use", **others, **call}]
    if output is not None:
        identifier = {"tool_use_id": call["id"]} if "id" in call else {}
        result = {"type": "tool_result", **identifier, "name": call.get("name"), "content": output}
        found.append(result)
    return found
