"""The artifacts of a Claude.ai export: a conversation each, with a message a version.

The text of a version is a file beside the artifact's: it is kept in the message's attachments.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from chatdb.errors import ChatdbError
from chatdb.formats.base import Skipped
from chatdb.formats.blocks import SEPARATOR
from chatdb.formats.claude.artifact_files import (
    ArtifactFiles,
    VersionFile,
    files_of,
    folders_beside,
)
from chatdb.formats.claude.attached import COMMENTS, attached_text
from chatdb.formats.claude.texts import take_time, without_addresses
from chatdb.formats.fields import take_text, with_marks
from chatdb.formats.files.duplicate_keys import MOST_NAMED
from chatdb.formats.files.json_records import BadRecordError, JsonReader, RecordContext
from chatdb.formats.files.source_files import SourceFile, folder_of
from chatdb.formats.files.sources import Source
from chatdb.formats.identity import REPEATED, MessageIds, conversation_id
from chatdb.formats.times import EPOCH, GUESSED
from chatdb.formats.unread import Unread
from chatdb.primitives import canonical
from chatdb.records import Conversation, Message

SOURCE = "claude-artifacts"

_NO_FILE = "its text is not in what was given"

Fields = dict[str, Any]


class ArtifactsReader(JsonReader):
    """Reads `artifacts/<id>/artifact.json` with the files beside it."""

    name = SOURCE
    version = 1

    def __init__(self, files: ArtifactFiles | None = None) -> None:
        self._files = files or ArtifactFiles()

    def recognises_record(self, value: Any) -> bool:
        return (
            isinstance(value, dict)
            and isinstance(value.get("versions"), list)
            and not {"active_version", "owner_account"}.isdisjoint(value)
        )

    def folders_beside(self, name: str) -> Iterator[str]:
        """Yield each folder whose artifact a file of this name would belong to."""
        return folders_beside(name)

    def convert(self, record: Fields, context: RecordContext) -> Conversation:
        source_id = take_text(record, "id")
        if source_id is None:
            raise BadRecordError("it has no id")
        raw_versions = record.pop("versions", None)
        updated, made = take_time(record, "updated_at"), take_time(record, "created_at")
        active, owner = record.get("active_version"), record.pop("owner_account", None)
        identifier = conversation_id(self.name, context.source_name, source_id)
        started = made.moment.at or updated.moment.at or EPOCH
        reading = _Versions(self._files, context, identifier, started)
        listed = raw_versions if isinstance(raw_versions, list) else []
        messages = reading.messages(listed, active)
        if not messages:
            context.skips.clear()
            raise BadRecordError(
                "the texts of its versions are not beside it: give the zip or folder"
            )
        current = next((each for each in messages if each.source_id == active), messages[-1])
        created = min(started, *(each.created_at for each in messages), key=_unknown_last)
        user = owner.get("uuid") if isinstance(owner, dict) else owner
        return Conversation(
            id=identifier,
            user_id=user if isinstance(user, str) and user else None,
            title=reading.titles.get(current.id),
            current_message_id=current.id,
            created_at=created,
            updated_at=max([updated.moment.at or created, *(each.created_at for each in messages)]),
            kind="canvas",
            source=self.name,
            source_id=source_id,
            metadata=_metadata(record, context, guessed=updated.moment.at is None),
            messages=messages,
        )

    def _read(
        self, source: Source, context: RecordContext
    ) -> Iterator[Conversation | Skipped | Unread]:
        beside: dict[str, list[SourceFile]] = defaultdict(list)
        for each in source.beside:
            for folder in folders_beside(each.name):
                beside[folder].append(each)
        alone = len(source.files) == 1
        for file in source.files:
            folder = folder_of(file.name)
            reading = ArtifactsReader(files_of(folder, beside[folder]))
            yield from reading._read_file(file, context, alone=alone)


reader = ArtifactsReader()


class _Versions:
    """Makes the messages of one artifact; `titles` are theirs."""

    def __init__(
        self, files: ArtifactFiles, context: RecordContext, conversation: UUID, started: datetime
    ) -> None:
        self._files = files
        self._context = context
        self._ids = MessageIds(conversation)
        self._started = started
        self.titles: dict[UUID, str | None] = {}

    def messages(self, listed: list[Any], active: Any) -> list[Message]:
        """Return the versions that have a text, the oldest first."""
        waiting = dict(self._files.versions)
        if self._files.page is not None:
            name = active if isinstance(active, str) else "page"
            waiting[name] = [*waiting.get(name, ()), VersionFile("page.md", self._files.page)]
        found: list[Message] = []
        missing = 0
        for raw in listed:
            version = raw.get("id") if isinstance(raw, dict) else None
            if isinstance(version, str) and version in waiting:
                found += self._message(version, dict(raw), waiting.pop(version))
                continue
            missing += 1
            if missing <= MOST_NAMED:
                named = version if isinstance(version, str) else None
                what = "a version of the artifact" if named is None else f"version {named}"
                self._context.skip(what, "it has no id" if named is None else _NO_FILE, named)
        if missing > MOST_NAMED:
            self._context.skip(f"{missing - MOST_NAMED:,} more versions", _NO_FILE)
        for version, files in waiting.items():
            found += self._message(version, {}, files)
        found.sort(key=lambda each: each.created_at)
        if found:
            self._add_comments(
                next((each for each in found if each.source_id == active), found[-1])
            )
        for message in found:
            message.attached_text = attached_text(message)
        return found

    def _message(self, version: str, raw: Fields, files: list[VersionFile]) -> Iterator[Message]:
        attachments: list[Fields] = []
        for each in files:
            text = self._text(version, each)
            # The page of an artifact may be the text of its active version once more.
            if text is not None and text not in [one["extracted_content"] for one in attachments]:
                attachments.append({"name": each.name, "extracted_content": text})
        if not attachments:
            return
        fields = without_addresses(raw, self._context)
        fields.pop("id", None)
        title, description = take_text(fields, "title"), take_text(fields, "description")
        at = take_time(fields, "created_at")
        marks: Fields = {} if at.moment.at else {"time": GUESSED}
        if at.moment.odd:
            marks["created_at"] = at.raw
        identifier, repeated = self._ids.of(version)
        if repeated:
            self._context.tally.lossy[REPEATED] += 1
        self.titles[identifier] = title
        yield Message(
            id=identifier,
            role="assistant",
            content=SEPARATOR.join(each for each in (title, description) if each),
            attachments=attachments,
            source_id=version,
            created_at=at.moment.at or self._started,
            metadata=with_marks(fields, marks),
        )

    def _text(self, version: str, each: VersionFile) -> str | None:
        raw = self._attempt(f"version {version}", lambda: self._files.text(each.file))
        if raw is None:
            return None
        # Nothing in the JSON tells that a text beside it has to be cleaned.
        text, count = canonical.clean_text(raw)
        self._context.tally.replaced_characters += count
        return text

    def _add_comments(self, message: Message) -> None:
        threads = self._attempt("its comments", lambda: list(self._files.threads()))
        if threads:
            cleaned, count = canonical.clean(without_addresses(threads, self._context))
            self._context.tally.replaced_characters += count
            message.metadata = {**message.metadata, COMMENTS: cleaned}

    def _attempt(self, what: str, read: Callable[[], Any]) -> Any:
        """Return what was read; of an artifact that cannot be read whole the rest is kept."""
        try:
            return read()
        except ChatdbError as error:
            self._context.skip(what, error.text)
            return None


def _metadata(record: Fields, context: RecordContext, *, guessed: bool) -> Fields:
    fields = without_addresses(record, context)
    marks: Fields = {"time": GUESSED} if guessed else {}
    return with_marks(fields, marks)


def _unknown_last(moment: datetime) -> tuple[bool, datetime]:
    return moment == EPOCH, moment
