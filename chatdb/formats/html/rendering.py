"""Markdown of messages as HTML in which nothing runs and nothing is loaded.

HTML in it is text. Links lead to the web or to mail and nowhere else; an image is a link to it.
"""

from collections.abc import Callable, Iterator, MutableMapping, Sequence
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any

from chatdb.formats.html.highlighting import highlighted
from chatdb.formats.markdown_reading import (
    LONGEST,
    PICTURE,
    chunks,
    markdown_reader,
    needs_few_rules,
    plain_lines,
    visible,
    with_addresses,
)

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.renderer import RendererHTML
    from markdown_it.token import Token

Tokens = Sequence["Token"]
Environment = MutableMapping[str, Any]


def rendered(text: str) -> str:
    """Return Markdown as HTML."""
    text = visible(text)
    if len(text) > LONGEST:
        return preformatted(text)
    return "".join(_chunks(text))


def _chunks(text: str) -> Iterator[str]:
    for block, is_plain in chunks(text):
        yield _paragraph(block) if is_plain else _read(block)


def _read(text: str) -> str:
    if not text.strip(" \t\n"):
        return ""
    return str(_markdown(needs_few_rules(text)).render(text, {}))


def _paragraph(text: str) -> str:
    lines = plain_lines(escape(text))
    return "<p>" + "<br>\n".join(lines) + "</p>\n" if lines else ""


def preformatted(text: str, language: str = "") -> str:
    """Return a text as it is, its lines wrapped unless it is code."""
    kind = ' class="code"' if language else ""
    return f'<pre{kind} dir="auto"><code>{highlighted(text, language)}</code></pre>\n'


def link(address: str, inside: str) -> str:
    """Return a link that tells the other side nothing."""
    return f'<a href="{escape(address)}" rel="noreferrer noopener nofollow">{inside}</a>'


@cache
def _markdown(few_rules: bool) -> "MarkdownIt":
    made = markdown_reader(few_rules=few_rules)
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


def _text(_: "RendererHTML", tokens: Tokens, at: int, __: Any, env: Environment) -> str:
    content = tokens[at].content
    if env.get("in_link"):
        return escape(content)
    return "".join(
        link(piece, escape(piece)) if is_address else escape(piece)
        for piece, is_address in with_addresses(content)
    )


def _math_text(_: "RendererHTML", tokens: Tokens, at: int, __: Any, ___: Environment) -> str:
    return f'<span class="math" dir="ltr">{escape(tokens[at].content)}</span>'


def _image(
    renderer: "RendererHTML", tokens: Tokens, at: int, options: Any, env: Environment
) -> str:
    token = tokens[at]
    address = str(token.attrs.get("src", ""))
    words = renderer.renderInlineAsText(token.children or [], options, env)
    if PICTURE.fullmatch(address):
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
