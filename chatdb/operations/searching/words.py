"""The terms of a query, and where they stand in a text: alike with the index and without it."""

from collections import Counter
from collections.abc import Iterator, Sequence

from chatdb.db.contract.search import Term
from chatdb.primitives.normal_form import Token, is_unspaced, normal_form, tokens

Span = tuple[int, int, int]
"""Start and end in the text, and the number of the term found there."""


def term_of(text: str, *, prefix: bool = False) -> Term | None:
    """Return what to search for, None for text without a letter, digit or symbol.

    A text with inner punctuation, and a quoted one, is a phrase: its words in sequence.
    """
    words = tuple(normal_form(text).split())
    if not words:
        return None
    return Term(words=words, prefix=prefix and not is_unspaced(words[-1]), text=text)


class Matcher:
    """Finds the terms of a query in texts, as the indexes would."""

    def __init__(self, all_of: Sequence[Sequence[Term]], none_of: Sequence[Term] = ()) -> None:
        self._all_of = [[term.pattern for term in group] for group in all_of]
        self._none_of = [term.pattern for term in none_of]
        self._needles = [_Needle(term) for group in all_of for term in group]

    def matches(self, text: str) -> bool:
        """Tell whether the text has a term of every group and none of the excluded ones."""
        form = normal_form(text)
        if not all(any(pattern in form for pattern in group) for group in self._all_of):
            return False
        return not any(pattern in form for pattern in self._none_of)

    def spans(self, text: str) -> list[Span]:
        """Return where the searched terms are, in the order of the text."""
        found = tokens(text)
        places = (
            (start, end, number)
            for number, needle in enumerate(self._needles)
            for start, end in needle.places(found)
        )
        return sorted(places)

    def counts(self, text: str) -> tuple[Counter[int], int]:
        """Return how often each term occurs in the text, and how many words the text has."""
        words = tokens(text)
        found = {
            number: sum(1 for _ in needle.places(words))
            for number, needle in enumerate(self._needles)
        }
        return Counter(found), len(words)


class _Needle:
    def __init__(self, term: Term) -> None:
        self._wanted = [
            (piece, place > 0)
            for word in term.words
            for place, piece in enumerate(word if is_unspaced(word) else [word])
        ]
        self._prefix = term.prefix

    def places(self, words: Sequence[Token]) -> Iterator[tuple[int, int]]:
        length = len(self._wanted)
        *first, (last, is_joined) = self._wanted
        for index in range(len(words) - length + 1):
            end = words[index + length - 1]
            if end.word != last and not (self._prefix and end.word.startswith(last)):
                continue
            if is_joined and not end.is_joined:
                continue
            if all(
                words[index + place].word == word and (words[index + place].is_joined or not joined)
                for place, (word, joined) in enumerate(first)
            ):
                yield words[index].start, end.end
