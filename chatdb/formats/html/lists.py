"""Pages that list conversations, newest first, and search them by a script if one runs."""

from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby
from urllib.parse import quote

import msgspec

from chatdb.formats.html.page import page_end, page_start
from chatdb.formats.html.spool import Entry
from chatdb.formats.html.words import WordIndex

WORDS_LIMIT = 16_000_000
"""Bytes of words in a page: some 30,000 conversations. Above it only titles are searched."""
_JSON = msgspec.json.Encoder()


def list_page(
    title: str,
    entries: Sequence[Entry],
    *,
    words: WordIndex | None,
    listed: Sequence[Entry],
    inside: str = "",
    links: str = "",
    after: str = "",
) -> bytes:
    """Return a page with `listed`, and a search in `entries` unless `words` is None.

    Both have the oldest first. `inside` is the folder of the page, from which its links lead;
    `links` and `after` are HTML above and below the list.
    """
    script = "index.js" if words is not None else ""
    parts = [
        page_start(title, script=script, more_style="index.css"),
        f'<h1 dir="auto">{escape(title)}</h1>\n',
        links,
    ]
    if words is not None:
        parts.append(_form(len(entries), words))
    parts += ['<main id="everything">\n', *_rows(listed, inside), after, "</main>\n"]
    if words is not None:
        parts += [_data("entries", "application/json", _encoded(entries, inside))]
        parts += [_data("words", "text/plain", words.text())]
    return "".join((*parts, page_end(script=script))).encode("utf-8", "replace")


def address(path: str, inside: str = "") -> str:
    """Return a path as it stands in a link of a page that lies in a folder of the site."""
    if not inside:
        return quote(path)
    if path.startswith(inside + "/"):
        return quote(path[len(inside) + 1 :])
    return "../" * (inside.count("/") + 1) + quote(path)


def _form(count: int, words: WordIndex) -> str:
    what = "Search in titles" if words.is_full else "Search in titles and texts"
    return (
        f'<form id="search" role="search" hidden>\n'
        f'<input type="search" id="query" autocomplete="off" dir="auto" '
        f'aria-label="{what}" placeholder="{what} of {count:,} conversations">\n'
        '<div id="filters"><button type="reset" id="reset" hidden>Show all</button></div>\n'
        '<p id="count" role="status"></p>\n</form>\n'
        '<section id="found" hidden>\n<ol id="results" class="list"></ol>\n'
        '<p><button type="button" id="more" hidden>Show more</button></p>\n</section>\n'
    )


def _rows(entries: Sequence[Entry], inside: str) -> Iterator[str]:
    """Yield the list by months, the newest first."""
    for month, group in groupby(reversed(entries), key=_month):
        heading = f'<h2 class="month">{escape(month)}</h2>'
        yield f'<section class="month">\n{heading}\n<ul class="list">\n'
        yield from (_row(each, inside) for each in group)
        yield "</ul>\n</section>\n"


def _month(entry: Entry) -> str:
    month = entry.day[:7] or "Undated"
    return f"{month} · {entry.organization}" if entry.organization else month


def _row(entry: Entry, inside: str) -> str:
    plural = "" if entry.messages == 1 else "s"
    about = [] if entry.kind == "chat" else [entry.kind]
    about += [entry.day, entry.source, f"{entry.messages:,} message{plural}", *entry.marks]
    return (
        f'<li><a href="{address(entry.path, inside)}" dir="auto">{escape(entry.title)}</a>'
        f"<small>{escape(' · '.join(filter(None, about)))}</small></li>\n"
    )


def _encoded(entries: Sequence[Entry], inside: str) -> str:
    """Return the entries as JSON, with names that recur as numbers."""
    names: dict[str, int] = {}

    def number(name: str) -> int:
        return names.setdefault(name, len(names))

    rows = [
        [
            each.title,
            address(each.path, inside),
            each.day,
            each.messages,
            list(map(number, each.models)),
            number(each.source),
            number(each.organization),
            number(each.kind),
            list(map(number, each.marks)),
            each.beginning,
        ]
        for each in entries
    ]
    return _JSON.encode({"names": list(names), "entries": rows}).decode()


def _data(name: str, kind: str, text: str) -> str:
    # No text ends the element: nothing in JSON needs "<" as it is, and words have none.
    return f'<script type="{kind}" id="{name}">{text.replace("<", chr(92) + "u003c")}</script>\n'
