"""Messages whose content is a list of blocks: what each block becomes in a record.

Reads the shapes of Anthropic (Claude's exports, agents that store its messages) and of OpenAI (chat
completions and responses); a block of an unknown kind is kept whole.
"""

from dataclasses import dataclass, field
from typing import Any

from chatdb.formats.base import Tally
from chatdb.formats.fields import kept
from chatdb.primitives import canonical
from chatdb.records import Message

SEPARATOR = "\n\n"

_TEXT = frozenset(("text", "input_text", "output_text", "summary_text", "refusal"))
_TEXT_FIELDS = ("text", "refusal", "value", "content")
_REASONING = frozenset(("thinking", "reasoning", "redacted_thinking", "reasoning_text"))
_THOUGHT_FIELDS = ("thinking", "text", "content")
_CALL = ("tool_use", "tool_call", "tool-call", "function_call")
_RESULT = ("tool_result", "tool-result", "call_output")
_NAMELESS = frozenset(("tool_use", "tool_result"))
"""The usual kinds of calls and outputs, which need no mark."""
_FILES = frozenset(
    (
        *("image", "image_url", "input_image", "document", "file", "input_file"),
        *("audio", "input_audio", "video", "video_url"),
    )
)
_SILENT = frozenset((*_FILES, "token_budget", "injected_prompt_block"))
"""Blocks that are kept without a note: they are known not to contain text."""

Fields = dict[str, Any]


@dataclass(slots=True)
class Blocks:
    """The blocks of a message by kind, in order.

    `rest` describes each block in order: its type and the fields without a column; it is empty if
    the message is a single plain text.
    """

    texts: list[str] = field(default_factory=list)
    reasoning: list[Any] = field(default_factory=list)
    tool_calls: list[Any] = field(default_factory=list)
    tool_outputs: list[Any] = field(default_factory=list)
    attachments: list[Any] = field(default_factory=list)
    rest: list[Any] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    """The index of each text in `rest`."""

    @property
    def text(self) -> str:
        """The texts joined."""
        return SEPARATOR.join(text for text in self.texts if text)

    @property
    def result_text(self) -> str:
        """The text of tool outputs, for a message that contains nothing else."""
        if not self.is_only_results:
            return ""
        return SEPARATOR.join(filter(None, map(text_of_result, self.tool_outputs)))

    @property
    def is_only_results(self) -> bool:
        """Whether the message contains only tool outputs."""
        return bool(self.tool_outputs) and not (
            any(self.texts) or self.reasoning or self.tool_calls or self.attachments
        )

    def fill(self, message: Message) -> None:
        """Move everything except the text into a record."""
        message.reasoning = self.reasoning or None
        message.tool_calls = self.tool_calls or None
        message.tool_outputs = self.tool_outputs or None


def read_blocks(raw: Any, tally: Tally, *, attach: bool = True) -> Blocks:
    """Sort the blocks of a message's `content`, a list or a single one.

    Without `attach`, pictures and files stay in `rest`: their source lists them elsewhere too.
    """
    blocks = Blocks()
    for block in raw if isinstance(raw, list) else [raw]:
        if isinstance(block, dict):
            blocks.rest.append(_sort(block, blocks, tally, attach=attach))
        elif isinstance(block, str):
            _add_text(blocks, block)
            blocks.rest.append({"type": "text"})
        elif block is not None:
            blocks.rest.append(block)
            tally.lossy["a content block that is no object kept in metadata"] += 1
    if sum(map(bool, blocks.texts)) > 1:
        for place, text in zip(blocks.places, blocks.texts, strict=True):
            # Joined texts lose where one ends: with the lengths they can be parted again.
            blocks.rest[place]["length"] = len(text)
    if blocks.rest in ([{"type": "text"}], [{}]):
        blocks.rest = []
    return blocks


def blocks_in_text(raw: Any, tally: Tally) -> Any:
    """Return the blocks if a text is their JSON, as in some exports; else the text."""
    if not isinstance(raw, str) or not raw.startswith("[{"):
        return raw
    try:
        blocks = canonical.decode(raw)
    except (ValueError, RecursionError):
        return raw
    if not all(isinstance(block, dict) and "type" in block for block in blocks):
        return raw
    tally.lossy["a content that was JSON in a text: read as blocks"] += 1
    return blocks


def is_block(value: Any) -> bool:
    """Tell whether a value can be a block: a text, or an object with a type or a text."""
    return isinstance(value, str) or (
        isinstance(value, dict) and not {"type", "text"}.isdisjoint(value)
    )


def _sort(block: Fields, blocks: Blocks, tally: Tally, *, attach: bool) -> Fields:
    """Move a block's fields to the columns of its kind and return the rest."""
    raw_kind = block.get("type")
    kind = raw_kind if isinstance(raw_kind, str) else "none"
    tally.content_types[kind] += 1
    if kind in _TEXT or kind == "none":
        text = _taken(block, _TEXT_FIELDS)
        if text is not None:
            _add_text(blocks, text)
            return kept(block)
    elif kind in _REASONING:
        blocks.reasoning.append(_thought(block, kind))
        return {"type": kind}
    elif kind.endswith(_CALL) or kind.endswith(_RESULT):
        if kind in _NAMELESS:
            del block["type"]
        found = blocks.tool_calls if kind.endswith(_CALL) else blocks.tool_outputs
        found.append(kept(block))
        return {"type": kind}
    elif kind in _FILES and attach:
        blocks.attachments.append(kept(block))
        return {"type": kind}
    if kind not in _SILENT:
        tally.lossy[f"unknown content block {kind[:40]!r} kept in metadata"] += 1
    return kept(block)


def _add_text(blocks: Blocks, text: str) -> None:
    blocks.places.append(len(blocks.rest))
    blocks.texts.append(text)


def _thought(block: Fields, kind: str) -> Fields:
    if kind in ("thinking", "reasoning"):
        del block["type"]
    text = _taken(block, _THOUGHT_FIELDS)
    return kept(block) if text is None else {"content": text, **kept(block)}


def _taken(block: Fields, names: tuple[str, ...]) -> str | None:
    """Take the text out of a block; OpenAI's assistants nest it one level deeper."""
    for name in names:
        value = block.get(name)
        if isinstance(value, str):
            return str(block.pop(name))
        if isinstance(value, dict) and isinstance(value.get("value"), str):
            text = str(value.pop("value"))
            if not kept(value):
                del block[name]
            return text
    return None


def text_of_result(output: Any) -> str:
    """Return the text of a tool's result: its content or output, a text or blocks of text."""
    if not isinstance(output, dict):
        return output if isinstance(output, str) else ""
    value = output.get("content", output.get("output"))
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        value = [value]
    parts = value if isinstance(value, list) else []
    texts = (part.get("text") if isinstance(part, dict) else part for part in parts)
    return "\n".join(text for text in texts if isinstance(text, str) and text)
