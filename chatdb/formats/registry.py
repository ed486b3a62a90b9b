"""The table of formats, and detecting the right reader by structure."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import cast

from chatdb.errors import InvalidInputError, UsageError
from chatdb.formats.base import Reader, WriteOptions, Writer
from chatdb.formats.files.sources import Source

_HINT = "to list what can be read: chatdb formats; to choose a format: --from NAME"
_NAMED_HINT = "to list what can be read: chatdb formats"


@dataclass(frozen=True, slots=True)
class Format:
    """A row of `chatdb formats`; its module offers `reader` and `make_writer(options)` as told."""

    name: str
    title: str
    reads: bool
    writes: bool
    extensions: tuple[str, ...]
    module: str


# In the order in which readers are tried: the loosest marks, those of chat files, come last.
FORMATS: tuple[Format, ...] = (
    Format(
        "jsonl",
        "chatdb's native format: JSON Lines, lossless",
        reads=True,
        writes=True,
        extensions=(".jsonl", ".jsonl.gz", ".jsonl.zst"),
        module="chatdb.formats.native",
    ),
    Format(
        "chatgpt",
        "ChatGPT data export (zip, folder or conversations.json)",
        reads=True,
        writes=False,
        extensions=(".zip", ".json"),
        module="chatdb.formats.chatgpt.reader",
    ),
    Format(
        "chatgpt-group",
        "ChatGPT data export, its group chats",
        reads=True,
        writes=False,
        extensions=(".zip", ".json"),
        module="chatdb.formats.chatgpt.group_chats",
    ),
    Format(
        "chatgpt-canvas",
        "ChatGPT data export, its canvases (textdocs)",
        reads=True,
        writes=False,
        extensions=(".zip", ".json"),
        module="chatdb.formats.chatgpt.textdocs",
    ),
    Format(
        "claude",
        "Claude.ai data export (zip, folder or conversations.json)",
        reads=True,
        writes=False,
        extensions=(".zip", ".json"),
        module="chatdb.formats.claude.reader",
    ),
    Format(
        "claude-design",
        "Claude.ai data export, its design chats (since August 2026)",
        reads=True,
        writes=False,
        extensions=(".zip", ".json"),
        module="chatdb.formats.claude.design_chats",
    ),
    Format(
        "claude-projects",
        "Claude.ai data export, its projects: documents and prompts",
        reads=True,
        writes=False,
        extensions=(".zip", ".json"),
        module="chatdb.formats.claude.projects",
    ),
    Format(
        "claude-memories",
        "Claude.ai data export, its memories",
        reads=True,
        writes=False,
        extensions=(".zip", ".json"),
        module="chatdb.formats.claude.memories",
    ),
    Format(
        "claude-artifacts",
        "Claude.ai data export, its artifacts (since August 2026)",
        reads=True,
        writes=False,
        extensions=(".zip", ".json"),
        module="chatdb.formats.claude.artifacts",
    ),
    Format(
        "chat-storage",
        "ChatMCP's localStorage: the value of chat-storage, titles only",
        reads=True,
        writes=False,
        extensions=(".json",),
        module="chatdb.formats.chat_storage",
    ),
    Format(
        "chat-sessions",
        "the interview app's localStorage: the value of ai_chat_sessions_v1",
        reads=True,
        writes=False,
        extensions=(".json",),
        module="chatdb.formats.chat_sessions",
    ),
    Format(
        "chat-files",
        "a folder of JSON files, a conversation each, or one file with all (Multichat)",
        reads=True,
        writes=False,
        extensions=(".json",),
        module="chatdb.formats.chat_files",
    ),
    Format(
        "json",
        "JSON list of conversations for other programs",
        reads=False,
        writes=True,
        extensions=(".json", ".json.gz", ".json.zst"),
        module="chatdb.formats.json_array",
    ),
    Format(
        "markdown",
        "Markdown transcripts with front matter",
        reads=False,
        writes=True,
        extensions=(".md",),
        module="chatdb.formats.markdown",
    ),
    Format(
        "html",
        "HTML pages to read, with an index to search",
        reads=False,
        writes=True,
        extensions=(".html",),
        module="chatdb.formats.html.writer",
    ),
    Format(
        "pdf",
        "PDF to hand on (needs chatdb-cli[pdf])",
        reads=False,
        writes=True,
        extensions=(".pdf",),
        module="chatdb.formats.pdf.writer",
    ),
)


def readers() -> Iterator[Reader]:
    """Yield every reader, in the order in which they are tried."""
    for known in FORMATS:
        if known.reads:
            yield _reader_of(known)


def reader(name: str) -> Reader:
    """Return the reader of a format by name; raises UsageError for an unknown one."""
    return _reader_of(_find(name, [known for known in FORMATS if known.reads]))


def is_reader(name: str) -> bool:
    """Tell whether a name is that of a readable format."""
    return any(known.reads and known.name == name for known in FORMATS)


def writer(name: str, options: WriteOptions | None = None) -> Writer:
    """Return a writer of a format by name; raises UsageError for an unknown one."""
    found = _find(name, [known for known in FORMATS if known.writes])
    made = import_module(found.module).make_writer(options or WriteOptions())
    return cast(Writer, made)


def detect(source: Source) -> Reader:
    """Return the reader that recognises the source by its structure, never by its name.

    Raises InvalidInputError that says what was seen if none does.
    """
    from chatdb.formats.files.sampling import sample_of, seen
    from chatdb.formats.products import product_among

    known = list(readers())
    said, hint, is_named = "", _HINT, False
    for file in source.files:
        sample = sample_of(file)
        for candidate in known:
            if candidate.recognises(sample):
                return candidate
        if not is_named:
            product = product_among(sample.values, sample.head)
            is_named = product is not None
            if is_named or not said:
                said = seen(file.name, sample, product, is_inside=file.name != source.name)
                named = product.hint if product is not None else None
                hint = sample.hint or named or (_NAMED_HINT if is_named else _HINT)
    if len(source.files) == 1:
        raise InvalidInputError(said, hint=hint)
    raise InvalidInputError(
        f"{source.name} contains no readable conversations ({len(source.files)} files were "
        f"checked; {said})",
        hint=_NAMED_HINT if is_named else _HINT,
    )


def _find(name: str, among: list[Format]) -> Format:
    for known in among:
        if known.name == name:
            return known
    names = ", ".join(known.name for known in among)
    raise UsageError(
        f"unknown format {name!r}; known ones: {names}", hint="to list them: chatdb formats"
    )


def _reader_of(known: Format) -> Reader:
    return cast(Reader, import_module(known.module).reader)
