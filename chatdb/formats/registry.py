"""The table of formats, and detecting the right reader by structure."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Literal, cast

from chatdb.errors import InvalidInputError, UsageError
from chatdb.formats.base import Reader, WriteOptions, Writer
from chatdb.formats.files.sources import Source
from chatdb.formats.source_groups import Group

_HINT = "to list what can be read: chatdb formats; to choose a format: --from NAME"
_NAMED_HINT = "to list what can be read: chatdb formats"


@dataclass(frozen=True, slots=True)
class Format:
    """A row of `chatdb formats`; its module offers `reader` and `make_writer(options)` as told.

    `one_file` is said of what no folder is written of. In JSON invisible characters can be written
    as escapes; binary data are nothing for a terminal.
    """

    name: str
    title: str
    reads: bool
    writes: bool
    extensions: tuple[str, ...]
    module: str
    one_file: bool = False
    content: Literal["json", "text", "binary"] = "json"
    is_transcript: bool = False
    """To be read by people: without what only programs need, with kept attachments shown."""
    group: Group = "output"
    """How well known it is as a source."""
    verified: tuple[str, ...] = ()
    """The versions of it whose own files were read."""


def _export_part(name: str, module: str, what: str) -> Format:
    """Return the format of an export of ChatGPT or Claude.ai, or of one of its parts."""
    system = name.partition("-")[0]
    title = {"chatgpt": "ChatGPT data export", "claude": "Claude.ai data export"}[system]
    return Format(
        name,
        f"{title} {what}" if what.startswith("(") else f"{title}, {what}",
        reads=True,
        writes=False,
        extensions=(".zip", ".json"),
        module=f"chatdb.formats.{system}.{module}",
        group="wide",
    )


def _training_set(name: str, what: str, ending: str) -> Format:
    """Return a format of examples to train by, which is one file: without `--to` its name means the
    native format, or JSON."""
    return Format(
        name,
        f"training set {what}",
        reads=False,
        writes=True,
        extensions=(ending, ending + ".gz", ending + ".zst"),
        module=f"chatdb.formats.training.{name.replace('-', '_')}",
        one_file=True,
    )


# In the order in which readers are tried: the loosest marks, those of chat files, come last.
FORMATS: tuple[Format, ...] = (
    Format(
        "jsonl",
        "chatdb's native format: JSON Lines, lossless",
        reads=True,
        writes=True,
        extensions=(".jsonl", ".jsonl.gz", ".jsonl.zst"),
        module="chatdb.formats.native",
        group="own",
    ),
    Format(
        "json",
        "JSON list of conversations for other programs",
        reads=False,
        writes=True,
        extensions=(".json", ".json.gz", ".json.zst"),
        module="chatdb.formats.json_array",
    ),
    _export_part("chatgpt", "reader", "(zip, folder or conversations.json)"),
    _export_part("chatgpt-group", "group_chats", "its group chats"),
    _export_part("chatgpt-canvas", "textdocs", "its canvases (textdocs)"),
    _export_part("claude", "reader", "(zip, folder or conversations.json)"),
    _export_part("claude-design", "design_chats", "its design chats (since August 2026)"),
    _export_part("claude-projects", "projects", "its projects: documents and prompts"),
    _export_part("claude-memories", "memories", "its memories"),
    _export_part("claude-artifacts", "artifacts", "its artifacts (since August 2026)"),
    Format(
        "open-webui",
        "Open WebUI export (all chats, one chat, or a bare chat)",
        reads=True,
        writes=True,
        extensions=(".json", ".json.gz", ".json.zst"),
        module="chatdb.formats.open_webui.public",
        group="wide",
        one_file=True,
    ),
    Format(
        "chat-storage",
        "ChatMCP's localStorage: the value of chat-storage, titles only",
        reads=True,
        writes=False,
        extensions=(".json",),
        module="chatdb.formats.chat_storage",
        group="small",
    ),
    Format(
        "chat-sessions",
        "the interview app's localStorage: the value of ai_chat_sessions_v1",
        reads=True,
        writes=False,
        extensions=(".json",),
        module="chatdb.formats.chat_sessions",
        group="small",
    ),
    Format(
        "chat-files",
        "a folder of JSON files, a conversation each, or one file with all (Multichat)",
        reads=True,
        writes=False,
        extensions=(".json",),
        module="chatdb.formats.chat_files",
        group="small",
    ),
    Format(
        "csv",
        "CSV, a row a message, for spreadsheets",
        reads=False,
        writes=True,
        extensions=(".csv", ".csv.gz", ".csv.zst"),
        module="chatdb.formats.tables.csv_writer",
        content="text",
    ),
    Format(
        "parquet",
        "Parquet, typed tables for DuckDB, Polars, pandas",
        reads=False,
        writes=True,
        extensions=(".parquet",),
        module="chatdb.formats.tables.parquet_writer",
        content="binary",
    ),
    _training_set("openai-finetune", "for OpenAI's fine-tuning", ".jsonl"),
    _training_set("sharegpt", "in the ShareGPT format", ".json"),
    _training_set("oasst", "of OpenAssistant's message trees", ".jsonl"),
    _training_set("dpo", "of preferred and rejected answers (TRL)", ".jsonl"),
    Format(
        "markdown",
        "Markdown transcripts with front matter",
        reads=False,
        writes=True,
        extensions=(".md", ".md.gz", ".md.zst", ".markdown"),
        module="chatdb.formats.markdown",
        content="text",
        is_transcript=True,
    ),
    Format(
        "html",
        "HTML pages to read, with an index to search",
        reads=False,
        writes=True,
        extensions=(".html", ".html.gz", ".html.zst", ".htm"),
        module="chatdb.formats.html.writer",
        content="text",
        is_transcript=True,
    ),
    Format(
        "pdf",
        "PDF to hand on (needs chatdb-cli[pdf])",
        reads=False,
        writes=True,
        extensions=(".pdf", ".pdf.gz", ".pdf.zst"),
        module="chatdb.formats.pdf.writer",
        content="binary",
        is_transcript=True,
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


def written_format(name: str) -> Format:
    """Return a format that is written, by name; raises UsageError for an unknown one."""
    return _find(name, [known for known in FORMATS if known.writes])


def writer(name: str, options: WriteOptions | None = None) -> Writer:
    """Return a writer of a format by name; raises UsageError for an unknown one.

    That of tables is a `TableWriter` instead, which callers look for first.
    """
    made = import_module(written_format(name).module).make_writer(options or WriteOptions())
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
