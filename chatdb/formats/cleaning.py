"""Makes records storable: NUL and lone surrogates become U+FFFD, the original is kept."""

import json
from typing import Any

from chatdb.formats.base import Tally
from chatdb.primitives import canonical
from chatdb.primitives.nesting import roomy
from chatdb.records import MARKS, Conversation, Message
from chatdb.store.columns import DIGEST, JSON, OBJECT, TEXT, fields_of

_dumps = roomy(json.dumps)
_TEXTS = fields_of("messages", TEXT)
_FILE_TEXTS = (*fields_of("message_files", TEXT, DIGEST), *fields_of("files", TEXT))
_VALUES = fields_of("messages", JSON, OBJECT)
_CONVERSATION_TEXTS = ("organization", "organization_name", *fields_of("conversations", TEXT))
_CONVERSATION_VALUES = fields_of("conversations", JSON, OBJECT)


def clean_conversation(record: Conversation, tally: Tally) -> None:
    """Clean every text and JSON value of a record in place and count the replacements.

    The original is kept under the mark `original` of the metadata: base64 of the UTF-8 of a text,
    or of the JSON of a value. Needed only if the bytes of the source may contain something to
    clean: it walks everything.
    """
    _clean(record, _CONVERSATION_TEXTS, _CONVERSATION_VALUES, tally)
    for message in record.messages:
        _clean(message, _TEXTS, _VALUES, tally)
    for snapshot in record.snapshots:
        snapshot.state, count = canonical.clean(snapshot.state)
        tally.replaced_characters += count
    for file in record.files:
        for name in _FILE_TEXTS:
            if text := getattr(file, name):
                cleaned, count = canonical.clean_text(text)
                setattr(file, name, cleaned)
                tally.replaced_characters += count
    for embedding in record.embeddings:
        embedding.model, count = canonical.clean_text(embedding.model)
        tally.replaced_characters += count


def clean_message(message: Message, tally: Tally) -> None:
    """Clean a single message in the same way."""
    _clean(message, _TEXTS, _VALUES, tally)


def _clean(
    record: Conversation | Message, texts: tuple[str, ...], values: tuple[str, ...], tally: Tally
) -> None:
    originals: dict[str, str] = {}
    for name in texts:
        text = getattr(record, name)
        if text is not None and not canonical.is_clean_text(text):
            cleaned, count = canonical.clean_text(text)
            setattr(record, name, cleaned)
            originals[name] = canonical.original_of(text)
            tally.replaced_characters += count
    for name in values:
        value = getattr(record, name)
        if not value:
            continue
        cleaned, count = canonical.clean(value)
        if count:
            setattr(record, name, cleaned)
            # ASCII: a lone surrogate has no UTF-8.
            originals[name] = canonical.original_of(_dumps(value, ensure_ascii=True))
            tally.replaced_characters += count
    if originals:
        mark(record, "original", originals)


def add_fields(record: Conversation | Message, fields: dict[str, Any]) -> None:
    """Add a source's fields to the metadata of a record; existing ones stay.

    A field that has the name of chatdb's own marks becomes the mark `field`.
    """
    if MARKS in fields:
        fields = dict(fields)
        mark(record, "field", fields.pop(MARKS))
    record.metadata = {**fields, **record.metadata}


def mark(record: Conversation | Message, name: str, value: Any) -> None:
    """Set one of chatdb's own marks in the metadata of a record."""
    marks = record.metadata.get(MARKS)
    marks = {**marks, name: value} if isinstance(marks, dict) else {name: value}
    record.metadata = {**record.metadata, MARKS: marks}
