"""What a search asks beside its words: of the conversation, and of what a message holds."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from chatdb.db.contract.expressions import runs_code
from chatdb.db.schema import conversations, messages
from chatdb.store.columns import FLAGS

_BLANK: Any = sa.literal_column("' '", sa.Text)
_TAB: Any = sa.literal_column("'\t'", sa.Text)
_NOTHING: Any = sa.literal_column("''", sa.Text)
_ONE: Any = sa.literal_column("1", sa.Integer)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchFilters:
    """Conditions that must all hold; of the values in one field any does, and none of a `not_`.

    `flags` are those of `FLAGS`, `has` those of `PARTS`.
    """

    sources: frozenset[str] = frozenset()
    not_sources: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    not_kinds: frozenset[str] = frozenset()
    flags: frozenset[str] = frozenset()
    not_flags: frozenset[str] = frozenset()
    models: frozenset[str] = frozenset()
    not_models: frozenset[str] = frozenset()
    has: frozenset[str] = frozenset()
    not_has: frozenset[str] = frozenset()

    @property
    def select(self) -> bool:
        """Tell whether one of them says what is wanted."""
        return any((self.sources, self.kinds, self.flags, self.models, self.has))

    @property
    def exclude(self) -> bool:
        """Tell whether one of them says what is not wanted."""
        return any(getattr(self, each.name) for each in fields(self) if each.name[:4] == "not_")

    def of_conversation(self) -> Iterator[sa.ColumnElement[bool]]:
        """Yield the conditions on a row of `conversations`."""
        c = conversations.c
        yield from _among(c.source, self.sources, self.not_sources)
        yield from _among(c.kind, self.kinds, self.not_kinds)
        if self.flags:
            yield sa.or_(*(c[FLAGS[flag]].is_not(None) for flag in sorted(self.flags)))
        for flag in sorted(self.not_flags):
            yield c[FLAGS[flag]].is_(None)

    def of_message(self) -> Iterator[sa.ColumnElement[bool]]:
        """Yield the conditions on a row of `messages`."""
        yield from _among(messages.c.model, self.models, self.not_models)
        if self.has:
            yield sa.or_(*(PARTS[part]() for part in sorted(self.has)))
        for part in sorted(self.not_has):
            yield sa.not_(PARTS[part]())

    def of_any_message(self, shown: sa.ColumnElement[bool]) -> Iterator[sa.ColumnElement[bool]]:
        """Yield the conditions on a conversation that its shown messages meet, or fail, together.

        One wanted is there, not all in one message; one not wanted is in none of them.
        """
        m, c = messages.c, conversations.c
        own = (m.organization_id == c.organization_id, m.conversation_id == c.id, shown)
        wanted = SearchFilters(models=self.models), SearchFilters(has=self.has)
        unwanted = SearchFilters(models=self.not_models), SearchFilters(has=self.not_has)
        for each in wanted:
            yield from (sa.exists().where(*own, held) for held in each.of_message())
        for each in unwanted:
            yield from (~sa.exists().where(*own, held) for held in each.of_message())

    def columns(self) -> Iterator[sa.Column[Any]]:
        """Yield the columns of `messages` that `of_message` has conditions on."""
        if self.models or self.not_models:
            yield messages.c.model
        if self.has or self.not_has:
            yield from (messages.c.attachments, messages.c.tool_calls, messages.c.tool_outputs)

    def is_of(self, organization: UUID, *, by_candidate: bool) -> Iterator[sa.ColumnElement[bool]]:
        """Yield the condition that a message's conversation meets those on it.

        `by_candidate` looks each message's conversation up by its key, and leaves no choice: a
        planner that began with the conversations would read all their messages for words.
        """
        conditions = list(self.of_conversation())
        if not conditions:
            return
        c = conversations.c
        meant = sa.select(c.id).where(c.organization_id == organization, *conditions)
        if by_candidate:
            one = meant.where(c.id == messages.c.conversation_id).with_only_columns(_ONE)
            yield one.scalar_subquery().is_not(None)
        else:
            yield messages.c.conversation_id.in_(meant)


NO_FILTERS = SearchFilters()


def _has_attachment() -> sa.ColumnElement[bool]:
    """Return the condition that something was seen beside the words of a message."""
    return sa.or_(messages.c.attachments.is_not(None), messages.c.attached_text.is_not(None))


def _has_tool() -> sa.ColumnElement[bool]:
    c = messages.c
    return sa.or_(c.role == "tool", c.tool_calls.is_not(None), c.tool_outputs.is_not(None))


def _has_code() -> sa.ColumnElement[bool]:
    """Return the condition for a fence that begins a line, or a call that runs code."""
    content: Any = messages.c.content
    # Few texts have a fence anywhere: the others are not copied without their blanks.
    bare = sa.func.replace(sa.func.replace(content, _BLANK, _NOTHING), _TAB, _NOTHING)
    fenced = (
        sa.and_(
            content.contains(fence),
            sa.literal("\n", sa.Text).concat(bare).contains("\n" + fence),
        )
        for fence in ("```", "~~~")
    )
    return sa.or_(*fenced, runs_code(messages.c.tool_calls))


PARTS: Mapping[str, Callable[[], sa.ColumnElement[bool]]] = {
    "attachment": _has_attachment,
    "code": _has_code,
    "tool": _has_tool,
}
"""What a message may have, by the word of the query language."""


def _among(
    column: sa.Column[Any], wanted: frozenset[str], unwanted: frozenset[str]
) -> Iterator[sa.ColumnElement[bool]]:
    if wanted:
        yield column.in_(sorted(wanted))
    if unwanted:
        yield sa.or_(column.is_(None), column.not_in(sorted(unwanted)))
