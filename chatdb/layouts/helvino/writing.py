"""Conversations into Helvino's tables. `docs/layouts.md` lists what they cannot store."""

from collections.abc import Iterator
from typing import Any, ClassVar

from chatdb.layouts.writing import (
    BaseWriter,
    Place,
    Value,
    Writing,
    WrittenRow,
    columns_in,
    own_id,
    own_message_id,
    raw_role,
    unzoned,
    without_marks,
)
from chatdb.records import Conversation, Message

_STATES = ("status", "assignedToOrgUserId", "closedAt", "hasUnreadFromUser")
_AI = ("isAIGenerated", "aiProvider", "aiModel", "aiTokensUsed", "aiCost", "aiResponseTime")


class HelvinoWriter(BaseWriter):
    """Writes `organizations`, `visitors`, `conversations` and `messages`, as far as they exist."""

    name: ClassVar[str] = "helvino"
    names: ClassVar[tuple[str, ...]] = (
        *("organizations", "visitors", "conversations", "messages"),
        "conversation_notes",
    )
    tables: ClassVar[tuple[str, ...]] = (
        (
            'CREATE TABLE organizations (id text PRIMARY KEY, "key" text NOT NULL UNIQUE,'
            ' name text NOT NULL, "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP)'
        ),
        (
            'CREATE TABLE visitors (id text PRIMARY KEY, "orgId" text NOT NULL REFERENCES'
            ' organizations (id) ON DELETE CASCADE ON UPDATE CASCADE, "visitorKey" text NOT NULL,'
            ' "firstSeenAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,'
            ' "lastSeenAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP, "userAgent" text,'
            ' "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,'
            ' "updatedAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP)'
        ),
        (
            'CREATE TABLE conversations (id text PRIMARY KEY, "orgId" text NOT NULL REFERENCES'
            " organizations (id) ON DELETE CASCADE ON UPDATE CASCADE,"
            ' "createdAt" timestamp(3) NOT NULL, "updatedAt" timestamp(3) NOT NULL,'
            ' "messageCount" integer NOT NULL DEFAULT 0, "visitorId" text REFERENCES visitors (id)'
            " ON DELETE SET NULL ON UPDATE CASCADE, status text NOT NULL DEFAULT 'OPEN',"
            ' "assignedToOrgUserId" text, "closedAt" timestamp(3),'
            ' "hasUnreadFromUser" boolean NOT NULL DEFAULT false)'
        ),
        (
            'CREATE TABLE messages (id text PRIMARY KEY, "conversationId" text NOT NULL REFERENCES'
            ' conversations (id) ON DELETE CASCADE ON UPDATE CASCADE, "orgId" text NOT NULL'
            " REFERENCES organizations (id) ON DELETE CASCADE ON UPDATE CASCADE,"
            ' role text NOT NULL, content text NOT NULL, "timestamp" timestamp(3) NOT NULL,'
            ' "isAIGenerated" boolean NOT NULL DEFAULT false, "aiProvider" text, "aiModel" text,'
            ' "aiTokensUsed" integer, "aiCost" decimal(10, 6), "aiResponseTime" integer)'
        ),
        (
            'CREATE TABLE conversation_notes (id text PRIMARY KEY, "orgId" text NOT NULL,'
            ' "conversationId" text NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,'
            ' content text NOT NULL, "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP)'
        ),
    )

    def __init__(self, writing: Writing, place: Place) -> None:
        super().__init__(writing, place)
        key = writing.organization.key
        self._known = place.find("organizations", key=key)
        self._organization = self._known or str(writing.organization.id)
        self._visitors: dict[str, str | None] = {}

    def begin(self) -> Iterator[WrittenRow]:
        """Yield the organization; an existing one with the same key is used unchanged."""
        organization = self._writing.organization
        if self._known is not None:
            named = self._place.find("organizations", key=organization.key, name=organization.name)
            self._writing.lose(
                f"name of the organization {organization.key} left as it is there", named is None
            )
            return
        self._writing.lose(
            f"organization {organization.key} made: none there had that key",
            self._place.catalogue is not None,
        )
        yield WrittenRow(
            "organizations",
            {
                "id": self._organization,
                "key": organization.key,
                "name": organization.name,
                "createdAt": unzoned(organization.created_at, digits=3),
            },
        )

    def rows(self, record: Conversation) -> Iterator[WrittenRow]:
        """Yield the visitor, the conversation and its messages."""
        metadata = without_marks(record.metadata)
        messages = self._messages(record)
        own = own_id(record, "helvino")
        identifier = str(record.id) if own is None else own
        self._lose_snapshots(record)
        self._lose_embeddings(record)
        self._writing.lose("titles of conversations left out", bool(record.title))
        is_own = record.source == "helvino"
        left, metadata = ({}, metadata) if is_own else (metadata, {})
        visitor = metadata.pop("visitor", None)
        known = visitor if isinstance(visitor, dict) else {}
        visitor_id = metadata.pop("visitorId", None) or known.get("id")
        columns = columns_in(self._place, "conversations", ("visitorId", *_STATES))
        row: dict[str, Value] = {
            "id": identifier,
            "orgId": self._organization,
            "createdAt": unzoned(record.created_at, digits=3),
            "updatedAt": unzoned(record.updated_at, digits=3),
            "messageCount": len(messages),
        }
        if record.user_id is not None and "visitorId" in columns:
            there = self._visitor_there(record.user_id)
            made = str(visitor_id or f"{self._organization}:{record.user_id}")
            row["visitorId"] = there or made
            if there is None:
                # A visitor of several conversations is one row.
                self._visitors[record.user_id] = made
                yield WrittenRow("visitors", self._visitor(made, record, known))
        elif record.user_id is not None:
            self._writing.lose("user_id of conversations left out")
        row |= {
            name: metadata.pop(name) for name in _STATES if name in metadata and name in columns
        }
        notes = metadata.pop("notes", None)
        written = WrittenRow("conversations", row)
        self._as_it_came(record, record, written, metadata)
        self._writing.lose("metadata of conversations left out", bool(metadata or left))
        yield written
        yield from self._notes(identifier, notes)
        for message in messages:
            yield self._message(record, identifier, message)

    def _notes(self, identifier: str, notes: Any) -> Iterator[WrittenRow]:
        for note in notes if isinstance(notes, list) else ():
            columns = columns_in(self._place, "conversation_notes", (*note, "orgId"))
            if "id" not in columns:
                self._writing.lose("notes of conversations left out")
                continue
            row: dict[str, Value] = {"id": note["id"], "conversationId": identifier}
            if "orgId" in columns:
                row["orgId"] = self._organization
            row |= {name: note[name] for name in sorted(note) if name in columns}
            yield WrittenRow("conversation_notes", row)

    def _visitor_there(self, key: str) -> str | None:
        if key not in self._visitors:
            self._visitors[key] = self._place.find(
                "visitors", orgId=self._organization, visitorKey=key
            )
        return self._visitors[key]

    def _visitor(
        self, identifier: Value, record: Conversation, known: dict[str, Any]
    ) -> dict[str, Value]:
        first, last = (unzoned(at, digits=3) for at in (record.created_at, record.updated_at))
        known = {
            "firstSeenAt": first,
            "lastSeenAt": last,
            "createdAt": first,
            "updatedAt": last,
        } | known
        columns = columns_in(self._place, "visitors", (*known,))
        row: dict[str, Value] = {name: known[name] for name in sorted(known) if name in columns}
        row |= {"id": identifier, "orgId": self._organization, "visitorKey": record.user_id}
        return row

    def _message(self, record: Conversation, identifier: str, message: Message) -> WrittenRow:
        self._lose_fields(message, "reasoning", "tool_calls", "tool_outputs", "attachments")
        metadata = without_marks(message.metadata)
        columns = columns_in(self._place, "messages", _AI)
        own = record.source == "helvino" and message.source_id is not None
        row: dict[str, Value] = {
            "id": own_message_id(record, message, "helvino"),
            "conversationId": identifier,
            "orgId": self._organization,
            "role": raw_role(record, message, "helvino") or message.role,
            "content": message.content,
            "timestamp": unzoned(message.created_at, digits=3),
        }
        known = {"aiProvider": message.author, "aiModel": message.model}
        known |= metadata if own else {}
        row |= {name: known.pop(name) for name in _AI if name in columns and known.get(name)}
        known |= {} if own else metadata
        written = WrittenRow("messages", row)
        self._as_it_came(record, message, written, known)
        left = {name: value for name, value in known.items() if value is not None}
        self._writing.lose("metadata of messages left out", bool(left))
        return written


writer = HelvinoWriter
