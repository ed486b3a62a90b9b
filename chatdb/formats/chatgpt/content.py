"""The contents of ChatGPT messages: what each `content_type` becomes in a record.

Visible text goes to `content`, thoughts to `reasoning`, pointers to `attachments`; the rest of the
content stays in the metadata under `content`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chatdb.formats.fields import kept

Fields = dict[str, Any]


@dataclass(slots=True)
class Content:
    """A content object taken apart; `rest` is everything without a column."""

    text: str = ""
    reasoning: list[Any] | None = None
    attachments: list[Any] | None = None
    rest: Any = None
    known: bool = True


def read_content(raw: Any) -> Content:
    """Take a content object apart; the object itself may be changed."""
    if type(raw) is dict and len(raw) == 2 and raw.get("content_type") == "text":
        parts = raw.get("parts")
        if type(parts) is list and len(parts) == 1 and type(parts[0]) is str:
            return Content(parts[0])
    if not isinstance(raw, dict):
        return Content(raw) if isinstance(raw, str) else Content(rest=raw, known=raw is None)
    kind = raw.get("content_type")
    read = _KINDS.get(kind) if kind is None or isinstance(kind, str) else None
    if read is None:
        return _unknown(raw)
    content = read(raw)
    if content.rest and read is not _parts:
        content.rest = kept(content.rest)
    return content


def _parts(raw: Fields) -> Content:
    """`text` and `multimodal_text`: strings are the text, everything else an attachment."""
    parts = raw.get("parts")
    if type(parts) is list and len(parts) == 1 and type(parts[0]) is str:
        content = Content(parts[0])
        del raw["parts"]
    elif isinstance(parts, list):
        content = _mixed_parts(raw, parts)
    elif isinstance(raw.get("text"), str):
        content = Content(raw.pop("text"))
    else:
        content = Content()
    if raw.get("content_type") == "text":
        del raw["content_type"]
    content.rest = kept(raw) if raw else None
    return content


def _mixed_parts(raw: Fields, parts: list[Any]) -> Content:
    texts: list[str] = []
    attachments: list[Any] = []
    order: list[str] = []
    for part in parts:
        if isinstance(part, str):
            texts.append(part)
            order.append("text")
        elif isinstance(part, dict) and part.get("content_type") == "audio_transcription":
            texts.append(str(part.get("text") or ""))
            order.append("audio_transcription")
        elif part is not None:
            attachments.append(part)
            order.append("attachment")
    # Joining loses where one text ends, so the parts are kept as they are.
    if len(texts) <= 1 and "audio_transcription" not in order:
        if len(order) > 1:
            raw["order"] = order
        del raw["parts"]
    if not any(texts):
        # Unknown parts: their text is better shown than nothing.
        texts = [part["text"] for part in attachments if _has_text(part)]
    return Content("\n".join(text for text in texts if text), attachments=attachments or None)


def _has_text(part: Any) -> bool:
    return isinstance(part, dict) and isinstance(part.get("text"), str)


def _text_in(*names: str) -> Callable[[Fields], Content]:
    """Return a reader for contents whose text is in the first non-empty one of some fields."""

    def read(raw: Fields) -> Content:
        for name in names:
            if isinstance(raw.get(name), str):
                return Content(raw.pop(name), rest=raw)
        content = _parts(raw)
        content.rest = raw
        return content

    return read


def _thoughts(raw: Fields) -> Content:
    thoughts = raw.pop("thoughts", None)
    if thoughts is None:
        thoughts = raw.pop("parts", None)
    if thoughts is not None and not isinstance(thoughts, list):
        thoughts = [thoughts]
    steps = [_step(thought) for thought in thoughts or [] if thought is not None]
    return Content(reasoning=steps or None, rest=raw)


def _step(thought: Any) -> Any:
    if isinstance(thought, str):
        return {"content": thought}
    if isinstance(thought, dict):
        return {key: value for key, value in thought.items() if value not in (None, [], {})}
    return thought


def _recap(raw: Fields) -> Content:
    recap = raw.pop("content", None)
    if recap is None:
        recap = raw.pop("parts", None)
    summaries = recap if isinstance(recap, list) else [recap]
    steps = [{"summary": summary} for summary in summaries if summary is not None]
    return Content(reasoning=steps or None, rest=raw)


def _context(raw: Fields) -> Content:
    """`user_editable_context` and `model_editable_context`: set by the user or the memory."""
    names = ("user_profile", "user_instructions", "model_set_context")
    texts = [raw[name] for name in names if isinstance(raw.get(name), str) and raw[name]]
    return Content("\n\n".join(texts), rest=raw)


def _computer(raw: Fields) -> Content:
    """`computer_output`: what a computer shows that the assistant works on."""
    content = _text_in("text", "output")(raw)
    if isinstance(raw.get("screenshot"), dict):
        content.attachments = [*(content.attachments or ()), raw.pop("screenshot")]
    return content


def _unknown(raw: Fields) -> Content:
    content = Content(rest=dict(raw), known=False)
    # Where the known types have their text: a new type most likely does too.
    for name in ("text", "content", "result", "output", "output_str"):
        if isinstance(raw.get(name), str):
            content.text = raw[name]
            return content
    parts = raw.get("parts")
    if isinstance(parts, list):
        content.text = "\n".join(part for part in parts if isinstance(part, str))
    return content


_KINDS: dict[str | None, Callable[[Fields], Content]] = {
    None: _parts,
    "text": _parts,
    "multimodal_text": _parts,
    "code": _text_in("text"),
    "execution_output": _text_in("text"),
    "citable_code_output": _text_in("output_str"),
    "computer_output": _computer,
    "system_error": _text_in("text"),
    "tether_quote": _text_in("text"),
    "tether_browsing_code": _text_in("text", "result"),
    "tether_browsing_display": _text_in("result"),
    "sonic_webpage": _text_in("text"),
    "thoughts": _thoughts,
    "reasoning_recap": _recap,
    "user_editable_context": _context,
    "model_editable_context": _context,
}
