"""Markdown of messages as HTML in which nothing runs and nothing is loaded.

HTML in it is text. Links lead to the web or to mail and nowhere else; an image is a link to it.
"""

import re
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any

from chatdb.formats.html.highlighting import highlighted
from chatdb.formats.markdown_text import cleaned

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.renderer import RendererHTML
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

LONGEST = 100_000
"""Characters of a text that is read as Markdown; a longer one is shown as it is."""

_OVERRIDES = re.compile("[\u202a-\u202e]")
_LINK = re.compile(r"https?://|mailto:", re.IGNORECASE)
_PICTURE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+")
_ADDRESS = re.compile(r"https?://[^\s<>\"'`]+[^\s<>\"'`.,;:!?)\]*_|]", re.IGNORECASE)
_LONGEST_MATH = 2_000
_MATH = (("\\(", "\\)"), ("\\[", "\\]"), ("$$", "$$"))
_MARKUP = re.compile(r"[\\`*_\[\]<&~$|]")
_LINE_START = re.compile(r"\n[ \t>#+=:0-9-]")
"""What may be more than a paragraph, anywhere and at the start of a line."""
_BETWEEN_PARAGRAPHS = re.compile(r"\n(?:[ \t]*\n)+")

Tokens = Sequence["Token"]
Environment = MutableMapping[str, Any]


def rendered(text: str) -> str:
    """Return Markdown as HTML."""
    text = visible(text)
    if len(text) > LONGEST:
        return preformatted(text)
    return "".join(_chunks(text))


def _chunks(text: str) -> Iterator[str]:
    """Yield the HTML of paragraphs without markup, and of all between them.

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
                yield _read(text[done:start])
                yield _paragraph(block)
                done = end
    yield _read(text[done:])


def _blocks(text: str, stop: int) -> Iterator[tuple[int, int]]:
    """Yield where blocks start and end that empty lines part, up to a place."""
    start = 0
    for found in _BETWEEN_PARAGRAPHS.finditer(text, 0, stop):
        yield start, found.start()
        start = found.end()
    if stop == len(text):
        yield start, stop


def _read(text: str) -> str:
    if not text.strip(" \t\n"):
        return ""
    return str(_markdown(_few_rules(text)).render(text, {}))


def _is_plain(text: str) -> bool:
    # Three searches: one pattern for all is slower than reading the Markdown.
    return (
        _MARKUP.search(text) is None
        and "://" not in text
        and _LINE_START.search("\n" + text) is None
    )


def _paragraph(text: str) -> str:
    lines = [line.rstrip(" ") for line in escape(text.strip()).split("\n")]
    return "<p>" + "<br>\n".join(lines) + "</p>\n" if text.strip(" \n") else ""


def visible(text: str) -> str:
    """Return a text without control characters and marks that turn the direction of others."""
    text = cleaned(text)[0]
    if text.isascii():
        return text
    return _OVERRIDES.sub("", text).encode("utf-8", "replace").decode()


def preformatted(text: str, language: str = "") -> str:
    """Return a text as it is, its lines wrapped unless it is code."""
    kind = ' class="code"' if language else ""
    return f'<pre{kind} dir="auto"><code>{highlighted(text, language)}</code></pre>\n'


def link(address: str, inside: str) -> str:
    """Return a link that tells the other side nothing."""
    return f'<a href="{escape(address)}" rel="noreferrer noopener nofollow">{inside}</a>'


def _few_rules(text: str) -> bool:
    """Tell whether a text has nothing that only some of the rules look for."""
    return not ("|" in text or "]:" in text or "<" in text or "~~" in text)


@cache
def _markdown(few_rules: bool) -> "MarkdownIt":
    from markdown_it import MarkdownIt

    made = MarkdownIt("commonmark", {"html": False, "breaks": True, "xhtmlOut": False})
    if few_rules:
        # Every line of a paragraph asks each of them: a seventh of the time.
        made.disable(["reference", "html_block", "html_inline", "autolink"])
    else:
        made.enable(["table", "strikethrough"])
    made.inline.ruler.before("escape", "math", _math)
    made.validateLink = _is_allowed  # type: ignore[assignment,method-assign]
    rules: dict[str, Callable[..., str]] = {
        "text": _text,
        "math": _math_text,
        "image": _image,
        "link_open": _link_open,
        "link_close": _link_close,
        "fence": _fence,
        "code_block": _fence,
        "heading_open": _heading,
        "heading_close": _heading,
        "table_open": lambda *_: '<div class="wide" tabindex="0"><table>\n',
        "table_close": lambda *_: "</table></div>\n",
        "th_open": _cell,
        "td_open": _cell,
    }
    for name, rule in rules.items():
        made.add_render_rule(name, rule)
    return made


def _is_allowed(address: str) -> bool:
    return bool(_LINK.match(address) or _PICTURE.fullmatch(address))


def _math(state: "StateInline", silent: bool) -> bool:
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


def _text(_: "RendererHTML", tokens: Tokens, at: int, __: Any, env: Environment) -> str:
    content = tokens[at].content
    if "://" not in content or env.get("in_link"):
        return escape(content)
    parts, end = [], 0
    for found in _ADDRESS.finditer(content):
        parts += [escape(content[end : found.start()]), link(found[0], escape(found[0]))]
        end = found.end()
    return "".join(parts) + escape(content[end:])


def _math_text(_: "RendererHTML", tokens: Tokens, at: int, __: Any, ___: Environment) -> str:
    return f'<span class="math" dir="ltr">{escape(tokens[at].content)}</span>'


def _image(
    renderer: "RendererHTML", tokens: Tokens, at: int, options: Any, env: Environment
) -> str:
    token = tokens[at]
    address = str(token.attrs.get("src", ""))
    words = renderer.renderInlineAsText(token.children or [], options, env)
    if _PICTURE.fullmatch(address):
        return f'<img src="{address}" alt="{escape(words)}">'
    inside = f'<span class="picture">{escape(words or "image")}</span>'
    return inside if env.get("in_link") else link(address, inside)


def _link_open(_: "RendererHTML", tokens: Tokens, at: int, __: Any, env: Environment) -> str:
    env["in_link"] = True
    return link(str(tokens[at].attrs.get("href", "")), "").removesuffix("</a>")


def _link_close(_: "RendererHTML", __: Tokens, ___: int, ____: Any, env: Environment) -> str:
    env["in_link"] = False
    return "</a>"


def _fence(_: "RendererHTML", tokens: Tokens, at: int, __: Any, ___: Environment) -> str:
    token = tokens[at]
    language = token.info.split(maxsplit=1)[0] if token.info.strip() else ""
    name = f"<figcaption>{escape(language)}</figcaption>" if language else ""
    code = highlighted(token.content, language)
    return (
        f'<figure class="code" dir="ltr">{name}'
        f'<pre class="code" tabindex="0"><code>{code}</code></pre></figure>\n'
    )


def _heading(_: "RendererHTML", tokens: Tokens, at: int, __: Any, ___: Environment) -> str:
    # The page's own headings are those of the conversation and of its messages.
    token = tokens[at]
    level = min(int(token.tag[1]) + 2, 6)
    return f"<h{level}>" if token.nesting == 1 else f"</h{level}>\n"


def _cell(_: "RendererHTML", tokens: Tokens, at: int, __: Any, ___: Environment) -> str:
    # The policy of the page lets no element have a style of its own.
    token = tokens[at]
    side = str(token.attrs.get("style", "")).removeprefix("text-align:")
    return f'<{token.tag} class="{side}">' if side else f"<{token.tag}>"
