"""Markdown of messages as lists that the template builds pages of: see page.typ.

Nothing in them is Typst: they are data, whose texts become text.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from chatdb.formats.markdown_reading import (
    LONGEST,
    PICTURE,
    chunks,
    markdown_reader,
    needs_few_rules,
    plain_lines,
    with_addresses,
)
from chatdb.formats.message_body import LONGEST_COLOURED
from chatdb.formats.pdf.lines import breakable, runs_right_to_left, shown, with_emoji

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

Node = str | list[Any]
Tokens = Sequence["Token"]

PIECE = 50_000
"""Characters of a plain text in one block: pages are made of blocks."""
LONGEST_WORD = 60
LONGEST_CODE_WORD = 86
"""Letters that fit into a line: longer words get places where a line may end."""
_LINE = 95
"""Letters of a table in a line."""
_WIDEST_CELL = 14
"""Letters of a cell that are worth small print: longer ones are wrapped."""
_MOST_COLUMNS = 24
_LONGEST_ADDRESS = 2_000
_DEEPEST = 8
"""Lists and quotations within one another; what is deeper stands at the last of them."""
_LINK = re.compile(r"https?://.|mailto:.", re.IGNORECASE)
_INSIDE = {"b": 1, "i": 1, "s": 1, "a": 2, "p": 2, "h": 3, "quote": 2}
"""Where the words of a node stand in it; code and mathematics run from left to right."""
_MARKS = {"strong": "b", "em": "i", "s": "s"}


class Pictures(Protocol):
    """Where the pictures in a text go."""

    def add_encoded(self, data: str) -> Node | None:
        """Return a picture in base64 as a node; None for one that cannot be shown."""
        ...


def blocks_of(text: str, pictures: Pictures) -> Iterator[Node]:
    """Yield the blocks of a Markdown text."""
    text = shown(text)
    if len(text) > LONGEST:
        yield from verbatim(text)
        return
    for block, is_plain in chunks(text):
        if is_plain:
            lines = plain_lines(block)
            if lines:
                yield _paragraph(_broken_lines(lines))
        elif block.strip(" \t\n"):
            tokens = _markdown(needs_few_rules(block)).parse(block, {})
            yield from _Tree(pictures).blocks(tokens)


def verbatim(text: str) -> Iterator[Node]:
    """Yield a text as it is, a long one in several blocks."""
    for piece in pieces(text):
        yield ["pre", breakable(piece, LONGEST_CODE_WORD)]


def pieces(text: str) -> Iterator[str]:
    """Yield a long text in pieces, which end with a line if they can."""
    start = 0
    while len(text) - start > PIECE:
        end = text.rfind("\n", start, start + PIECE)
        end = start + PIECE if end <= start else end
        yield text[start:end]
        start = end + text.startswith("\n", end)
    yield text[start:]


def code_blocks(text: str, language: str) -> Iterator[list[Any]]:
    """Yield code as it is; a long one without its colours."""
    name = language if len(text) <= LONGEST_COLOURED else ""
    for piece in pieces(text):
        yield ["code", name, breakable(piece, LONGEST_CODE_WORD)]


def linked(address: str, inside: list[Node]) -> list[Node]:
    """Return a link to the web or to mail, and of any other only its words."""
    if _LINK.match(address) is None or len(address) > _LONGEST_ADDRESS:
        return inside
    return [["a", address, inside]]


@cache
def _markdown(few_rules: bool) -> "MarkdownIt":
    return markdown_reader(few_rules=few_rules)


def _paragraph(inside: list[Node]) -> Node:
    return ["p", runs_right_to_left(_words(inside)), inside]


def _broken_lines(lines: list[str]) -> list[Node]:
    found: list[Node] = []
    for line in lines:
        found += [["br"]] * bool(found) + _text(line, LONGEST_WORD)
    return found


def _text(text: str, longest: int) -> list[Node]:
    return [
        ["e", piece] if is_emoji else breakable(piece, longest)
        for piece, is_emoji in with_emoji(text)
    ]


def _words(nodes: Sequence[Node]) -> str:
    """Return the first text with letters in nodes, for its direction."""
    for node in nodes:
        if isinstance(node, str):
            found = node
        else:
            inside = node[_INSIDE[node[0]]] if node[0] in _INSIDE else []
            found = inside if isinstance(inside, str) else _words(inside)
        if any(map(str.isalpha, found)):
            return found
    return ""


class _Tree:
    """Turns tokens that begin and end into lists within lists."""

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures
        self._tokens: Tokens = ()
        self._at = 0
        self._depth = 0

    def blocks(self, tokens: Tokens) -> list[Node]:
        self._tokens, self._at = tokens, 0
        return self._until("")

    def _until(self, end: str) -> list[Node]:
        """Return the blocks up to a token that ends them, which is passed."""
        found: list[Node] = []
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            self._at += 1
            if token.type == end:
                break
            found += self._block(token)
        return found

    def _block(self, token: "Token") -> list[Node]:
        match token.type:
            case "paragraph_open":
                return [_paragraph(self._line("paragraph_close"))]
            case "heading_open":
                inside = self._line("heading_close")
                return [["h", runs_right_to_left(_words(inside)), int(token.tag[1]), inside]]
            case "fence" | "code_block":
                words = token.info.split(maxsplit=1)
                return [*code_blocks(token.content, words[0] if words else "")]
            case "hr":
                return [["hr"]]
            case "blockquote_open":
                inside = self._deeper("blockquote_close")
                return self._or_flat(["quote", runs_right_to_left(_words(inside)), inside], inside)
            case "bullet_list_open" | "ordered_list_open":
                return self._list(token)
            case "table_open":
                return self._table()
        return []

    def _line(self, end: str) -> list[Node]:
        """Return what stands in a line of text, whose end is passed."""
        token = self._tokens[self._at]
        self._at += 1
        while self._tokens[self._at].type != end:
            self._at += 1
        self._at += 1
        return _Inline(self._pictures, LONGEST_WORD).nodes(token.children or [])

    def _deeper(self, end: str) -> list[Node]:
        self._depth += 1
        inside = self._until(end)
        self._depth -= 1
        return inside

    def _or_flat(self, node: Node, inside: list[Node]) -> list[Node]:
        return inside if self._depth >= _DEEPEST else [node]

    def _list(self, token: "Token") -> list[Node]:
        end = token.type.replace("open", "close")
        items, is_tight = [], True
        while self._tokens[self._at].type != end:
            self._at += 1
            first = self._tokens[self._at]
            is_tight = is_tight and (first.hidden or first.type != "paragraph_open")
            items.append(self._deeper("list_item_close"))
        self._at += 1
        flat = [node for item in items for node in item]
        turned = runs_right_to_left(_words(flat))
        if token.type == "bullet_list_open":
            return self._or_flat(["ul", turned, is_tight, items], flat)
        return self._or_flat(
            ["ol", turned, is_tight, int(token.attrs.get("start", 1)), items], flat
        )

    def _table(self) -> list[Node]:
        rows: list[list[Token]] = []
        sides: list[str] = []
        while (token := self._tokens[self._at]).type != "table_close":
            self._at += 1
            if token.type == "tr_open":
                rows.append([])
            elif token.type in ("th_open", "td_open"):
                if len(rows) == 1:
                    style = str(token.attrs.get("style", "")).removeprefix("text-align:")
                    sides.append(style or "start")
                rows[-1].append(self._tokens[self._at])
        self._at += 1
        return [_table(rows, sides, self._pictures)]


def _table(rows: list[list["Token"]], sides: list[str], pictures: Pictures) -> Node:
    """Return a table, smaller if it is wide; one of very many columns as lines."""
    columns = len(sides)
    widths = [max(len(row[at].content) for row in rows) for at in range(columns)]
    width = sum(min(each, _WIDEST_CELL) + 2 for each in widths)
    size = max(5.5, min(9.0, 9.0 * _LINE / width))
    inline = _Inline(pictures, max(4, int(_LINE * 9 / size / columns) - 3))
    cells = [[inline.nodes(cell.children or []) for cell in row] for row in rows]
    if columns > _MOST_COLUMNS:
        lines = [[part for cell in row for part in (*cell, " | ")] for row in cells]
        return _paragraph([part for line in lines for part in (*line, ["br"])])
    turned = [[[runs_right_to_left(_words(cell)), cell] for cell in row] for row in cells]
    first = _words([each for row in cells for cell in row for each in cell])
    return ["table", runs_right_to_left(first), round(size, 1), sides, turned[0], turned[1:]]


class _Inline:
    """Turns the tokens of a line into nodes."""

    def __init__(self, pictures: Pictures, longest: int) -> None:
        self._pictures = pictures
        self._longest = longest

    def nodes(self, tokens: Tokens) -> list[Node]:
        stack: list[list[Node]] = [[]]
        addresses: list[str] = []
        for token in tokens:
            name, _, end = token.type.rpartition("_")
            if end == "open" and token.nesting == 1:
                stack.append([])
                if name == "link":
                    addresses.append(str(token.attrs.get("href", "")))
            elif end == "close" and token.nesting == -1:
                inside = stack.pop()
                if name == "link":
                    stack[-1] += linked(addresses.pop(), inside)
                else:
                    # As deep as lists: each level is a call of the template.
                    stack[-1] += [[_MARKS[name], inside]] if len(stack) <= _DEEPEST else inside
            else:
                stack[-1] += self._node(token, in_link=bool(addresses))
        return stack[0]

    def _node(self, token: "Token", *, in_link: bool) -> list[Node]:
        match token.type:
            case "softbreak" | "hardbreak":
                return [["br"]]
            case "code_inline":
                return [["c", breakable(token.content, self._longest)]]
            case "math":
                return [["m", breakable(token.content, self._longest)]]
            case "image":
                return self._image(token, in_link=in_link)
        if in_link:
            return _text(token.content, self._longest)
        found: list[Node] = []
        for piece, is_address in with_addresses(token.content):
            part = _text(piece, self._longest)
            found += linked(piece, part) if is_address else part
        return found

    def _image(self, token: "Token", *, in_link: bool) -> list[Node]:
        address = str(token.attrs.get("src", ""))
        words = breakable(token.content or "image", self._longest)
        picture = PICTURE.fullmatch(address)
        if picture is not None:
            found = self._pictures.add_encoded(picture[1])
            return [f"[{words}]" if found is None else found]
        inside: list[Node] = [f"[{words}]"]
        return inside if in_link else linked(address, inside)
