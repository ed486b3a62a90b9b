"""A line of the native format as a record, read tolerantly where msgspec refuses it."""

from datetime import UTC
from typing import Any

import msgspec

from chatdb.formats.base import Skipped, Tally
from chatdb.formats.cleaning import clean_conversation
from chatdb.formats.identity import REPEATED, MessageIds
from chatdb.primitives import canonical
from chatdb.primitives.digests import DIGEST
from chatdb.primitives.nesting import TOO_DEEP, TooDeepError, roomy
from chatdb.records import Conversation, Message, sorted_embeddings, sorted_files
from chatdb.store.columns import TIME, fields_of

_TIMES = fields_of("conversations", TIME)
_MESSAGE_TIMES = fields_of("messages", TIME)
_SNAPSHOT_TIMES = fields_of("snapshots", TIME)
_MOST_POSITIONS = (1 << 31) - 1
_LARGEST = (1 << 63) - 1
_decode = roomy(msgspec.json.Decoder(Conversation).decode)
_convert = roomy(msgspec.convert)


def read_line(
    line: bytes, place: str, tally: Tally, *, has_attached_text: bool
) -> Conversation | Skipped:
    """Return the conversation of a line, or why it is none.

    Without `has_attached_text` (version 1) the text is made of what the messages hold: else an old
    file would take it from the messages that the database has.
    """
    try:
        record = _decode(line)
        # msgspec refuses everything else that would need cleaning.
        dirty = b"\\u0000" in line
    except TooDeepError:
        return Skipped(place, TOO_DEEP)
    except (msgspec.DecodeError, UnicodeDecodeError):
        tolerant = _read_tolerantly(line, place, tally)
        if isinstance(tolerant, Skipped):
            return tolerant
        record, dirty = tolerant, True
    try:
        _in_utc(record)
    except OverflowError as error:
        return Skipped(place, f"not a time that can be stored: {error}", str(record.id))
    # A line written by hand: the primary key would refuse the whole conversation.
    if len({message.id for message in record.messages}) != len(record.messages):
        _give_new_ids(record, tally)
    if dirty:
        clean_conversation(record, tally)
    try:
        if record.files:
            _check_files(record)
    except ValueError as error:
        return Skipped(place, f"not a file: {error}", str(record.id))
    try:
        if record.embeddings:
            _make_vectors(record)
    except ValueError as error:
        return Skipped(place, f"not an embedding: {error}", str(record.id))
    if not has_attached_text and record.source is not None:
        _make_attached_text(record)
    return record


def _make_attached_text(record: Conversation) -> None:
    from chatdb.formats.attached_text import SOURCES, fill

    if record.source in SOURCES:
        fill(record.source, record.messages)


def _check_files(record: Conversation) -> None:
    """Give the files their order; ValueError for a value that no database has or is a path."""
    for file in record.files:
        if not DIGEST.fullmatch(file.digest):
            raise ValueError("the digest is not 64 hexadecimal digits in lower case")
        if not 0 <= file.position <= _MOST_POSITIONS:
            raise ValueError(f"the position {file.position} is not possible")
        if file.size is not None and not 0 <= file.size <= _LARGEST:
            raise ValueError(f"the size {file.size} is not possible")
    record.files = sorted_files(record.files)


def _make_vectors(record: Conversation) -> None:
    """Give the embeddings their order, and their numbers as databases keep them; ValueError."""
    for embedding in record.embeddings:
        embedding.vector = canonical.vector(embedding.vector)
    record.embeddings = sorted_embeddings(record.embeddings)


def _give_new_ids(record: Conversation, tally: Tally) -> None:
    """Give messages that repeat an id in their conversation new ones."""
    ids = MessageIds(record.id)
    for message in record.messages:
        message.id, repeated = ids.of(str(message.id))
        if repeated:
            tally.lossy[REPEATED] += 1


def _read_tolerantly(line: bytes, place: str, tally: Tally) -> Conversation | Skipped:
    """Read a line that msgspec refuses: lone surrogates, odd numbers, unknown fields."""
    try:
        value = canonical.decode(line)
    except UnicodeDecodeError as error:
        return Skipped(place, f"not UTF-8: byte {error.start} of the line: {error.reason}")
    except TooDeepError:
        return Skipped(place, TOO_DEEP)
    except ValueError as error:
        return Skipped(place, f"not JSON: {error}")
    if not isinstance(value, dict):
        return Skipped(place, "not a conversation: the line is not a JSON object")
    identifier = value.get("id")
    try:
        _keep_unknown_fields(value, tally)
        return _convert(value, Conversation)
    except (msgspec.ValidationError, UnicodeError, TooDeepError) as error:
        source_id = identifier if isinstance(identifier, str) else None
        return Skipped(place, f"not a conversation: {error}", source_id)


def _keep_unknown_fields(value: dict[str, Any], tally: Tally) -> None:
    """Move fields that this version does not know into metadata."""
    _move_unknown(value, Conversation.__struct_fields__, "", tally)
    messages = value.get("messages")
    for message in messages if isinstance(messages, list) else []:
        if isinstance(message, dict):
            _move_unknown(message, Message.__struct_fields__, "messages.", tally)


def _move_unknown(value: dict[str, Any], known: tuple[str, ...], prefix: str, tally: Tally) -> None:
    unknown = [name for name in value if name not in known]
    if not unknown or not isinstance(value.setdefault("metadata", {}), dict):
        return
    for name in unknown:
        # A newer chatdb may have written them: an older one must not lose them.
        value["metadata"].setdefault(name, value.pop(name))
        tally.unknown_fields[prefix + name] += 1


def _in_utc(record: Conversation) -> None:
    """Turn times with another offset, or none, into UTC."""
    for name in _TIMES:
        _field_in_utc(record, name)
    for message in record.messages:
        for name in _MESSAGE_TIMES:
            _field_in_utc(message, name)
    for snapshot in record.snapshots:
        for name in _SNAPSHOT_TIMES:
            _field_in_utc(snapshot, name)


def _field_in_utc(record: msgspec.Struct, name: str) -> None:
    value = getattr(record, name)
    # Almost always: msgspec gives times ending in Z this very object.
    if value is None or value.tzinfo is UTC:
        return
    aware = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    setattr(record, name, aware)
