"""What a person saw beside a Claude message's own words, as one text for searching and showing."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from chatdb.formats.blocks import SEPARATOR, text_of_result
from chatdb.records import Message

COMMENTS = "comments"
"""The key of `metadata` under which an artifact's message has what people said about it."""

_ARTIFACTS = "artifacts"
_PASTED = ("extracted_content", "content")
_NAMES = ("file_name", "name", "title")
_WRITTEN = ("content", "file_text", "new_str", "widget_code")
_TITLES = ("title", "path", "file_path", "filename", "id")
_DRAFTS = ("subject", "body")
_RUNS_CODE = re.compile(
    r"repl|bash|python|code|exec|shell|terminal|analysis|notebook", re.IGNORECASE
)
_OUTPUTS = ("stdout", "stderr")
_READ = frozenset(
    (
        *("text", "thinking", "redacted_thinking", "tool_use", "tool_result", "token_budget"),
        *("injected_prompt_block", "image", "document", "none"),
    )
)
"""Blocks whose text has another place, or that nobody saw."""
_SEEN_FIELDS = ("title", "name", "text", "message", "content", "value")
_QUESTIONS = ("questionRecord", "questionReceipt")
"""What Claude's designer asked, and what a person chose or wrote: messages without other words."""
_NO_WORDS = re.compile(r"(?:.*_)?(?:id|uuid|type|kind|status|at)|.*Id|.*At")
_DEEPEST = 20
_decode = msgspec.json.Decoder().decode


def attached_text(message: Message) -> str | None:
    """Return the texts beside a message's content, joined by an empty line; None without any.

    Pasted texts, artifacts and files that tools wrote, the output of code, an artifact's comments,
    and the text of unknown blocks; each begins with a line that names it where it has a name. Made
    from the record alone, so that it can be made again.
    """
    metadata = message.metadata
    parts: list[tuple[str, str]] = []
    if message.attachments:
        parts += _pasted(message.attachments)
    if message.tool_calls:
        parts += _written(message.tool_calls)
    if message.tool_outputs:
        parts += _code_outputs(message.tool_outputs)
    if metadata:
        if "content" in metadata:
            parts += _unknown(metadata["content"])
        if COMMENTS in metadata:
            parts += _comments(metadata[COMMENTS])
        for name in _QUESTIONS:
            if name in metadata:
                parts.append(("", "\n".join(_said_in(metadata[name], 0))))
    if not parts:
        return None
    return SEPARATOR.join(_told(parts, message.content)) or None


def _told(parts: Iterable[tuple[str, str]], content: str) -> Iterator[str]:
    """Yield each text once, with its name before it, but for what the content has already."""
    seen: set[tuple[str, str]] = set()
    for name, text in parts:
        if not text.strip() or text in content or (name, text) in seen:
            continue
        seen.add((name, text))
        yield f"{name}:\n{text}" if name else text


def _pasted(attachments: Any) -> Iterator[tuple[str, str]]:
    for each in attachments if isinstance(attachments, list) else ():
        # A pasted text has an entry of the same name among the files, without its text.
        if isinstance(each, dict) and each.get("kind") != "file":
            text = _first(each, _PASTED)
            if text is not None:
                yield _first(each, _NAMES) or "", text


def _written(calls: Any) -> Iterator[tuple[str, str]]:
    """Yield what tools wrote for the person: artifacts, files, drafts of mails."""
    for call in calls if isinstance(calls, list) else ():
        given = _object(call.get("input")) if isinstance(call, dict) else None
        if given is None:
            continue
        name = _first(given, _TITLES) or ""
        text = _first(given, _WRITTEN)
        if text is not None and (name or call.get("name") == _ARTIFACTS):
            yield name, text
        for draft in _dicts(given.get("variants")):
            parts = (draft.get(field) for field in _DRAFTS)
            yield "", "\n".join(part for part in parts if isinstance(part, str))


def _code_outputs(outputs: Any) -> Iterator[tuple[str, str]]:
    for output in _dicts(outputs):
        name = output.get("name")
        if not isinstance(name, str) or not _RUNS_CODE.search(name):
            continue
        text = text_of_result(output)
        told = _object(text)
        if told is not None and not told.keys().isdisjoint(_OUTPUTS):
            parts = (told.get(field) for field in _OUTPUTS)
            text = "\n".join(part for part in parts if isinstance(part, str) and part)
        yield "", text


def _unknown(content: Any) -> Iterator[tuple[str, str]]:
    """Yield the text of blocks without a place of their own; a content that is none is a text."""
    if isinstance(content, str):
        yield "", content
    for block in content if isinstance(content, list) else ():
        if isinstance(block, str):
            yield "", block
        elif isinstance(block, dict):
            kind = block.get("type", "none")
            if kind == "document":
                yield from _document(block)
            elif not isinstance(kind, str) or kind not in _READ:
                yield "", "\n".join(_seen_in(block, 0))


def _document(block: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the text of a document that the API carries in the message itself."""
    source = block.get("source")
    if isinstance(source, dict) and source.get("type") == "text":
        text = source.get("data")
        if isinstance(text, str):
            yield _first(block, _NAMES) or "", text


def _seen_in(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth < _DEEPEST:
        if isinstance(value, list):
            for each in value:
                yield from _seen_in(each, depth + 1)
        elif isinstance(value, dict):
            for field in _SEEN_FIELDS:
                if field in value:
                    yield from _seen_in(value[field], depth + 1)


def _said_in(value: Any, depth: int) -> Iterator[str]:
    """Yield every text in a value, but for ids, kinds and times."""
    if isinstance(value, str):
        yield value
    elif depth < _DEEPEST:
        if isinstance(value, list):
            for each in value:
                yield from _said_in(each, depth + 1)
        elif isinstance(value, dict):
            for name, each in value.items():
                if not _NO_WORDS.fullmatch(name):
                    yield from _said_in(each, depth + 1)


def _comments(threads: Any) -> Iterator[tuple[str, str]]:
    for thread in _dicts(threads):
        said = [_first(each, ("text", "body")) for each in _dicts(thread.get("comments"))]
        texts = [text for text in (_first(thread, ("quoted_text",)), *said) if text]
        yield "comments", "\n".join(texts)


def _object(value: Any) -> dict[str, Any] | None:
    """Return an object, also one that is JSON in a text."""
    if isinstance(value, str) and value.startswith("{"):
        try:
            value = _decode(value)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return None
    return value if isinstance(value, dict) else None


def _dicts(value: Any) -> Iterator[dict[str, Any]]:
    for each in value if isinstance(value, list) else ():
        if isinstance(each, dict):
            yield each


def _first(fields: dict[str, Any], names: tuple[str, ...]) -> str | None:
    """Return the first of these fields that is a text with something in it."""
    for name in names:
        value = fields.get(name)
        if isinstance(value, str) and value:
            return value
    return None
