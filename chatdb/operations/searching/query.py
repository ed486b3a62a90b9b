"""The query language of `chatdb search`: one text, parsed the same way for both databases.

`docs/search.md` describes it. Ordinary text never fails: anything that is not an operator is a
word.
"""

import re
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo

from chatdb.db.contract.search import Term
from chatdb.db.contract.search_filters import NO_FILTERS, PARTS, SearchFilters
from chatdb.errors import UsageError
from chatdb.operations.searching.search_page import SearchOptions
from chatdb.operations.searching.words import term_of
from chatdb.primitives import canonical
from chatdb.primitives.time_words import FORMS, Span, span_of
from chatdb.records import ROLES
from chatdb.store.columns import FLAGS, KINDS

LONGEST_QUERY = 2_000
"""Characters; a longer text is a document, not a query."""
MOST_TERMS = 50

_HINT = "see chatdb search --help"
_OPPOSITES = {"after": "before", "before": "after", "since": "before", "until": "after"}
# Phones and word processors turn the typed quotes into these.
_QUOTES = str.maketrans("“”„«»", '"""""')
_FIELDS = {
    "source": "sources",
    "model": "models",
    "kind": "kinds",
    "is": "flags",
    "has": "has",
}
"""The field of `SearchFilters` for each key."""
_SETS: dict[str, Collection[str] | None] = {
    "role": ROLES,
    "user": None,
    "source": None,
    "model": None,
    "kind": KINDS,
    "is": FLAGS,
    "has": PARTS,
}
"""What may stand behind a key, None for any text; several of one key mean any of them."""
_ITEM = re.compile(
    r"(?:(?<!\S)(?P<minus>-)(?=[^-\s]))?"
    r"(?:(?P<key>role|user|source|model|kind|is|has|after|since|before|until|in):(?=\S))?"
    r'(?:"(?P<quoted>[^"]*)"(?P<star>\*)?|(?P<word>(?:(?!(?<=\s)")\S)+))',
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """The parsed query: every group of `all_of` by one of its terms, none of `none_of`.

    `within_users` are the only users whose messages may be found, whatever the query says. Times
    concern the message's `created_at`: `after` inclusive, `before` exclusive. With `in_title` the
    terms are searched in titles of conversations instead of messages.
    """

    all_of: tuple[tuple[Term, ...], ...] = ()
    none_of: tuple[Term, ...] = ()
    roles: frozenset[str] = frozenset()
    not_roles: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    not_users: frozenset[str] = frozenset()
    within_users: frozenset[str] = frozenset()
    after: datetime | None = None
    before: datetime | None = None
    filters: SearchFilters = NO_FILTERS
    in_title: bool = False

    @property
    def has_filter(self) -> bool:
        """Tell whether the query selects something without any word."""
        filters = (self.roles, self.users, self.within_users, self.after, self.before)
        return any(filters) or self.filters.select

    @property
    def only_excludes(self) -> bool:
        """Tell whether the query says only what is not wanted."""
        excluded = (self.none_of, self.not_roles, self.not_users)
        return not self.all_of and not self.has_filter and (any(excluded) or self.filters.exclude)


@dataclass(slots=True)
class _Draft:
    groups: list[list[Term]] = field(default_factory=list)
    none_of: list[Term] = field(default_factory=list)
    sets: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    after: datetime | None = None
    before: datetime | None = None
    in_title: bool = False
    joining: bool = False
    zone: tzinfo = UTC


def parse(text: str, *, zone: tzinfo = UTC) -> Query:
    """Read a query, its dates in `zone` where they name none.

    Raises UsageError if there is nothing to search for (empty, only punctuation, only excluded
    words), for an invalid value of a filter, and for a text that is too long.
    """
    text = canonical.clean_text(text)[0].translate(_QUOTES).strip()
    if len(text) > LONGEST_QUERY:
        raise UsageError(f"the query is longer than {LONGEST_QUERY} characters", hint=_HINT)
    items = list(_ITEM.finditer(text))
    draft = _Draft(zone=zone)
    for index, item in enumerate(items):
        if _is_or(item) and draft.groups and index + 1 < len(items):
            draft.joining = True
        elif not _read_filter(draft, item):
            _read_term(draft, item)
    return _finished(draft)


def with_filters(query: Query, options: SearchOptions) -> Query:
    """Return the query narrowed by a command's options; raises UsageError for an invalid role."""
    checked = frozenset(_one_of("role", role) for role in options.roles)
    return replace(
        query,
        roles=query.roles | checked,
        within_users=options.users,
        after=max(filter(None, (query.after, options.since)), default=None),
        before=min(filter(None, (query.before, options.before)), default=None),
    )


def _is_or(item: re.Match[str]) -> bool:
    return item[0] == "OR"


def _read_term(draft: _Draft, item: re.Match[str]) -> None:
    quoted = item["quoted"]
    key = f"{item['key']}:" if item["key"] else ""
    body = quoted if quoted is not None else item["word"]
    prefix = bool(item["star"]) or (quoted is None and body.endswith("*"))
    term = term_of(key + body.rstrip("*") if quoted is None else key + body, prefix=prefix)
    joining, draft.joining = draft.joining, False
    if term is None:
        return
    if item["minus"]:
        if joining:
            raise UsageError("OR cannot precede an excluded word", hint=_HINT)
        draft.none_of.append(term)
    elif joining:
        draft.groups[-1].append(term)
    else:
        draft.groups.append([term])


def _read_filter(draft: _Draft, item: re.Match[str]) -> bool:
    """Take the item as a filter; False if it is text."""
    key = (item["key"] or "").lower()
    value = item["quoted"] if item["quoted"] is not None else item["word"]
    if not key or not value.strip():
        return False
    minus = item["minus"] or ""
    if key == "in":
        if value.lower() != "title" or minus:
            return False
        draft.in_title = True
    elif key in _SETS:
        draft.sets[minus + key].add(_one_of(key, value))
    elif minus:
        raise UsageError(f"-{key}: cannot be excluded", hint=f"use {_OPPOSITES[key]}:{value}")
    else:
        first, after = _span(key, value, draft.zone)
        if key in ("after", "since"):
            draft.after = max(filter(None, (draft.after, first)))
        else:
            end = after if key == "until" else first
            draft.before = min(filter(None, (draft.before, end)))
    draft.joining = False
    return True


def _one_of(key: str, value: str) -> str:
    known = _SETS[key]
    if known is None:
        return value
    if value.lower() not in known:
        what = f"role {value!r}; roles are " if key == "role" else f"{key}:{value}; there are "
        raise UsageError(
            f"unknown {what}{', '.join(known)}",
            hint=f'to search for the text itself put it in quotes: "{key}:{value}"',
        )
    return value.lower()


def _span(key: str, value: str, zone: tzinfo) -> Span:
    try:
        return span_of(value, now=datetime.now(UTC), zone=zone)
    except ValueError as error:
        raise UsageError(
            f"{key}: needs a date or a time, not {value!r}",
            # A query knows double quotes only.
            hint="write it as " + FORMS.replace("'", '"'),
        ) from error


def _finished(draft: _Draft) -> Query:
    query = Query(
        all_of=tuple(tuple(dict.fromkeys(group)) for group in draft.groups),
        none_of=tuple(dict.fromkeys(draft.none_of)),
        roles=frozenset(draft.sets["role"]),
        not_roles=frozenset(draft.sets["-role"]),
        users=frozenset(draft.sets["user"]),
        not_users=frozenset(draft.sets["-user"]),
        after=draft.after,
        before=draft.before,
        filters=SearchFilters(
            **{
                name + each: frozenset(draft.sets[minus + key])
                for key, each in _FIELDS.items()
                for name, minus in (("", ""), ("not_", "-"))
            }
        ),
        in_title=draft.in_title,
    )
    if sum(map(len, query.all_of)) + len(query.none_of) > MOST_TERMS:
        raise UsageError(f"the query has more than {MOST_TERMS} words", hint=_HINT)
    if query.only_excludes:
        raise UsageError("the query only excludes words", hint="add a word to search for")
    if not query.all_of and not query.has_filter:
        raise UsageError("the query contains no word to search for", hint=_HINT)
    if query.in_title and (query.roles or query.not_roles):
        raise UsageError("titles have no role: in:title and role: cannot be combined", hint=_HINT)
    if query.in_title and not query.all_of:
        raise UsageError("in:title needs a word to search for", hint=_HINT)
    return query
