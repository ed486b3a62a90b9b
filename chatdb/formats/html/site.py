"""A folder of pages: a conversation each in the folder of its year, lists of them, an index."""

import re
from collections.abc import Iterable, Iterator, Mapping
from heapq import heappush, heappushpop
from html import escape
from operator import eq

from chatdb.formats.attachment_links import with_linked_files
from chatdb.formats.base import WriteOptions, Writer
from chatdb.formats.citations import without_marks
from chatdb.formats.conversation_heads import marks_of, models_of, title_of
from chatdb.formats.files.file_names import UNDATED, folder_name
from chatdb.formats.files.folder_writing import LockedFolder, names_of
from chatdb.formats.files.selection import chosen_messages
from chatdb.formats.html.conversations import conversation_html
from chatdb.formats.html.lists import WORDS_LIMIT, address, list_page
from chatdb.formats.html.page import GENERATOR, page_end, page_start
from chatdb.formats.html.pictures import image_sources
from chatdb.formats.html.spool import Entry, Page, Spool, open_spool
from chatdb.formats.html.words import WordIndex, words_of
from chatdb.formats.kept_pictures import KeptPictures
from chatdb.formats.markdown_text import one_line
from chatdb.formats.times import is_known
from chatdb.records import Conversation

INDEX = "index.html"
LISTED = 500
"""Conversations that the index lists itself; the others are in the lists of their years."""
PAGE = 20_000
"""Conversations in one list, and the most that the index searches."""
_BEGINNING = 140
_NAVIGATION = re.compile(rb'<nav class="site".*?</nav>\n', re.DOTALL)


def write_site(
    folder: LockedFolder, options: WriteOptions, writer: Writer, records: Iterable[Conversation]
) -> None:
    """Write a page for each record, and pages that list them.

    A page that differs from the one there in its links to others only replaces it, and so does a
    list. Raises StorageError.
    """
    with open_spool() as spool:
        for name, record in names_of(writer, records):
            _spool(spool, options, name, record)
        site = _Site(folder, spool.counts())
        for page, links in _linked(spool.ordered()):
            site.add(page, *links)
        site.finish()


def _spool(spool: Spool, options: WriteOptions, name: str, record: Conversation) -> None:
    known = is_known(record.created_at)
    day = record.created_at.date().isoformat() if known else ""
    organization = record.organization or ""
    parts = [folder_name(organization)] if organization else []
    directory = "/".join([*parts, day[:4] or UNDATED])
    chosen = [each.message for each in chosen_messages(record, options)]
    title = title_of(record)
    asked = next((each for each in chosen if each.role == "user" and each.content.strip()), None)
    beginning = one_line(without_marks(asked.content[: 4 * _BEGINNING])) if asked else ""
    entry = Entry(
        title=title,
        path=f"{directory}/{name}",
        day=day,
        messages=len(chosen),
        models=models_of(record),
        source=record.source or "",
        organization=organization,
        kind=record.kind,
        marks=marks_of(record),
        beginning=_shortened(beginning),
    )
    texts = [title, *(each.content for each in chosen)]
    texts += [each.attached_text for each in chosen if each.attached_text]
    up = "../" * (directory.count("/") + 1)
    linked = with_linked_files(record, options.attachments and up + options.attachments)
    article, _ = conversation_html(linked, options, KeptPictures(options))
    page = Page(entry, article, sorted(words_of(texts)))
    spool.add(page, directory, record.created_at.isoformat(), record.id.hex)


def _shortened(line: str) -> str:
    if len(line) <= _BEGINNING:
        return line
    start = line[:_BEGINNING]
    return (start.rpartition(" ")[0] or start) + "…"


def _linked(pages: Iterator[Page]) -> Iterator[tuple[Page, tuple[Entry | None, Entry | None]]]:
    """Yield each page with the conversation before and the one after, of the same organization."""
    before: Entry | None = None
    waiting: Page | None = None
    for page in pages:
        if waiting is not None:
            is_next = waiting.entry.organization == page.entry.organization
            yield waiting, (before, page.entry if is_next else None)
            before = waiting.entry if is_next else None
        waiting = page
    if waiting is not None:
        yield waiting, (before, None)


