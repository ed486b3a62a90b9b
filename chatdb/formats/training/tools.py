"""Tool calls and their results in the one shape that training sets have."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from chatdb.formats.message_parts import call_inputs, call_name, code_language, items, output_text
from chatdb.primitives import canonical
from chatdb.records import Message

_NO_NAME = re.compile(r"[^a-zA-Z0-9_-]+")
_LONGEST_NAME = 64
_IDS = ("tool_use_id", "tool_call_id", "call_id", "id")

Fields = dict[str, Any]


def calls_of(message: Message) -> list[tuple[str | None, Fields]]:
    """Return the id and the function (`name`, `arguments` as JSON text) of each call."""
    content = message.content if takes_its_content(message) else None
    return [(_id_of(call), _function(call, content)) for call in items(message.tool_calls)]


def takes_its_content(message: Message) -> bool:
    """Tell whether the content of a message is the input of its call, as in ChatGPT."""
    return code_language(message) is not None


def _function(call: Any, content: str | None) -> Fields:
    _, arguments = next(call_inputs(call), ("", content))
    return {
        "name": _NO_NAME.sub("_", call_name(call)).strip("_")[:_LONGEST_NAME] or "tool",
        "arguments": _as_object(arguments),
    }


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
    found = output_text(output)
    return canonical.encode_text(output) if found is None else found[0]


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
