"""Citations inside ChatGPT's texts: from marks that name a pointer to numbered links.

A mark is U+E200, a kind and its pointers parted by U+E202, and U+E201; or `【8†source】`. What a
pointer leads to stands in the message's metadata, as its export has it.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

import msgspec

from chatdb.formats.markdown_text import heading_text, one_line
from chatdb.records import Message

_MARK = re.compile("\ue200([^\ue200\ue201]*)\ue201|【(\\d+)(?::\\d+)?†[^】\n]*】")
_PRIVATE_MARK = re.compile("\ue200[^\ue200\ue201]*\ue201")
_OTHERS = re.compile("\ue200[^\ue200\ue201\\s]*\\Z|[\ue200-\ue206]")
"""What a text cut short leaves of a mark, and marks around words, which stay."""
_SIGNS = ("【", "\ue200", "\ue203")
_POINTER = re.compile(r"turn(\d+)([a-z_]+)(\d+)")
_IPV6 = re.compile(r"\[[0-9a-fA-F:.]+\](?::\d+)?")
_SAFE = "!#$%&'*+,-./:;=?@_~"
"""What an address keeps: neither brackets nor spaces, which would end the link."""

Fields = dict[str, Any]


def with_links(message: Message) -> str:
    """Return the content with numbered links in place of its citations; usually the content.

    A mark of which nothing is known vanishes; `【8†source】`, which can be read, stays.
    """
    content = message.content
    # One search for each: many times faster than a pattern, and most texts have none.
    if content.isascii() or not any(each in content for each in _SIGNS):
        return content
    links = _Links(message)
    return _OTHERS.sub("", _MARK.sub(links.of, content))


def with_numbers(message: Message) -> tuple[str, list[str]]:
    """Return the content with a number in place of each citation, and the numbered addresses."""
    content = message.content
    if content.isascii() or not any(each in content for each in _SIGNS):
        return content, []
    links = _Links(message, numbers_only=True)
    return _OTHERS.sub("", _MARK.sub(links.of, content)), links.addresses


def without_marks(text: str) -> str:
    """Return a text without the marks of its citations, for a line that has no room for links."""
    return _OTHERS.sub("", _PRIVATE_MARK.sub("", text))


class _Links:
    """What the citations of one message lead to; equal addresses share a number."""

    def __init__(self, message: Message, *, numbers_only: bool = False) -> None:
        self._numbers_only = numbers_only
        self._known: dict[str, list[str]] = {}
        self._numbers: dict[str, int] = {}
        raw = message.metadata.get("metadata")
        found = raw if isinstance(raw, dict) else {}
        for reference in _objects(found.get("content_references")):
            self._learn(reference.get("matched_text"), _addresses(reference))
            for item in _objects(reference.get("items")):
                for pointer in _objects(item.get("refs")):
                    self._learn(_pointer_name(pointer), _addresses(item))
        for group in _objects(found.get("search_result_groups")):
            for entry in _objects(group.get("entries")):
                self._learn(_pointer_name(entry.get("ref_id")), _addresses(entry))
        for citation in _objects(found.get("citations")):
            self._learn_citation(citation, message.content)

    @property
    def addresses(self) -> list[str]:
        """The addresses that were given a number, in their order."""
        return list(self._numbers)

    def of(self, mark: re.Match[str]) -> str:
        """Return what stands in place of a mark."""
        whole, inside, number = mark[0], mark[1], mark[2]
        addresses = self._known.get(whole) or self._known.get(f"#{number}", [])
        if inside is None:
            return self._numbered(addresses) or whole
        kind, *pointers = inside.split("\ue202")
        if not addresses:
            named = (f"turn{a}{b}{c}" for each in pointers for a, b, c in _POINTER.findall(each))
            addresses = [address for name in named for address in self._known.get(name, [])]
        return self._numbered(addresses) or _words(kind, pointers)

    def _learn(self, name: Any, addresses: Iterable[str]) -> None:
        if isinstance(name, str) and name:
            known = self._known.setdefault(name, [])
            known += [address for address in addresses if address not in known]

    def _learn_citation(self, citation: Fields, content: str) -> None:
        about = citation.get("metadata")
        if not isinstance(about, dict):
            return
        addresses = list(_addresses(about))
        start, end = citation.get("start_ix"), citation.get("end_ix")
        if isinstance(start, int) and isinstance(end, int) and 0 <= start < end:
            self._learn(content[start:end], addresses)
        extra = about.get("extra")
        if isinstance(extra, dict) and isinstance(extra.get("cited_message_idx"), int):
            self._learn(f"#{extra['cited_message_idx']}", addresses)

    def _numbered(self, addresses: Iterable[str]) -> str:
        links = []
        for address in dict.fromkeys(addresses):
            number = self._numbers.setdefault(address, len(self._numbers) + 1)
            links.append(f"[{number}]" if self._numbers_only else f"[[{number}]]({address})")
        return " ".join(links)


def _objects(value: Any) -> Iterator[Fields]:
    if isinstance(value, list):
        yield from (each for each in value if isinstance(each, dict))


def _pointer_name(value: Any) -> str | None:
    """Return `turn0search3` for a pointer in fields."""
    if not isinstance(value, dict):
        return None
    return "turn{turn_index}{ref_type}{ref_index}".format_map(_Missing(value))


class _Missing(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "?"


def _addresses(reference: Fields) -> Iterator[str]:
    """Yield the web addresses of a reference, ready to stand in a link."""
    for each in (reference, *_objects(reference.get("items")), *_objects(reference.get("sources"))):
        for found in (each, *_objects(each.get("supporting_websites"))):
            url = found.get("url")
            if isinstance(url, str) and url.startswith(("https://", "http://")):
                yield _linkable(url)


def _linkable(url: str) -> str:
    """Return an address whose brackets and spaces cannot end the link, but for those of IPv6."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    kept = _SAFE + "[]" if _IPV6.fullmatch(host) else _SAFE
    host = quote(host, safe=kept, errors="replace")
    return f"{scheme}://{host}{slash}{quote(path, safe=_SAFE, errors='replace')}"


def _words(kind: str, parts: list[str]) -> str:
    """Return the words in a mark that is no citation: the name of a thing, the text of a link."""
    if kind == "entity" and parts:
        try:
            names = msgspec.json.decode(parts[0])
        except msgspec.DecodeError:
            return ""
        named = isinstance(names, list) and len(names) > 1 and isinstance(names[1], str)
        return names[1] if named else ""
    if kind == "url" and parts:
        text, address = parts[0], parts[-1]
        if address.startswith(("https://", "http://")):
            return f"[{heading_text(one_line(text))}]({_linkable(address)})"
        return text
    return ""
