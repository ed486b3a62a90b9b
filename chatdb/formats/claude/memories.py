"""The memories of a Claude.ai export: what Claude keeps about a person, and about projects."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from chatdb.formats.claude.texts import (
    KeptText,
    conversation_of,
    take_time,
    without_addresses,
)
from chatdb.formats.fields import kind_of, take_text
from chatdb.formats.files.json_records import BadRecordError, JsonReader, RecordContext
from chatdb.records import Conversation

SOURCE = "claude-memories"

_OF_PROJECTS, _FILES = "project_memories", "memory_files"
_OF_ALL = "conversations_memory"

Fields = dict[str, Any]


class MemoriesReader(JsonReader):
    """Reads `memories/<user>.json`, and lists of such objects as older exports have them."""

    name = SOURCE
    version = 1

    def recognises_record(self, value: Any) -> bool:
        return isinstance(value, dict) and (
            _OF_ALL in value
            or ("account_uuid" in value and not {_OF_PROJECTS, _FILES}.isdisjoint(value))
        )

    def unwrap(self, value: Any) -> Sequence[Any] | None:
        return list(_memories(dict(value))) if isinstance(value, dict) else None

    def convert(self, record: Fields, context: RecordContext) -> Conversation:
        fields = without_addresses(record["fields"], context)
        text = record["text"]
        if not isinstance(text, str):
            raise BadRecordError(f"a memory is no text but {kind_of(text)}")
        written = take_time(fields, "updated_at")
        created = take_time(fields, "created_at")
        user = record["account"]
        found = KeptText(
            source_id=f"{user or ''}/{record['place']}",
            kind="memory",
            role="assistant",
            text=text,
            title=record["title"],
            user_id=user,
            created=created,
            written=written if written.moment.at else created,
            updated=written,
            metadata=fields,
        )
        return conversation_of(found, self.name, context)


reader = MemoriesReader()


def _memories(fields: Fields) -> Iterator[Fields]:
    """Yield a record for each text of the memories of one account."""
    account = take_text(fields, "account_uuid")
    own, projects = fields.pop(_OF_ALL, None), fields.pop(_OF_PROJECTS, None)
    files = fields.pop(_FILES, None)

    def record(place: str, text: Any, title: str, of_it: Fields | None = None) -> Fields:
        about = {"account": account, "place": place, "text": text, "title": title}
        return {**about, "fields": {**fields, **(of_it or {})}}

    if own:
        yield record(_OF_ALL, own, "Memory")
    if isinstance(projects, dict):
        for uuid, text in projects.items():
            if text:
                about = {"project": {"uuid": uuid}}
                yield record(f"{_OF_PROJECTS}/{uuid}", text, "Project memory", about)
    elif projects:
        yield record(_OF_PROJECTS, projects, "Project memory")
    if isinstance(files, list):
        for number, each in enumerate(files, 1):
            yield _file(record, number, each)
    elif files:
        yield record(_FILES, files, "Memory")


def _file(record: Callable[..., Fields], number: int, raw: Any) -> Fields:
    if not isinstance(raw, dict):
        return record(f"{_FILES}/#{number}", raw or [], "Memory")
    about = dict(raw)
    text, path = about.pop("content", None), take_text(about, "path")
    return record(f"{_FILES}/{path or f'#{number}'}", text or "", path or "Memory", about)
