"""What a message search asks of a database, in a form that both can answer alike."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import sqlalchemy as sa

from chatdb.db.contract.search_filters import NO_FILTERS, SearchFilters
from chatdb.db.schema import conversations, messages
from chatdb.errors import DatabaseFailedError

_BLANK: Any = sa.literal_column("' '", sa.Text)

TimedWork = Literal["search", "list"]

MessageKey = tuple[datetime, UUID, UUID]
"""`created_at`, conversation and message: the sort key of hits, newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One search term: words in sequence, or a piece of text, or both.

    `pieces` are runs of letters, digits and marks; with `prefix` the last one is a prefix.
    """

    pieces: tuple[str, ...] = ()
    prefix: bool = False
    contains: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    """Which messages match: all conditions must hold.

    `raw` is a query in the database's own syntax, instead of the terms. `before_key` is the hit to
    continue after. Without `indexed` the full-text index does not exist, and `matches` tells
    whether a text matches.
    """

    organization_id: UUID
    all_of: tuple[tuple[Term, ...], ...] = ()
    none_of: tuple[Term, ...] = ()
    raw: str | None = None
    roles: frozenset[str] = frozenset()
    not_roles: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    not_users: frozenset[str] = frozenset()
    within_users: frozenset[str] = frozenset()
    filters: SearchFilters = NO_FILTERS
    after: datetime | None = None
    before: datetime | None = None
    include_hidden: bool = False
    before_key: MessageKey | None = None
    limit: int = 20
    indexed: bool = True
    matches: Callable[[str], bool] = field(default=lambda _: True)


class MessageSearch(ABC):
    """Finds the newest messages that match a request."""

    @abstractmethod
    def settings(self) -> Mapping[str, str]:
        """Return the settings of the transaction to search in."""

    @abstractmethod
    def deadline(
        self, connection: sa.Connection, timeout_seconds: float, what: TimedWork = "search"
    ) -> AbstractContextManager[None]:
        """Limit the time of the statements inside; DatabaseFailedError if it is exceeded.

        Raises UsageError for a raw query that the database cannot read.
        """

    @abstractmethod
    def newest(self, connection: sa.Connection, request: SearchRequest) -> list[MessageKey]:
        """Return the keys of the newest `limit` messages, newest first."""

    @abstractmethod
    def conversations(self, connection: sa.Connection, request: SearchRequest) -> list[UUID]:
        """Return all conversations of the organization that have a message that matches."""

    @abstractmethod
    def organizations(self, connection: sa.Connection, request: SearchRequest) -> set[UUID] | None:
        """Return the messages in which the index has the words, whatever the other conditions.

        None if no index can answer. Pays if the words are rare among many organizations.
        """

    def contains(self, text: str) -> sa.ColumnElement[bool]:
        """Return the condition that a message has a piece of text (ASCII case apart)."""
        content, attached = messages.c.content, messages.c.attached_text
        # Never NULL: that would leave out what a query excludes.
        beside = sa.and_(attached.is_not(None), self._is_in(attached, text))
        return sa.or_(self._is_in(content, text), beside)

    @abstractmethod
    def _is_in(self, column: sa.Column[Any], text: str) -> sa.ColumnElement[bool]:
        """Return the condition that a column has a piece of text (ASCII case apart)."""

    @abstractmethod
    def is_hidden(self) -> sa.ColumnElement[bool]:
        """Return the condition that the message was hidden in its source."""

    @abstractmethod
    def has_term(self, term: Term) -> sa.ColumnElement[bool]:
        """Return the condition that the index has the words of a term."""

    def filters(
        self, request: SearchRequest, *, for_candidates: bool = False
    ) -> Iterator[sa.ColumnElement[bool]]:
        """Yield the conditions except organization, times and what the main index query covers.

        They are checked for each of some candidates, or may say where to begin.
        """
        columns = messages.c
        if request.roles:
            yield columns.role.in_(sorted(request.roles))
        if request.not_roles:
            yield columns.role.not_in(sorted(request.not_roles))
        for wanted in (request.users, request.within_users):
            if wanted:
                yield columns.conversation_id.in_(_conversations_of(request, wanted))
        if request.not_users:
            yield columns.conversation_id.not_in(_conversations_of(request, request.not_users))
        yield from request.filters.is_of(request.organization_id, by_candidate=for_candidates)
        yield from request.filters.of_message()
        if not request.include_hidden:
            yield ~self.is_hidden()
        yield from self._pieces_of_text(request)

    def times(self, request: SearchRequest) -> Iterator[sa.ColumnElement[bool]]:
        """Yield the conditions that limit the walk from the newest message on."""
        columns = messages.c
        if request.after is not None:
            yield columns.created_at >= request.after
        if request.before is not None:
            yield columns.created_at < request.before
        if request.before_key is not None:
            yield from _before(request.before_key)

    def _pieces_of_text(self, request: SearchRequest) -> Iterator[sa.ColumnElement[bool]]:
        for group in request.all_of:
            if any(term.contains is not None for term in group):
                yield sa.or_(*(self._condition(term) for term in group))
        for term in request.none_of:
            if term.contains is not None or not any(map(is_for_index, request.all_of)):
                yield ~self._condition(term)

    def _condition(self, term: Term) -> sa.ColumnElement[bool]:
        conditions = [self.has_term(term)] if term.pieces else []
        if term.contains is not None:
            conditions.append(self.contains(term.contains))
        return sa.and_(*conditions)


def searched_text() -> sa.ColumnElement[str]:
    """Return what is searched of a message: its words, then what was seen beside them."""
    beside: Any = sa.func.coalesce(_BLANK + messages.c.attached_text, sa.literal_column("''"))
    text: sa.ColumnElement[str] = messages.c.content.concat(beside)
    return text


def is_for_index(group: tuple[Term, ...]) -> bool:
    """Tell whether the main index query can narrow the messages to this group's."""
    return all(term.pieces for term in group)


def filtered_columns(request: SearchRequest) -> tuple[sa.Column[Any], ...]:
    """Return the columns, beside those of a `MessageKey`, that `filters` has conditions on."""
    c = messages.c
    always = (c.organization_id, c.role, c.content, c.attached_text, c.metadata)
    return *always, *request.filters.columns()


def like_pattern(text: str) -> str:
    """Return the LIKE pattern (escaped by `!`) for a text anywhere."""
    for character in "!%_":
        text = text.replace(character, "!" + character)
    return f"%{text}%"


_NARROWER: dict[TimedWork, str] = {
    "search": "narrow it with after:, user: or more words",
    "list": "narrow it with --user or --limit",
}


def timed_out(seconds: float, what: TimedWork = "search") -> DatabaseFailedError:
    """Return the error for a search, or a list, that was cancelled."""
    return DatabaseFailedError(
        f"the {what} took longer than {seconds:g} s and was cancelled",
        hint=f"{_NARROWER[what]}, or allow more time: --timeout 120",
    )


def _before(key: MessageKey) -> Iterator[sa.ColumnElement[bool]]:
    columns = messages.c
    created_at, conversation_id, message_id = key
    yield columns.created_at <= created_at
    yield sa.or_(
        columns.created_at < created_at,
        columns.conversation_id < conversation_id,
        sa.and_(columns.conversation_id == conversation_id, columns.id < message_id),
    )


def _conversations_of(request: SearchRequest, users: frozenset[str]) -> Any:
    return sa.select(conversations.c.id).where(
        conversations.c.organization_id == request.organization_id,
        conversations.c.user_id.in_(sorted(users)),
    )
