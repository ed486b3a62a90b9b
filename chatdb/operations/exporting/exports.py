"""Reads conversations from the database: as records, one at a time, or as native lines."""

from collections.abc import Callable, Generator, Iterator, Sequence, Sized
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

import msgspec
import sqlalchemy as sa

from chatdb.db.contract.message_text import Selection, unreadable
from chatdb.db.database import Database
from chatdb.formats.tables.rows import ConversationRows
from chatdb.primitives.nesting import roomy
from chatdb.records import Conversation
from chatdb.store.every_organization import Scope
from chatdb.store.lines import Group, OnRead, each_organization, groups_within
from chatdb.store.naming import locate_conversation, resolve_conversation
from chatdb.store.selecting import (
    AT_ONCE,
    READING,
    ConversationFilter,
    IdsWithin,
    organization_id,
)

_Part = TypeVar("_Part", bound=Sized)
_decode = roomy(msgspec.json.Decoder(Conversation).decode)


@dataclass(frozen=True, slots=True)
class _Selected:
    """The conversations to read."""

    wanted: ConversationFilter
    scope: Scope
    ids_within: IdsWithin | None


def read_conversations(
    database: Database,
    wanted: ConversationFilter,
    *,
    organization_key: Scope,
    ids_within: IdsWithin | None = None,
    labelled: bool = False,
    marks_only: bool = False,
    on_read: OnRead = lambda _conversations, _messages: None,
    at_once: int = AT_ONCE,
) -> Generator[Conversation, None, None]:
    """Yield what `native_lines` does as records, one at a time."""
    read = _reading(
        database,
        _Selected(wanted, organization_key, ids_within),
        heads=Group.lines,
        parts=database.dialect.read_records,
        labelled=labelled,
        marks_only=marks_only,
        on_read=on_read,
        at_once=at_once,
    )
    with closing(read):
        for record, parts in read:
            for messages in parts:
                record.messages += messages
            yield record


def read_rows(
    database: Database,
    wanted: ConversationFilter,
    *,
    organization_key: Scope,
    ids_within: IdsWithin | None = None,
    on_read: OnRead = lambda _conversations, _messages: None,
) -> Generator[ConversationRows, None, None]:
    """Yield what `native_lines` does as rows, a conversation at a time, labelled.

    The conversations are without snapshots, files and embeddings.
    """
    read = _reading(
        database,
        _Selected(wanted, organization_key, ids_within),
        heads=lambda group: (head for _, head in group.heads),
        parts=database.dialect.read_rows,
        labelled=True,
        on_read=on_read,
    )
    with closing(read):
        for record, spans in read:
            yield ConversationRows(record, spans)


def _reading(
    database: Database,
    selected: _Selected,
    *,
    heads: Callable[[Group], Iterator[bytes]],
    parts: Callable[[sa.Connection, UUID, Selection], Generator[tuple[str, _Part]]],
    labelled: bool,
    marks_only: bool = False,
    on_read: OnRead,
    at_once: int = AT_ONCE,
) -> Generator[tuple[Conversation, list[_Part]], None, None]:
    """Yield the conversations without messages, each with what `parts` reads of these.

    `heads` gives the JSON of a group's conversations.
    """
    dialect = database.dialect
    messages = 0

    def on_batch(conversations: int) -> None:
        nonlocal messages
        on_read(conversations, messages)
        messages = 0

    with database.transaction(snapshot=True, settings=READING) as connection:
        for organization, own in each_organization(
            connection, dialect, selected.wanted, selected.scope, selected.ids_within
        ):
            groups = groups_within(
                connection,
                organization.id,
                own,
                label=organization if labelled else None,
                marks_only=marks_only,
                at_once=at_once,
                on_batch=on_batch,
            )
            with closing(groups):
                for group in groups:
                    read = parts(connection, organization.id, group.selection)
                    with closing(read):
                        for record, found in _joined(group, heads(group), read):
                            messages += sum(map(len, found))
                            yield record, found


def _joined(
    group: Group, heads: Iterator[bytes], read: Iterator[tuple[str, _Part]]
) -> Iterator[tuple[Conversation, list[_Part]]]:
    """Yield the conversations of a group with the parts of their messages, by ascending id."""
    # Read after the first head: a conversation with many embeddings, which forms its own group,
    # needs the connection for them.
    found: tuple[str, _Part] | None = None
    is_begun = False
    for identifier, head in zip(group.selection.ids, heads, strict=True):
        try:
            record = _decode(head)
        except ValueError as error:
            raise unreadable(f"conversation {identifier}", error) from error
        own: list[_Part] = []
        if not is_begun:
            found, is_begun = next(read, None), True
        while found is not None and found[0] == identifier:
            own.append(found[1])
            found = next(read, None)
        yield record, own
    if found is not None:
        raise RuntimeError(f"messages of {found[0]} were read out of order")


def find_ids(
    database: Database,
    texts: Sequence[str],
    *,
    organization_key: str,
    user_id: str | None = None,
) -> list[UUID]:
    """Return the ids of conversations given in full or in part, with `user_id` only that user's.

    Raises NotFoundError for a text that matches none, UsageError if it matches several.
    """
    with database.transaction() as connection:
        organization = organization_id(connection, organization_key)
        found = [
            resolve_conversation(connection, organization, text, user_id=user_id) for text in texts
        ]
    return list(dict.fromkeys(found))


def find_within(
    database: Database,
    texts: Sequence[str],
    *,
    organization_key: Scope,
    user_id: str | None = None,
) -> IdsWithin:
    """Return what `find_ids` does, for the organization of each, by its id.

    Also raises RefusedError as `native_lines` does.
    """
    found: dict[UUID, list[UUID]] = {}
    with database.transaction() as connection:
        for text in texts:
            located = locate_conversation(
                connection, database.dialect, organization_key, text, user_id=user_id
            )
            ids = found.setdefault(located.organization.id, [])
            if located.id not in ids:
                ids.append(located.id)
    return found
