"""Markdown and code on a terminal: code keeps its lines, whatever the width.

Imported only when something is rendered.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import Markdown
from rich.segment import Segment
from rich.style import Style
from rich.syntax import Syntax
from rich.text import Text

from chatdb.cli.text import one_line
from chatdb.formats.message_body import LONGEST_COLOURED

_LONGEST_NAME = 20
_DEEPEST = 100
_MARK = re.compile("\ufdd0(\\d+)\ufdd1")
"""Stands for a block of code while words are laid out: these are no characters of any text."""
_HALF_A_MARK = re.compile("[\ufdd0\ufdd1]")
_UNMARKED = {0xFDD0: None, 0xFDD1: None}


@dataclass(frozen=True, slots=True)
class Code:
    """A block of code between two dim lines; a long line is left to the terminal to break."""

    text: str
    language: str = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the lines, none of them wrapped or cut."""
        yield from self.lines(console, [])

    def lines(self, console: Console, before: list[Segment]) -> Iterator[Segment]:
        """Yield the lines, each after what stands before the block, as in a list."""
        dim = Style(dim=True)
        name = one_line(self.language, limit=_LONGEST_NAME)
        yield from (*before, Segment(f"╭─ {name}".rstrip(), dim), Segment.line())
        for line in self._coloured().split("\n", allow_blank=True):
            yield from (*before, *line.render(console), Segment.line())
        yield from (*before, Segment("╰─", dim), Segment.line())

    def _coloured(self) -> Text:
        text = self.text.rstrip("\n")
        if not self.language or len(text) > LONGEST_COLOURED:
            return Text(text, end="")
        syntax = Syntax(text, self.language, theme="ansi_dark", background_color="default")
        coloured = syntax.highlight(text)
        coloured.rstrip()
        # A lexer may drop empty lines at the beginning: then the text is shown as it is.
        return coloured if coloured.plain == text.rstrip() else Text(text, end="")


@dataclass(frozen=True, slots=True)
class Unwrapped:
    """Text whose lines are not wrapped: a tool's output, an address."""

    text: str
    style: str = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the lines, none of them wrapped or cut."""
        for line in Text(self.text, style=self.style).split("\n", allow_blank=True):
            yield from (*line.render(console), Segment.line())


class MarkdownText:
    """Markdown without active links and with HTML shown as text; its code is not wrapped."""

    def __init__(self, content: str) -> None:
        self._markdown = Markdown("", hyperlinks=False)
        self._codes: list[Code] = []
        tokens = _parser().parse(content.translate(_UNMARKED))
        self._markdown.parsed = [each for token in tokens for each in self._replaced(token)]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the lines of the text, with the blocks of code in their places."""
        shown = set[int]()
        for line in console.render_lines(self._markdown, options, pad=False):
            text = "".join(segment.text for segment in line)
            found = _MARK.search(text)
            if found is None and not _HALF_A_MARK.search(text):
                yield from line
                yield Segment.line()
            elif found is None:
                continue
            else:
                shown.add(int(found[1]))
                before = [Segment(text[: found.start()])]
                yield from self._codes[int(found[1])].lines(console, before)
        # Nested so deep that no room was left for its mark: the code is not lost.
        for number, code in enumerate(self._codes):
            if number not in shown:
                yield from code.lines(console, [])

    def _replaced(self, token: Token) -> Iterator[Token]:
        if token.type not in ("fence", "code_block"):
            yield token
            return
        language = token.info.split()[0] if token.info.strip() else ""
        mark = f"\ufdd0{len(self._codes)}\ufdd1"
        self._codes.append(Code(token.content, language))
        yield Token("paragraph_open", "p", 1)
        yield Token("inline", "", 0, content=mark, children=[Token("text", "", 0, content=mark)])
        yield Token("paragraph_close", "p", -1)


def words_and_code(content: str) -> Iterator[Any]:
    """Yield a text as it stands, with its fenced blocks as code."""
    if "```" not in content and "~~~" not in content:
        yield Text(content)
        return
    lines = content.split("\n")
    place = 0
    for token in _parser().parse(content):
        if token.type != "fence" or token.level or token.map is None:
            continue
        start, end = token.map
        if start > place:
            yield Text("\n".join(lines[place:start]))
        yield Code(token.content, token.info.split()[0] if token.info.strip() else "")
        place = end
    if place < len(lines):
        yield Text("\n".join(lines[place:]))


def _parser() -> MarkdownIt:
    # The preset leaves out what is nested deeper than 20, which is a list in a list seven times.
    options = {"html": False, "maxNesting": _DEEPEST}
    return MarkdownIt("commonmark", options).enable("strikethrough").enable("table")
