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
from chatdb.primitives.normal_form import is_unspaced, needed_lexemes

_BLANK: Any = sa.literal_column("' '", sa.Text)

TimedWork = Literal["search", "list"]

MessageKey = tuple[datetime, UUID, UUID]
"""`created_at`, conversation and message: the sort key of hits, newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One search term: words of a normal form in sequence; with `prefix` the last is a prefix.

    `text` is the term as it was written.
    """

    words: tuple[str, ...]
    prefix: bool = False
    text: str = field(default="", compare=False)

    @property
    def pattern(self) -> str:
        """What a normal form contains that has the term: ` two words `."""
        first = "" if is_unspaced(self.words[0]) else " "
        last = "" if self.prefix or is_unspaced(self.words[-1]) else " "
        return f"{first}{' '.join(self.words)}{last}"

    @property
    def lexemes(self) -> tuple[str, ...]:
        """What the index has of each text that has the term; the last may be a prefix."""
        return tuple(lexeme for word in self.words for lexeme in needed_lexemes(word))

    @property
    def is_told_by_lexemes(self) -> bool:
        """Tell whether the index alone knows: it has no places."""
        return len(self.lexemes) == 1


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


@dataclass(frozen=True, slots=True)
class NewestHits:
    """The keys of the newest hits, newest first.

    `until`: only messages down to this one were looked at, and older ones may be hits too.
    """

    keys: list[MessageKey]
    until: MessageKey | None = None


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
    def newest(self, connection: sa.Connection, request: SearchRequest) -> NewestHits:
        """Return the newest hits, `limit` at most."""

    @abstractmethod
    def conversations(self, connection: sa.Connection, request: SearchRequest) -> list[UUID]:
        """Return all conversations of the organization that have a message that matches."""

    @abstractmethod
    def organizations(self, connection: sa.Connection, request: SearchRequest) -> set[UUID] | None:
        """Return the messages in which the index has the words, whatever the other conditions.

        None if no index can answer. Pays if the words are rare among many organizations.
        """

    @abstractmethod
    def is_hidden(self) -> sa.ColumnElement[bool]:
        """Return the condition that the message was hidden in its source."""

    @abstractmethod
    def in_sequence(self, request: SearchRequest) -> Iterator[sa.ColumnElement[bool]]:
        """Yield the conditions on the order of words, which the main query does not cover."""

    def filters(
        self, request: SearchRequest, *, for_candidates: bool = False
    ) -> Iterator[sa.ColumnElement[bool]]:
        """Yield the conditions except organization, times and words.

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

    def times(self, request: SearchRequest) -> Iterator[sa.ColumnElement[bool]]:
        """Yield the conditions that limit the walk from the newest message on."""
        columns = messages.c
        if request.after is not None:
            yield columns.created_at >= request.after
        if request.before is not None:
            yield columns.created_at < request.before
        if request.before_key is not None:
            yield from _before(request.before_key)


def searched_text() -> sa.ColumnElement[str]:
    """Return what is searched of a message: its words, then what was seen beside them."""
    beside: Any = sa.func.coalesce(_BLANK + messages.c.attached_text, sa.literal_column("''"))
    text: sa.ColumnElement[str] = messages.c.content.concat(beside)
    return text


def filtered_columns(request: SearchRequest) -> tuple[sa.Column[Any], ...]:
    """Return the columns, beside those of a `MessageKey`, that `filters` has conditions on."""
    c = messages.c
    always = (c.organization_id, c.role, c.content, c.attached_text, c.metadata)
    return *always, *request.filters.columns()


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
