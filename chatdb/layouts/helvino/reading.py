"""Helvino's database, of any of its migrations: existing columns are read.

Names are quoted camelCase, times have no zone and are UTC. `docs/layouts.md` describes each column.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from chatdb.formats.cleaning import add_fields
from chatdb.formats.fields import kept
from chatdb.formats.identity import conversation_id
from chatdb.formats.linear import Chain
from chatdb.formats.times import EPOCH, parse_time
from chatdb.formats.trees import newest_leaf
from chatdb.layouts.base import (
    Context,
    Found,
    Where,
    gathered,
    joined,
    left_over,
    ordered,
    set_as_it_came,
    span,
    taken_time,
    without_parent,
)
from chatdb.layouts.foreign import ForeignDatabase, Row
from chatdb.layouts.helvino.system import system
from chatdb.layouts.tables import Catalogue, Table
from chatdb.records import Conversation, Message, Organization, organization_id_of

_CONVERSATION_COLUMNS = frozenset(
    ("status", "assignedToOrgUserId", "closedAt", "hasUnreadFromUser", "visitorId", "visitor")
)
_MESSAGE_COLUMNS = frozenset(("isAIGenerated", "aiTokensUsed", "aiCost", "aiResponseTime"))
_ORGANIZATION_COLUMNS = frozenset(("id", "key", "name", "createdAt"))

_MISMATCH = """
SELECT child."id", child."orgId", child."conversationId", parent."orgId" AS owner
FROM {child} AS child JOIN {conversations} AS parent ON child."conversationId" = parent."id"
WHERE child."orgId" IS DISTINCT FROM parent."orgId"
"""

_LOST = """
SELECT child."id", child."conversationId" FROM {child} AS child
JOIN {conversations} AS parent ON child."conversationId" = parent."id"
LEFT JOIN {organizations} AS tenant ON parent."orgId" = tenant."id"
WHERE tenant."id" IS NULL
"""

_VISITORS = """
SELECT {columns}, {conversation} AS conversation
FROM {visitors} AS child JOIN {conversations} AS parent
ON parent."visitorId" = child."id" AND parent."orgId" = child."orgId"
WHERE parent."orgId" = ? ORDER BY parent."id"
"""

_COUNTED = """
SELECT count(*) AS whole, count(*) FILTER (WHERE {met}) AS met
FROM {visitors} AS child WHERE child."orgId" = ?
"""

_MET = """
EXISTS (SELECT FROM {conversations} AS parent
        WHERE parent."visitorId" = child."id" AND parent."orgId" = child."orgId")
