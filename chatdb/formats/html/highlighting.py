"""Code with classes for its colours, by Pygments, at the time of writing."""

from functools import cache, lru_cache
from html import escape
from typing import Any

from chatdb.formats.message_body import LONGEST_COLOURED

_CLASSES = {
    "Comment": "hc",
    "Keyword": "hk",
    "Operator.Word": "hk",
    "Literal.String": "hs",
    "Literal.Number": "hn",
    "Name.Function": "hf",
    "Name.Class": "hf",
    "Name.Builtin": "hb",
    "Name.Decorator": "hb",
    "Name.Tag": "hk",
    "Name.Attribute": "hf",
    "Name.Constant": "hn",
    "Keyword.Constant": "hn",
    "Generic.Deleted": "hd",
    "Generic.Inserted": "hi",
    "Generic.Heading": "hk",
    "Generic.Subheading": "hk",
}


def highlighted(code: str, language: str) -> str:
    """Return code as HTML, coloured if the language is known."""
    lexer = _lexer(language.lower()) if language and len(code) <= LONGEST_COLOURED else None
    if lexer is None:
        return escape(code)
    parts = []
    # Tokens of one colour in a row become one element: a third of the size.
    current, texts = "", list[str]()
    for _, token, text in lexer.get_tokens_unprocessed(code):
        found = _class_of(token)
        if found != current:
            parts.append(_span(current, texts))
            current, texts = found, []
        texts.append(text)
    parts.append(_span(current, texts))
    return "".join(parts)


def _span(name: str, texts: list[str]) -> str:
    text = escape("".join(texts))
    return f'<span class="{name}">{text}</span>' if name and text else text


@lru_cache(maxsize=256)
def _lexer(language: str) -> Any:
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        return get_lexer_by_name(language)
    except ClassNotFound:
        return None


@cache
def _class_of(token: Any) -> str:
    name = ".".join(token)
    while name:
        if name in _CLASSES:
            return _CLASSES[name]
        name = name.rpartition(".")[0]
    return ""
