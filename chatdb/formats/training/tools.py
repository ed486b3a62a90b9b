"""Tool calls and their results in the one shape that training sets have."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from chatdb.formats.blocks import text_of_result
from chatdb.formats.message_parts import call_name, items
from chatdb.primitives import canonical
from chatdb.records import Message

_NO_NAME = re.compile(r"[^a-zA-Z0-9_-]+")
_LONGEST_NAME = 64
_INPUTS = ("input", "arguments", "parameters", "args")
_IDS = ("tool_use_id", "tool_call_id", "call_id", "id")

Fields = dict[str, Any]


def calls_of(message: Message) -> list[tuple[str | None, Fields]]:
    """Return the id and the function (`name`, `arguments` as JSON text) of each call."""
    calls = items(message.tool_calls)
    return [(_id_of(call), _function(call, message, alone=len(calls) == 1)) for call in calls]


def takes_its_content(message: Message) -> bool:
    """Tell whether the content of a message is the input of its call, as in ChatGPT."""
    calls = items(message.tool_calls)
    return len(calls) == 1 and _arguments(calls[0]) is None


def _function(call: Any, message: Message, *, alone: bool) -> Fields:
    arguments = _arguments(call)
    if arguments is None and alone:
        arguments = message.content
    return {
        "name": _NO_NAME.sub("_", call_name(call)).strip("_")[:_LONGEST_NAME] or "tool",
        "arguments": _as_object(arguments),
    }


def _arguments(call: Any) -> Any:
    if not isinstance(call, dict):
        return None
    function = call.get("function")
    for fields in (call, function if isinstance(function, dict) else {}):
        for name in _INPUTS:
            if fields.get(name) is not None:
                return fields[name]
    return None


def _as_object(arguments: Any) -> str:
    """Return arguments as the JSON text of an object."""
    if isinstance(arguments, str):
        try:
            arguments = canonical.decode(arguments)
        except ValueError:
            return canonical.encode_text({"input": arguments})
    if arguments is None:
        arguments = {}
    if not isinstance(arguments, dict):
        arguments = {"input": arguments}
    return canonical.encode_text(arguments)


def _id_of(value: Any) -> str | None:
    if isinstance(value, dict):
        for name in _IDS:
            if isinstance(value.get(name), str) and value[name]:
                return str(value[name])
    return None


def results_of(message: Message) -> list[tuple[str | None, str]]:
    """Return the call's id and the text of each result in a message."""
    outputs = items(message.tool_outputs)
    results = [(_id_of(output), _result_text(output)) for output in outputs]
    if message.role != "tool":
        return results
    if len(results) <= 1:
        own = next((identifier for identifier, _ in results), None)
        text = message.content or next((text for _, text in results), "")
        return [(own or _id_of(message.metadata), text)]
    return results


def _result_text(output: Any) -> str:
    return text_of_result(output) or (
        output if isinstance(output, str) else canonical.encode_text(output)
    )


def definitions(functions: Iterable[Fields]) -> Sequence[Fields]:
    """Return what the called functions take, as far as their calls show: names of arguments."""
    properties: dict[str, dict[str, Fields]] = {}
    for function in functions:
        known = properties.setdefault(function["name"], {})
        known |= {name: {} for name in canonical.decode(function["arguments"])}
    return [
        {
            "type": "function",
            "function": {
                "name": name,
                "parameters": {"type": "object", "properties": properties[name]},
            },
        }
        for name in sorted(properties)
    ]
