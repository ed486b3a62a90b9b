"""What to try when nothing was found: the beginnings of longer words."""

from collections.abc import Iterable
from dataclasses import replace

from chatdb.db.contract.search import SearchRequest, Term
from chatdb.primitives.normal_form import is_unspaced

NEAR_SECONDS = 0.1
"""How long is looked for one: it is an offer, nobody waits for it."""
_SHORTEST = 3
"""Letters: what begins with fewer is too much."""
_MOST = 3
"""Words that are tried."""


def words_to_lengthen(request: SearchRequest) -> dict[int, str]:
    """Return the words that may begin longer ones, by their place in `all_of`."""
    groups = enumerate(request.all_of)
    words = {place: group[0].words[0] for place, group in groups if _is_one_word(group)}
    return dict(list(words.items())[:_MOST])


def with_longer_words(request: SearchRequest, places: Iterable[int]) -> SearchRequest:
    """Return the request for one hit where the words at some places begin like those."""
    groups = list(request.all_of)
    for place in places:
        groups[place] = (replace(groups[place][0], prefix=True),)
    return replace(request, all_of=tuple(groups), limit=2)


def _is_one_word(group: tuple[Term, ...]) -> bool:
    term = group[0]
    is_plain = len(group) == len(term.words) == 1 and not term.prefix
    return is_plain and len(term.words[0]) >= _SHORTEST and not is_unspaced(term.words[0])
