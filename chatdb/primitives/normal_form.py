# ruff: noqa: RUF001
"""The form in which texts are searched: the same for what is indexed and for what is asked.

Words stand between single blanks, in lower case, without marks and joiners. A run of characters
that are written without blanks (`UNSPACED`) is a word too, and found by any part of it. PostgreSQL
makes the same form by the function `chatdb_search_text` (revision 0009); a test compares them.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from unicodedata import normalize

from chatdb.primitives.word_characters import COMPOSED, REMOVED, UNSPACED, WORDS

SEARCHED_CHARACTERS = 100_000
"""How much of a message is searched: no index entry becomes larger than PostgreSQL can hold."""
SEARCHED_UNSPACED = 50_000
"""In how much of the normal form runs of `UNSPACED` are indexed."""
LONGEST_WORD = 510
"""Characters; of a longer word the rest does not count."""

_ASCII_WORD = re.compile("[a-z0-9]+")
_WORD = f"[a-z0-9{WORDS}]+"
_REMOVED = f"[{REMOVED}]+"
_COMPOSED = f"[{COMPOSED}]"
_RUNS = f"[{UNSPACED}]+"
_MAY_HAVE_RUNS = "[\u00a2-\u00f7\u0e00-\U0010ffff]"
"""Most texts are told at once to have none: the whole class takes three times as long."""
_BLANKS = " {2,}"
_LONG = f"([^ {UNSPACED}]{{{LONGEST_WORD}}})[^ {UNSPACED}]+"
_TOKEN = f"[{UNSPACED}]|[a-z0-9{WORDS}]+?(?=[{UNSPACED}]|[^a-z0-9{WORDS}]|$)"
_CLUSTER = re.compile("[\u1100-\u11ff]+|.[\u0306\u0308\u3099\u309a]?", re.DOTALL)
"""What becomes one character of the normal form, or some, by itself."""
_TRADE_MARKS = "[\u2120\u2122]"
"""They would become letters of the word before them."""
_CYRILLIC = (("и\u0306", "й"), ("\u0456\u0308", "ї"), ("у\u0306", "ў"))
"""Letters of their own, whose mark is no accent; `ё` is found by `е`."""
_LETTERS = (
    *zip("\u0131łđøħŧ", "ildoht", strict=True),
    ("ς", "\u03c3"),
    ("ß", "ss"),
    ("æ", "ae"),
    ("œ", "oe"),
)


@cache
def _pattern(expression: str) -> re.Pattern[str]:
    """Compile an expression when it is needed: the classes take 50 ms, and ASCII needs none."""
    return re.compile(expression)


def normal_form(text: str) -> str:
    """Return the normal form of the part of a text that is searched: ` one two `."""
    text = text[:SEARCHED_CHARACTERS]
    if text.isascii():
        words = _ASCII_WORD.findall(text.lower())
    else:
        words = _pattern(_WORD).findall(_folded(text, SEARCHED_CHARACTERS))
    found = f" {' '.join(words)} " if words else " "
    if not text.isascii() and _pattern(_MAY_HAVE_RUNS).search(found):
        found = _pattern(_BLANKS).sub(" ", _pattern(_RUNS).sub(r" \g<0> ", found))
    is_long = len(found) > LONGEST_WORD and max(map(len, words)) > LONGEST_WORD
    return _pattern(_LONG).sub(r"\1", found) if is_long else found


def _folded(text: str, most: int) -> str:
    text = normalize("NFKD", _pattern(_TRADE_MARKS).sub(" ", text)).lower()
    for marked, letter in _CYRILLIC:
        if marked in text:
            text = text.replace(marked, letter)
    # Cut without the marks, of which a text may have as many as letters.
    text = _pattern(_REMOVED).sub("", text)[:most]
    if _pattern(_COMPOSED).search(text):
        text = normalize("NFC", text)
    # No table: `translate` takes ten times as long for a text of none of them.
    for letter, plain in _LETTERS:
        if letter in text:
            text = text.replace(letter, plain)
    return text


def is_unspaced(word: str) -> bool:
    """Tell whether a word of a normal form is a run that is found by its parts."""
    return not word.isascii() and _pattern(_RUNS).match(word) is not None


def lexemes(form: str) -> Iterator[str]:
    """Yield what the index has of a normal form, some of it more than once.

    Of a run these are its characters, and each two side by side.
    """
    if form.isascii():
        yield from form.split()
        return
    yield from (word for word in form.split() if not is_unspaced(word))
    for run in _indexed_runs(form):
        yield from run
        yield from _pairs(run)


def needed_lexemes(word: str) -> list[str]:
    """Return the lexemes of each text that has a word: of a run those of two characters."""
    if len(word) > 1 and is_unspaced(word):
        return list(_pairs(word))
    return [word]


def index_text(form: str) -> str:
    """Return the lexemes of a normal form, the words in sequence, for an index that splits it."""
    if _pattern(_MAY_HAVE_RUNS).search(form) is None:
        return form
    first = _pattern(_RUNS).sub(lambda run: " ".join(run[0]), form[:SEARCHED_UNSPACED])
    pairs = " ".join(pair for run in _indexed_runs(form) for pair in _pairs(run))
    return f"{first}{_pattern(_RUNS).sub('', form[SEARCHED_UNSPACED:])} {pairs}"


def _indexed_runs(form: str) -> list[str]:
    return _pattern(_RUNS).findall(form[:SEARCHED_UNSPACED])


def _pairs(run: str) -> Iterator[str]:
    return map("".join, pairwise(run))


@dataclass(frozen=True, slots=True)
class Token:
    """A word, or one character of a run, with its place in the text.

    `is_joined`: the character before it belongs to the same run.
    """

    word: str
    start: int
    end: int
    is_joined: bool = False


def tokens(text: str) -> list[Token]:
    """Return the words of a text where they stand in it."""
    text = text[:SEARCHED_CHARACTERS]
    if text.isascii():
        found = re.finditer("[a-z0-9]+", text.lower())
        return [Token(each[0][:LONGEST_WORD], each.start(), each.end()) for each in found]
    folded, places = _with_places(text)
    result: list[Token] = []
    before = -1
    for each in _pattern(_TOKEN).finditer(folded):
        start, end = each.span()
        alone = is_unspaced(each[0])
        word = each[0] if alone else each[0][:LONGEST_WORD]
        result.append(Token(word, places[start], places[end], alone and start == before))
        before = end if alone else -1
    return result


def _with_places(text: str) -> tuple[str, Sequence[int]]:
    """Return a text folded piece by piece, and where in the text each of its characters begins."""
    parts: list[str] = []
    places: list[int] = []
    for cluster in _CLUSTER.finditer(text):
        form = _folded_cluster(cluster[0])
        parts.append(form)
        places += [cluster.start()] * len(form)
    places.append(len(text))
    return "".join(parts), places


@lru_cache(4_096)
def _folded_cluster(cluster: str) -> str:
    return _folded(cluster, SEARCHED_CHARACTERS)
