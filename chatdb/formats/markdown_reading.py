"""Reads the Markdown of messages: which of it is markup, and where its links may lead.

HTML in it is text. Links lead to the web or to mail and nowhere else.
"""

import re
from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline

from chatdb.formats.markdown_text import cleaned

LONGEST = 100_000
"""Characters of a text that is read as Markdown; a longer one is shown as it is."""
PICTURE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,([A-Za-z0-9+/=]+)")
_ADDRESS = re.compile(r"https?://[^\s<>\"'`]+[^\s<>\"'`.,;:!?)\]*_|]", re.IGNORECASE)

_OVERRIDES = re.compile("[\u202a-\u202e]")
_LINK = re.compile(r"https?://|mailto:", re.IGNORECASE)
_LONGEST_MATH = 2_000
_DEEPEST = 100
"""Lists and quotations within one another: of 20, as usual, texts inside vanish without a word."""
_MATH = (("\\(", "\\)"), ("\\[", "\\]"), ("$$", "$$"))
_MARKUP = re.compile(r"[\\`*_\[\]<&~$|]")
_LINE_START = re.compile(r"\n[ \t>#+=:0-9-]")
"""What may be more than a paragraph, anywhere and at the start of a line."""
_BETWEEN_PARAGRAPHS = re.compile(r"\n(?:[ \t]*\n)+")


def with_addresses(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the pieces of a text, with True those that are addresses of the web."""
    end = 0
    for found in _ADDRESS.finditer(text) if "://" in text else ():
        yield text[end : found.start()], False
        yield found[0], True
        end = found.end()
    yield text[end:], False


def visible(text: str) -> str:
    """Return a text without control characters and marks that turn the direction of others."""
    text = cleaned(text)[0]
    if text.isascii():
        return text
    return _OVERRIDES.sub("", text).encode("utf-8", "replace").decode()


def chunks(text: str) -> Iterator[tuple[str, bool]]:
    """Yield paragraphs without markup, and with False all between them.

    Such a paragraph ends every list and quotation before it, but no fence; a definition of a link
    concerns the whole text.
    """
    # Half of what people and models write, and reading Markdown takes ten times as long.
    done = 0
    if "]:" not in text:
        fences = [place for place in (text.find("```"), text.find("~~~")) if place >= 0]
        for start, end in _blocks(text, min(fences, default=len(text))):
            block = text[start:end]
            if _is_plain(block):
                yield text[done:start], False
                yield block, True
                done = end
    yield text[done:], False


def plain_lines(block: str) -> list[str]:
    """Return the lines of a paragraph without markup."""
    if not block.strip(" \n"):
        return []
    return [line.rstrip(" ") for line in block.strip().split("\n")]


def _blocks(text: str, stop: int) -> Iterator[tuple[int, int]]:
    """Yield where blocks start and end that empty lines part, up to a place."""
    start = 0
    for found in _BETWEEN_PARAGRAPHS.finditer(text, 0, stop):
        yield start, found.start()
        start = found.end()
    if stop == len(text):
        yield start, stop


def _is_plain(text: str) -> bool:
    # Three searches: one pattern for all is slower than reading the Markdown.
    return (
        _MARKUP.search(text) is None
        and "://" not in text
        and _LINE_START.search("\n" + text) is None
    )


def needs_few_rules(text: str) -> bool:
    """Tell whether a text has nothing that only some of the rules look for."""
    return not ("|" in text or "]:" in text or "<" in text or "~~" in text)


class _Reader(MarkdownIt):
    """Takes nothing for a link that leads elsewhere than to the web or to mail."""

    def validateLink(self, url: str) -> bool:  # noqa: N802 - the library's name
        return bool(_LINK.match(url) or PICTURE.fullmatch(url))


def markdown_reader(*, few_rules: bool) -> MarkdownIt:
    """Return a reader; one with few rules is quicker."""
    options = {"html": False, "breaks": True, "xhtmlOut": False, "maxNesting": _DEEPEST}
    made = _Reader("commonmark", options)
    if few_rules:
        # Every line of a paragraph asks each of them: a seventh of the time.
        made.disable(["reference", "html_block", "html_inline", "autolink"])
    else:
        made.enable(["table", "strikethrough"])
    made.inline.ruler.before("escape", "math", _math)
    return made


def _math(state: StateInline, silent: bool) -> bool:
    r"""Keep `\(x_1\)` as it is written: Markdown would take its backslashes and underscores."""
    start = state.pos
    for opening, closing in _MATH:
        if not state.src.startswith(opening, start):
            continue
        at_most = min(start + _LONGEST_MATH, state.posMax)
        end = state.src.find(closing, start + len(opening), at_most)
        if end < 0:
            return False
        if not silent:
            state.push("math", "", 0).content = state.src[start : end + len(closing)]
        state.pos = end + len(closing)
        return True
    return False