class _Site:
    """Writes the pages as they come, one folder after another, and a list of every so many."""

    def __init__(self, folder: LockedFolder, counts: Mapping[str, int]) -> None:
        self._folder = folder
        self._counts = counts
        total = sum(counts.values())
        self._all = _Listing("") if total <= PAGE else None
        self._total = total
        self._current: _Listing | None = None
        self._lists = 0
        self._newest: list[tuple[str, int, Entry]] = []
        self._number = 0

    def add(self, page: Page, before: Entry | None, after: Entry | None) -> None:
        """Write a page with its links."""
        entry = page.entry
        inside = entry.path.rpartition("/")[0]
        links = _links(inside, before, after)
        start = page_start(entry.title, images=image_sources(page.article))
        parts = (start, links, page.article, links, page_end())
        data = "".join(parts).encode("utf-8", "replace")
        if self._folder.put(entry.path, data, eq, _differ_in_links):
            self._folder.written.count(entry.messages)
        current = self._current
        if current is None or current.inside != inside or len(current.entries) == PAGE:
            self._close_list()
            current = self._current = _Listing(inside)
        current.add(page)
        self._number += 1
        newest = (entry.day, self._number, entry)
        (heappush if len(self._newest) < LISTED else heappushpop)(self._newest, newest)

    def finish(self) -> None:
        """Write the last list, and the index."""
        self._close_list()
        listed = [entry for _, _, entry in sorted(self._newest)]
        years = [
            f'<li><a href="{address(f"{name}/{INDEX}")}">{escape(name.replace("/", " · "))}</a>'
            f" <small>{count:,}</small></li>"
            for name, count in sorted(self._counts.items(), key=_newest_first)
        ]
        links = f'<nav aria-label="Years"><ul class="years">{"".join(years)}</ul></nav>\n'
        older = self._total - len(listed)
        note = f"{older:,} older ones are in the lists of their years, above."
        listing = self._all or _Listing("")
        page = list_page(
            "Conversations",
            listing.entries,
            words=listing.words if self._all is not None else None,
            listed=listed,
            links=links,
            after=f'<p class="note">{note}</p>\n' if older else "",
        )
        self._put_list(INDEX, page)
        self._folder.written.unlisted = self._folder.count_records() - self._total

    def _close_list(self) -> None:
        """Write the list of the newest page, which is the folder's index if it is its last."""
        done, self._current = self._current, None
        if done is None:
            return
        if self._all is not None:
            self._all.extend(done)
        inside, self._lists = done.inside, self._lists + 1
        last = -(-self._counts[inside] // PAGE)
        number = self._lists
        name = INDEX if number == last else f"index-{number}.html"
        up = "../" * (inside.count("/") + 1)
        links = [f'<a href="{up}{INDEX}">All conversations</a>']
        links += [f'<a href="index-{number - 1}.html">Older ones</a>'] if number > 1 else []
        if number == last:
            self._lists = 0
        page = list_page(
            f"Conversations of {inside.replace('/', ' · ')}",
            done.entries,
            words=done.words,
            listed=done.entries,
            inside=inside,
            links=f'<nav class="site">{"".join(links)}</nav>\n',
        )
        self._put_list(f"{inside}/{name}", page)

    def _put_list(self, path: str, data: bytes) -> None:
        self._folder.put(path, data, eq, _is_ours)


class _Listing:
    """The conversations of a list, with the words by which they are found."""

    def __init__(self, inside: str) -> None:
        self.inside = inside
        self.entries: list[Entry] = []
        self.words = WordIndex(WORDS_LIMIT)

    def add(self, page: Page) -> None:
        self.words.add(len(self.entries), page.words)
        self.entries.append(page.entry)

    def extend(self, other: "_Listing") -> None:
        self.words.extend(other.words, len(self.entries))
        self.entries += other.entries


def _links(inside: str, before: Entry | None, after: Entry | None) -> str:
    links = [f'<a href="{address(INDEX, inside)}">All conversations</a>']
    for entry, relation, text in ((before, "prev", "← {}"), (after, "next", "{} →")):
        if entry is not None:
            title = text.format(f"<bdi>{escape(entry.title)}</bdi>")
            links.append(f'<a rel="{relation}" href="{address(entry.path, inside)}">{title}</a>')
    return f'<nav class="site" aria-label="Conversations">{"".join(links)}</nav>\n'


def _newest_first(folder: tuple[str, int]) -> tuple[str, bool, int]:
    organization, _, year = folder[0].rpartition("/")
    return organization, not year.isdecimal(), -int(year) if year.isdecimal() else 0


def _differ_in_links(old: bytes, new: bytes) -> bool:
    return _NAVIGATION.sub(b"", old) == _NAVIGATION.sub(b"", new)


def _is_ours(old: bytes, _: bytes) -> bool:
    return GENERATOR.encode() in old
