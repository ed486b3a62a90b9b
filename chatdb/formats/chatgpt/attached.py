"""What a person saw beside the words of a ChatGPT message: pasted texts, reports, canvases.

All of it is taken from what is stored of the message, so that it can be made again at any time.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from chatdb.formats.chatgpt.canvases import PREFIX, canvas_text, storable, titled
from chatdb.formats.times import EPOCH
from chatdb.records import WHOLE_CONVERSATION, Message

WIDGETS = ("chatgpt_sdk", "chatgpt_sdk.widget_state", "widget_state")
"""Keys of a message's own metadata under which widgets keep what they show."""

_WORDS = frozenset(
    ("body", "comment", "comments", "content", "extracted_content", "markdown", "output")
) | frozenset(
    ("output_str", "parts", "report", "result", "snippet", "summary", "text", "transcript")
)
_REPORTS = ("report_message", "final_report_message")
_NODES = 10_000
"""Values of one message that are looked through for text."""
_COMPARED = 50_000_000
"""Characters up to which texts are looked for in the content, which takes as long as reading it."""

Fields = dict[str, Any]


def attached_text(message: Message) -> str | None:
    """Return the texts that a person saw beside the content, None if there are none.

    Each is under its name where it has one, an empty line between them; what the content has is
    not repeated, but for a canvas, which is JSON there.
    """
    metadata = message.metadata
    inner = metadata.get("metadata")
    recipient = metadata.get("recipient")
    texts = []
    if type(recipient) is str and recipient.startswith(PREFIX):
        texts.append(canvas_text(message))
    if message.attachments or message.tool_outputs or "content" in metadata:
        texts += _new_ones(message)
    if type(inner) is dict and not inner.keys().isdisjoint(WIDGETS):
        texts += map(_shown, _states(inner))
    text = "\n\n".join(dict.fromkeys(filter(None, texts)))
    return storable(text) if text else None


def has_report(message: Message) -> bool:
    """Tell whether a widget of the message shows a report."""
    inner = message.metadata.get("metadata")
    states = _states(inner) if isinstance(inner, dict) else ()
    return any(isinstance(state.get(name), dict) for state in states for name in _REPORTS)


def _new_ones(message: Message) -> Iterator[str]:
    """Yield the texts that the content does not have."""
    content, left = message.content, _COMPARED
    for name, text in _beside(message):
        words = text.strip()
        left -= len(content)
        if not words or words == content or (left > 0 and words in content):
            continue
        yield titled(name, text) or text


def _beside(message: Message) -> Iterator[tuple[Any, str]]:
    """Yield the texts of attachments, outputs and the rest of the content, with their names."""
    for each in message.attachments if isinstance(message.attachments, list) else ():
        if isinstance(each, dict):
            yield from ((each.get("name"), text) for text in _said(each))
    for each in message.tool_outputs if isinstance(message.tool_outputs, list) else ():
        if isinstance(each, dict):
            yield from ((None, text) for text in _printed(each))
    yield from ((None, text) for text in _said(message.metadata.get("content")))


def _printed(result: Fields) -> Iterator[str]:
    """Yield what running code printed, returned and failed with."""
    printed = [
        each["text"]
        for each in _objects(result.get("messages"))
        if isinstance(each.get("text"), str)
    ]
    yield "".join(printed)
    if isinstance(result.get("final_expression_output"), str):
        yield result["final_expression_output"]
    failure = result.get("in_kernel_exception")
    lines = failure.get("traceback") if isinstance(failure, dict) else None
    if isinstance(lines, list):
        yield "\n".join(line for line in lines if isinstance(line, str))


def _said(value: Any) -> Iterator[str]:
    """Yield the texts under keys where programs keep what people read, in their order."""
    pending: list[tuple[bool, Any]] = [(False, value)]
    for _ in range(_NODES):
        if not pending:
            return
        wordy, each = pending.pop()
        if isinstance(each, str):
            if wordy:
                yield each
        elif isinstance(each, dict):
            inside = [(name in _WORDS, item) for name, item in each.items()]
            pending += reversed(inside)
        elif isinstance(each, list):
            pending += [(wordy, item) for item in reversed(each)]


def _states(metadata: Fields) -> Iterator[Fields]:
    """Yield the states of the widgets of a message, which are JSON in a text or objects."""
    kit = metadata.get(WIDGETS[0])
    found = [metadata.get(name) for name in WIDGETS[1:]]
    if isinstance(kit, dict):
        answer = kit.get("tool_response_metadata")
        inside = [kit, answer] if isinstance(answer, dict) else [kit]
        found += [
            value
            for fields in inside
            for name, value in fields.items()
            if name.endswith("widget_state")
        ]
    for state in found:
        if isinstance(state, str):
            try:
                state = msgspec.json.decode(state)
            except (msgspec.DecodeError, RecursionError, UnicodeError):
                continue
        if isinstance(state, dict):
            yield state


def _shown(state: Fields) -> str | None:
    """Return the report of a widget, its citations as links, or what text it has."""
    reports = [state[name] for name in _REPORTS if isinstance(state.get(name), dict)]
    texts = [_report(report) for report in reports] or [*_said(state)]
    text = "\n\n".join(text for text in texts if text.strip())
    return titled(state.get("title"), text)


def _report(report: Fields) -> str:
    """Return the text of a report, links in place of its citations: it has their addresses."""
    # Its patterns take 20 ms to compile, and few exports have a report.
    from chatdb.formats.citations import with_links

    text = "\n".join(_said({"content": report.get("content")}))
    whole = Message(
        id=WHOLE_CONVERSATION,
        role="assistant",
        content=text,
        metadata={"metadata": report.get("metadata")},
        created_at=EPOCH,
    )
    return with_links(whole)


def _objects(value: Any) -> Iterator[Fields]:
    if isinstance(value, list):
        yield from (each for each in value if isinstance(each, dict))
