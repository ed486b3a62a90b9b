"""The projects of a Claude.ai export: a document each for their files and their instructions."""

from collections.abc import Sequence
from typing import Any

from chatdb.formats.claude.texts import (
    KeptText,
    Time,
    conversation_of,
    take_time,
    without_addresses,
)
from chatdb.formats.fields import kept, kind_of, take_text
from chatdb.formats.files.json_records import BadRecordError, JsonReader, RecordContext
from chatdb.records import Conversation

SOURCE = "claude-projects"

_LOOKED_AT = 20
_MESSAGES = ("messages", "chat_messages")

Fields = dict[str, Any]


class ProjectsReader(JsonReader):
    """Reads `projects/<uuid>.json`, and lists of projects as older exports have them."""

    name = SOURCE
    version = 1

    def recognises_record(self, value: Any) -> bool:
        if not isinstance(value, dict) or not isinstance(value.get("uuid"), str):
            return False
        if any(name in value for name in _MESSAGES):
            return False
        docs = value.get("docs")
        return "prompt_template" in value or (
            isinstance(docs, list)
            and any(isinstance(doc, dict) and "filename" in doc for doc in docs[:_LOOKED_AT])
        )

    def unwrap(self, value: Any) -> Sequence[Any] | None:
        """Return a record for each document of a project, and one for its prompt."""
        if not isinstance(value, dict):
            return None
        project = dict(value)
        docs, prompt = project.pop("docs", None), project.pop("prompt_template", None)
        documents = docs if isinstance(docs, list) else [] if docs is None else [docs]
        records = [{"document": each, "project": project, **_named(each)} for each in documents]
        if prompt:
            return [{"prompt": prompt, "project": project}, *records]
        # Words that would otherwise be kept nowhere.
        if not records and project.get("description"):
            return [{"prompt": project["description"], "project": project, "is_description": True}]
        return records

    def convert(self, record: Fields, context: RecordContext) -> Conversation:
        project = without_addresses(record["project"], context)
        if "document" in record:
            return _document(record["document"], project, context)
        if not isinstance(record["prompt"], str):
            raise BadRecordError(f"its prompt is no text but {kind_of(record['prompt'])}")
        what = "description" if record.get("is_description") else "prompt"
        found = KeptText(
            source_id=f"{_uuid(project)}/{what}",
            kind="document",
            # The instructions that stand before each conversation of the project.
            role="system" if what == "prompt" else "user",
            text=record["prompt"],
            title=f"{project.get('name') or 'Project'}: {what}",
            user_id=_creator(project),
            created=take_time(dict(project), "created_at"),
            updated=take_time(dict(project), "updated_at"),
            metadata={"project": kept(project)},
        )
        return conversation_of(found, self.name, context)


reader = ProjectsReader()


def _named(document: Any) -> Fields:
    """Return the id of a document, for the list of those that cannot be read."""
    return {"uuid": document.get("uuid")} if isinstance(document, dict) else {}


def _document(raw: Any, project: Fields, context: RecordContext) -> Conversation:
    if not isinstance(raw, dict):
        raise BadRecordError(f"a document of a project is not an object but {kind_of(raw)}")
    content = raw.get("content")
    if not isinstance(content, str | None):
        raise BadRecordError(f"its content is no text but {kind_of(content)}")
    fields = without_addresses({name: raw[name] for name in raw if name != "content"}, context)
    own, title = take_text(fields, "uuid"), take_text(fields, "filename")
    created, changed = take_time(fields, "created_at"), take_time(fields, "updated_at")
    of_project = take_time(dict(project), "updated_at")
    found = KeptText(
        # Only a UUID is certain to be no other project's too.
        source_id=own if own and len(own) == 36 else f"{_uuid(project)}/{own or title or ''}",
        kind="document",
        role="user",
        text=content or "",
        title=title,
        user_id=_creator(project),
        created=created if created.moment.at else take_time(dict(project), "created_at"),
        written=changed if changed.moment.at else created,
        updated=_later(changed, of_project),
        guessed=created.moment.at is None,
        metadata={**fields, "project": kept(project)},
    )
    return conversation_of(found, SOURCE, context)


def _later(one: Time, other: Time) -> Time:
    """Return the later of two times: a document has none of its last change, its project has."""
    if one.moment.at is None or (other.moment.at is not None and other.moment.at > one.moment.at):
        return other
    return one


def _uuid(project: Fields) -> str:
    return str(project.get("uuid") or "")


def _creator(project: Fields) -> str | None:
    creator = project.get("creator")
    found = creator.get("uuid") if isinstance(creator, dict) else None
    return found if isinstance(found, str) and found else None
