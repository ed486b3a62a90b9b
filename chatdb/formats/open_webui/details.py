"""What Open WebUI folded into the words of an answer: `<details type="reasoning" ...>` and so on.

Older versions have reasoning, tool calls and code that was run only there, as HTML in the text.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

_OPENING = re.compile(r'<details type="(reasoning|tool_calls|code_interpreter)"([^>]*)>')
_CLOSING = "</details>"
_ATTRIBUTE = re.compile(r'([\w-]+)="([^"]*)"')
_SUMMARY = re.compile(r"\s*<summary>[^<]*</summary>")
_FENCED = re.compile(r"\s*```(\w*)\n(.*?)\n?```\s*", re.DOTALL)
CODE = "code_interpreter"

Fields = dict[str, Any]


@dataclass(slots=True)
class Unfolded:
    """The words without what was folded in, and that by its kind."""

    text: str
    reasoning: list[Fields] = field(default_factory=list)
    calls: list[Fields] = field(default_factory=list)
    outputs: list[Fields] = field(default_factory=list)


def unfolded(text: str) -> Unfolded:
    """Take what is folded in out of the words of an answer."""
    if '<details type="' not in text:
        return Unfolded(text)
    found = Unfolded("")
    words: list[str] = []
    end = 0
    for opening, close in _blocks(text):
        words.append(text[end : opening.start()])
        attributes = {name: html.unescape(value) for name, value in _ATTRIBUTE.findall(opening[2])}
        inside = text[opening.end() : close]
        _sort(opening[1], attributes, _SUMMARY.sub("", inside, count=1).strip("\n"), found)
        end = close + len(_CLOSING)
    words.append(text[end:])
    found.text = "".join(words).strip("\n") if end else text
    return found


def _blocks(text: str) -> Iterator[tuple[re.Match[str], int]]:
    """Yield each beginning with where its block ends; the text is walked once."""
    place = 0
    while (opening := _OPENING.search(text, place)) is not None:
        close = text.find(_CLOSING, opening.end())
        if close < 0:
            return
        yield opening, close
        place = close + len(_CLOSING)


def _sort(kind: str, attributes: Fields, inside: str, found: Unfolded) -> None:
    about = {name: value for name, value in attributes.items() if value and name != "done"}
    if kind == "reasoning":
        found.reasoning.append({"content": _unquoted(html.unescape(inside)), **about})
        return
    if kind == CODE:
        fenced = _FENCED.fullmatch(html.unescape(inside))
        code = fenced[2] if fenced else html.unescape(inside)
        language = {"language": fenced[1]} if fenced and fenced[1] else {}
        found.calls.append({"name": CODE, "arguments": {"code": code, **language}})
        if "output" in about:
            found.outputs.append({"name": CODE, "output": _value(about["output"])})
        return
    known: Fields = {name: about[name] for name in ("id", "name") if name in about}
    if "name" in known:
        arguments = _value(_value(about.get("arguments", "")))
        found.calls.append({**known, **({"arguments": arguments} if arguments else {})})
    result = _value(about.get("result") or html.unescape(inside))
    if result not in ("", None):
        called = {"call_id": known.pop("id")} if "id" in known else {}
        found.outputs.append({**called, **known, "output": result})


def _unquoted(text: str) -> str:
    """Return a text without the marks of a quotation before each line, where all have them."""
    lines = text.strip("\n").split("\n")
    if not all(line.startswith(">") or not line for line in lines):
        return "\n".join(lines)
    return "\n".join(line.removeprefix(">").removeprefix(" ") for line in lines)


def _value(text: Any) -> Any:
    """Return the value of a text that is JSON; else the text."""
    if not isinstance(text, str):
        return text
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return text
