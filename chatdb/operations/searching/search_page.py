"""The request and the result of a search, in messages or in titles."""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from uuid import UUID

RANKED_HITS = 150
"""How many of the newest hits are sorted by relevance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """How to search; `after` is the previous page's cursor.

    Roles, users, `since` and `before` narrow the query, whose dates are in `zone`. `context` is how
    many messages before and after each hit are wanted, `ranked` how many of the newest are sorted;
    with `suggest` longer words are looked for where nothing is found.
    """

    limit: int = 20
    after: str | None = None
    rank: bool = False
    raw: bool = False
    include_hidden: bool = False
    roles: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    since: datetime | None = None
    before: datetime | None = None
    zone: tzinfo = UTC
    timeout_seconds: float = 30.0
    context: int = 0
    ranked: int = RANKED_HITS
    suggest: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A message before or after a hit: `distance` is -1 for the one before, 1 for the one after.

    `excerpt` is the beginning of its text on one line.
    """

    distance: int
    id: UUID
    role: str
    excerpt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A message that was found, or a conversation by its title (then the message is None).

    `kind` is what its conversation is: a chat, document, memory or canvas.
    `snippet` is one line of the text, `highlights` the (start, end) positions of the words in it;
    `score` is the relevance if the hits were ranked. The message is the `number`th (from 1) of all
    `messages` of its conversation, at the stored `position`; a very long conversation is not
    counted. `offsets` are (start, end) positions of the first 300 words in its content,
    `attached_offsets` of those in its attached text.
    """

    conversation_id: UUID
    title: str | None
    user_id: str | None
    kind: str
    message_id: UUID | None
    role: str | None
    author: str | None
    model: str | None
    created_at: datetime
    snippet: str
    highlights: tuple[tuple[int, int], ...]
    score: float | None = None
    position: int | None = None
    number: int | None = None
    messages: int | None = None
    offsets: tuple[tuple[int, int], ...] = ()
    attached_offsets: tuple[tuple[int, int], ...] = ()
    context: tuple[Neighbour, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPage:
    """Hits, newest first (or best first); `next_cursor` is None at the end.

    `notes` are what the user should know about how the search was done; `in_titles` says that it
    was done in titles. `organizations` has the key of each hit's organization if all were searched;
    `longer` is a word with a star that would find something, if nothing was found.
    """

    hits: tuple[Hit, ...]
    next_cursor: str | None
    has_more: bool
    notes: tuple[str, ...]
    in_titles: bool = False
    organizations: tuple[str, ...] | None = None
    longer: str | None = None