"""


@dataclass(frozen=True, slots=True)
class _Tenant:
    """An organization and its id in the source."""

    id: str
    organization: Organization


class HelvinoLayout:
    """Reads `organizations`, `conversations`, `messages`, `visitors` and `conversation_notes`."""

    system = system
    version = 2

    def tables(self, catalogue: Catalogue) -> Sequence[Table]:
        names = ("organizations", "conversations", "messages", "visitors", "conversation_notes")
        return [catalogue[name] for name in names if name in catalogue]

    def organizations(
        self, foreign: ForeignDatabase, catalogue: Catalogue
    ) -> Sequence[Organization]:
        return [tenant.organization for tenant in _tenants(foreign, catalogue)]

    def read(
        self, foreign: ForeignDatabase, catalogue: Catalogue, context: Context
    ) -> Iterator[Found]:
        _note_settings(catalogue["organizations"], context)
        for tenant in _tenants(foreign, catalogue):
            if context.tenant in (None, tenant.organization.key):
                context.count("organizations", "imported")
                yield from _Reading(foreign, catalogue, context, tenant).conversations()
        yield from _strays(foreign, catalogue, context)


layout = HelvinoLayout()


class _Reading:
    """The conversations of one tenant."""

    def __init__(
        self,
        foreign: ForeignDatabase,
        catalogue: Catalogue,
        context: Context,
        tenant: _Tenant,
    ) -> None:
        self._foreign = foreign
        self._catalogue = catalogue
        self._context = context
        self._tenant = tenant

    def conversations(self) -> Iterator[Found]:
        """Yield them by id; rows of another tenant are never included."""
        conversations = self._catalogue["conversations"]
        own = Where('parent."orgId" = ?', (self._tenant.id,))
        parents = ordered(self._foreign, conversations, by="id", where=own)
        streams = (
            (self._children("messages", "timestamp"), "conversationId"),
            (self._children("conversation_notes", "createdAt"), "conversationId"),
            (self._visitors(), "conversation"),
        )
        for row, (messages, notes, visitors) in gathered(parents, "id", *streams):
            record = self._conversation(row, messages, next(iter(visitors), {}))
            if notes:
                self._context.count("conversation_notes", "merged", len(notes))
                record.metadata["notes"] = [_note(note) for note in notes]
            yield Found(self._context.finished(record), self._tenant.organization)
        self._count_visitors()

    def _children(self, name: str, time: str) -> Iterator[Row]:
        if name not in self._catalogue:
            return iter(())
        table = self._catalogue[name]
        condition = 'parent."orgId" = ?'
        if table.has("orgId"):
            # A message of another tenant in a conversation must not become visible to this one.
            condition += ' AND child."orgId" = parent."orgId"'
        return joined(
            self._foreign,
            table,
            self._catalogue["conversations"],
            on=("conversationId", "id"),
            order=[time] if table.has(time) else [],
            where=Where(condition, (self._tenant.id,)),
        )

    def _visitors(self) -> Iterator[Row]:
        """Yield the visitor of each conversation that has one of the same tenant."""
        visitors, conversations = _visitors(self._catalogue), self._catalogue["conversations"]
        if visitors is None or not conversations.has("visitorId"):
            return iter(())
        statement = _VISITORS.format(
            columns=self._foreign.columns(visitors, of="child"),
            conversation=self._foreign.expression(conversations, "id", of="parent"),
            visitors=self._foreign.place(visitors),
            conversations=self._foreign.place(conversations),
        )
        return self._foreign.rows(statement, (self._tenant.id,))

    def _count_visitors(self) -> None:
        visitors, conversations = _visitors(self._catalogue), self._catalogue["conversations"]
        if visitors is None:
            return
        place, met = self._foreign.place, "false"
        if conversations.has("visitorId"):
            met = _MET.format(conversations=place(conversations))
        statement = _COUNTED.format(visitors=place(visitors), met=met)
        found = next(self._foreign.rows(statement, (self._tenant.id,)))
        self._context.count("visitors", "merged", found["met"])
        if alone := found["whole"] - found["met"]:
            self._context.count("visitors", "skipped", alone)
            self._context.tally.lossy["a visitor without a conversation left out"] += alone

    def _conversation(self, row: Row, rows: list[Row], visitor: Row) -> Conversation:
        context = self._context
        context.count("conversations", "imported")
        source_id = str(row.pop("id"))
        identifier = conversation_id(context.layout.system.name, context.source_name, source_id)
        came: dict[str, Any] = {}
        made, changed = (taken_time(row, name, came).at for name in ("createdAt", "updatedAt"))
        created, updated = span(made, changed, rows, "timestamp")
        del row["orgId"]
        if row.pop("messageCount") != len(rows):
            context.tally.lossy["messageCount that was not the number of messages: corrected"] += 1
        if visitor:
            row["visitor"] = kept({**visitor, "orgId": None, "conversation": None})
        record = Conversation(
            id=identifier,
            user_id=visitor.get("visitorKey") or row.get("visitorId") or None,
            created_at=created,
            updated_at=updated,
            source_id=source_id,
            metadata=left_over(row, context, _CONVERSATION_COLUMNS, "conversations"),
            messages=self._messages(rows, identifier, created),
        )
        set_as_it_came(record, came)
        record.current_message_id = newest_leaf(record.messages)
        return record

    def _messages(self, rows: list[Row], conversation: UUID, started: datetime) -> list[Message]:
        chain = Chain(self._context.tally, conversation, started)
        for row in rows:
            self._context.count("messages", "imported")
            del row["conversationId"], row["orgId"]
            came: dict[str, Any] = {}
            at = taken_time(row, "timestamp", came)
            message = chain.add(str(row.pop("id")), at, row.pop("content"))
            chain.set_role(message, row.pop("role"))
            message.author = row.pop("aiProvider", None) or None
            message.model = row.pop("aiModel", None) or None
            if row.get("isAIGenerated") is False:
                del row["isAIGenerated"]
            rest = left_over(row, self._context, _MESSAGE_COLUMNS, "messages")
            add_fields(message, rest)
            set_as_it_came(message, came)
        return chain.messages


def _visitors(catalogue: Catalogue) -> Table | None:
    """Return the table of visitors, if it is Helvino's."""
    table = catalogue.get("visitors")
    return table if table is not None and table.has("id", "orgId", "visitorKey") else None


