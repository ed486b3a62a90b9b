"""The contents of Claude messages: what each block means for a record."""

from dataclasses import dataclass, field
from typing import Any

from chatdb.formats.base import Tally
from chatdb.formats.fields import kept

SEPARATOR = "\n\n"

Fields = dict[str, Any]


@dataclass(slots=True)
class Blocks:
    """The blocks of a message by kind, in order.

    `rest` describes each block in order: its type and what found no other place; it is empty
    when the message is a single plain text.
    """

    texts: list[str] = field(default_factory=list)
    reasoning: list[Any] = field(default_factory=list)
    tool_calls: list[Any] = field(default_factory=list)
    tool_outputs: list[Any] = field(default_factory=list)
    rest: list[Any] = field(default_factory=list)

    @property
    def text(self) -> str:
        return SEPARATOR.join(text for text in self.texts if text)

    @property
    def is_only_results(self) -> bool:
        """Whether the message is nothing but what tools returned."""
        return bool(self.tool_outputs) and not (self.texts or self.reasoning or self.tool_calls)


def read_blocks(raw: Any, tally: Tally) -> Blocks:
    """Sort the blocks of a message's `content`; anything but a list has none."""
    blocks = Blocks()
    if not isinstance(raw, list):
        return blocks
    for block in raw:
        if isinstance(block, dict):
            blocks.rest.append(_sort(block, blocks, tally))
        elif isinstance(block, str):
            blocks.texts.append(block)
            blocks.rest.append({"type": "text"})
        elif block is not None:
            blocks.rest.append(block)
            tally.lossy["a content block that is no object kept in metadata"] += 1
    texts = [text for text in blocks.texts if text]
    if len(texts) > 1:
        _note_lengths(blocks)
    if blocks.rest == [{"type": "text"}]:
        blocks.rest = []
    return blocks


def _sort(block: Fields, blocks: Blocks, tally: Tally) -> Fields:
    """Put a block where its kind belongs and return what is left of it."""
    raw_kind = block.get("type")
    kind = raw_kind if isinstance(raw_kind, str) else "none"
    tally.content_types[kind] += 1
    if kind == "text" and isinstance(block.get("text"), str):
        blocks.texts.append(block.pop("text"))
        return kept(block)
    if kind == "thinking" and isinstance(block.get("thinking"), str):
        del block["type"]
        blocks.reasoning.append({"content": block.pop("thinking"), **kept(block)})
        return {"type": kind}
    if kind == "tool_use":
        del block["type"]
        blocks.tool_calls.append(kept(block))
        return {"type": kind}
    if kind == "tool_result":
        del block["type"]
        blocks.tool_outputs.append(kept(block))
        return {"type": kind}
    if kind != "token_budget":
        tally.lossy[f"unknown content block {kind!r} kept in metadata"] += 1
    return kept(block)


def _note_lengths(blocks: Blocks) -> None:
    """Note how long each text is: so the joined text can be taken apart again."""
    lengths = iter([len(text) for text in blocks.texts])
    for rest in blocks.rest:
        if isinstance(rest, dict) and rest.get("type") == "text" and "text" not in rest:
            rest["length"] = next(lengths, 0)
