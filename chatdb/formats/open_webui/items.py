"""What stands beside the words of a message as the `output` of an Open WebUI answer."""

from collections.abc import Iterator
from typing import Any

import msgspec

from chatdb.formats.message_parts import call_inputs, call_name, items, output_text, readable
from chatdb.formats.open_webui.contents import AT, CALL, RESULT, THOUGHT, WORDS
from chatdb.primitives.nesting import roomy
from chatdb.records import CALL_INPUTS, Message

_IDS = ("call_id", "tool_use_id", "tool_call_id", "functionCallId", "id")
_encode = roomy(msgspec.json.Encoder(order="deterministic").encode)

Fields = dict[str, Any]


def as_it_came(message: Message, rest: list[Any]) -> list[Any]:
    """Return the `output` that a message was read from: `rest` is what the metadata keeps of it."""
    columns = {
        THOUGHT: items(message.reasoning),
        CALL: items(message.tool_calls),
        RESULT: items(message.tool_outputs),
    }
    return [_restored(entry, columns, message.content) for entry in rest]


def made(message: Message) -> list[Fields]:
    """Return an `output` for a message from elsewhere; none for words alone."""
    found = list(_beside(message))
    if found and message.content:
        text = {"type": "output_text", "text": message.content}
        found.append({"type": WORDS, "role": "assistant", "content": [text], **_DONE})
    for number, item in enumerate(found):
        item.setdefault("id", f"{item['type']}_{number}")
    return found


_DONE = {"status": "completed"}


def _restored(entry: Any, columns: dict[str, Any], words: str) -> Any:
    if not isinstance(entry, dict):
        return entry
    kind = str(entry.get("type"))
    at = entry.get(AT)
    if kind in columns and isinstance(at, int) and at < len(columns[kind]):
        item = columns[kind][at]
        item = dict(item) if isinstance(item, dict) else {"content": item}
        if kind == THOUGHT and isinstance(item.get("content"), str):
            item["content"] = [{"type": "output_text", "text": item["content"]}]
        return {"type": kind, **item}
    content = entry.get("content")
    if kind != WORDS or not isinstance(content, list) or len(content) != 1:
        return entry
    if not isinstance(content[0], dict) or "text" in content[0]:
        return entry
    return {**entry, "content": [{**content[0], "text": words}]}


def _beside(message: Message) -> Iterator[Fields]:
    for thought in items(message.reasoning):
        yield _thought(thought)
    results: dict[str, list[Fields]] = {}
    for number, result in enumerate(items(message.tool_outputs)):
        item = _result(result, number)
        results.setdefault(item["call_id"], []).append(item)
    for number, call in enumerate(items(message.tool_calls)):
        item = _call(call, number)
        yield item
        yield from results.pop(item["call_id"], ())
    for left in results.values():
        yield from left


def _thought(thought: Any) -> Fields:
    text = readable([thought])
    words = {"type": "output_text", "text": _json(thought) if text is None else text}
    about = thought if isinstance(thought, dict) else {}
    return {"summary": None, **_DONE, **about, "type": THOUGHT, "content": [words]}


def _call(call: Any, number: int) -> Fields:
    about = call if isinstance(call, dict) else {}
    given = next((value for _, value in call_inputs(call)), None)
    arguments = given if isinstance(given, str) else _json({} if given is None else given)
    rest = {name: about[name] for name in about if name not in (*CALL_INPUTS, "function", "type")}
    name = call_name(call) or "tool"
    own = {"type": CALL, "name": name, "call_id": _id_of(about, number), "arguments": arguments}
    return {**_DONE, **rest, **own}


def _result(result: Any, number: int) -> Fields:
    parted = output_text(result)
    about = result if isinstance(result, dict) else {}
    rest = {name: about[name] for name in ("id", "name", "is_error") if name in about}
    text = _json(result) if parted is None else parted[0]
    output = [{"type": "input_text", "text": text}]
    return {**_DONE, **rest, "type": RESULT, "call_id": _id_of(about, number), "output": output}


def _id_of(about: Fields, number: int) -> str:
    named = (about.get(name) for name in _IDS)
    return next((each for each in named if isinstance(each, str) and each), f"call_{number}")


def _json(value: Any) -> str:
    return _encode(value).decode()