def _note(row: Row) -> Row:
    """Return the text of a note; its place says whose it is."""
    return kept({name: row[name] for name in row if name not in ("orgId", "conversationId")})


def _tenants(foreign: ForeignDatabase, catalogue: Catalogue) -> list[_Tenant]:
    rows = ordered(foreign, catalogue["organizations"], by="id")
    return [
        _Tenant(
            row["id"],
            Organization(
                id=organization_id_of(row["key"]),
                key=row["key"],
                name=row["name"] or row["key"],
                created_at=parse_time(row.get("createdAt")).at or EPOCH,
            ),
        )
        for row in rows
    ]


def _note_settings(organizations: Table, context: Context) -> None:
    """Note the columns of organizations that chatdb cannot store."""
    for column in organizations.columns.keys() - _ORGANIZATION_COLUMNS:
        context.tally.lossy[f"organizations.{column} left out: a setting of Helvino's own"] += 1


def _strays(foreign: ForeignDatabase, catalogue: Catalogue, context: Context) -> Iterator[Found]:
    """Yield rows of no tenant, or of two; for a single requested tenant only its own."""
    conversations, tenants = catalogue["conversations"], catalogue["organizations"]
    wanted = [
        tenant.id
        for tenant in (_tenants(foreign, catalogue) if context.tenant is not None else ())
        if tenant.organization.key == context.tenant
    ]
    for name in ("messages", "conversation_notes"):
        if name in catalogue:
            yield from _stray_children(foreign, catalogue[name], conversations, wanted, context)
    if wanted:
        return
    lost = False
    for table in filter(None, (conversations, _visitors(catalogue))):
        for row in without_parent(foreign, table, tenants, on=("orgId", "id")):
            lost = lost or table is conversations
            yield context.skip(table.name, row["id"], f"no organization {row['orgId']}")
    if lost:
        yield from _of_lost_conversations(foreign, catalogue, context)


def _of_lost_conversations(
    foreign: ForeignDatabase, catalogue: Catalogue, context: Context
) -> Iterator[Found]:
    """Yield the rows of conversations without an organization; report those of two tenants."""
    places = {name: foreign.place(catalogue[name]) for name in ("conversations", "organizations")}
    for name in ("messages", "conversation_notes"):
        if name not in catalogue:
            continue
        statement = _LOST.format(child=foreign.place(catalogue[name]), **places)
        if catalogue[name].has("orgId"):
            statement += 'AND child."orgId" IS NOT DISTINCT FROM parent."orgId"'
        for row in foreign.rows(statement):
            reason = f"its conversation {row['conversationId']} has no organization"
            yield context.skip(name, row["id"], reason)


def _stray_children(
    foreign: ForeignDatabase,
    child: Table,
    conversations: Table,
    wanted: Sequence[str],
    context: Context,
) -> Iterator[Found]:
    """Yield rows of two tenants, then those without a conversation."""
    has_tenant = child.has("orgId")
    if has_tenant:
        places = {"child": foreign.place(child), "conversations": foreign.place(conversations)}
        for row in foreign.rows(_MISMATCH.format(**places)):
            if wanted and not {row["orgId"], row["owner"]}.intersection(wanted):
                continue
            reason = (
                f"it belongs to the organization {row['orgId']}, but its conversation "
                f"{row['conversationId']} to {row['owner']}"
            )
            yield context.skip(child.name, row["id"], reason)
    for row in without_parent(foreign, child, conversations, on=("conversationId", "id")):
        if not wanted or (has_tenant and row["orgId"] in wanted):
            reason = f"its conversation {row['conversationId']} does not exist"
            yield context.skip(child.name, row["id"], reason)
