"""What to try when nothing was found: the beginnings of longer words."""

from collections.abc import Iterator
from dataclasses import replace

from chatdb.db.contract.search import SearchRequest

NEAR_SECONDS = 0.1
"""How long is looked for one: it is an offer, nobody waits for it."""
_SHORTEST = 3
"""Letters: what begins with fewer is too much."""
_MOST = 3
"""Words that are tried."""


def with_longer_words(request: SearchRequest) -> Iterator[tuple[str, SearchRequest]]:
    """Yield words of a request, each with the request for one hit of what begins like it."""
    groups = request.all_of
    tried = 0
    for place, group in enumerate(groups):
        term = group[0]
        whole = len(group) == len(term.pieces) == 1 and not term.prefix and term.contains is None
        if whole and len(term.pieces[0]) >= _SHORTEST and tried < _MOST:
            tried += 1
            longer = (replace(term, prefix=True),)
            all_of = (*groups[:place], longer, *groups[place + 1 :])
            yield term.pieces[0], replace(request, all_of=all_of, limit=2)
