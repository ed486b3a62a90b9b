"""What a search takes of the database at 1,000,000 messages: rare and common words, on both.

A phrase of common words and words that no index has are bounded by `--timeout` alone: with a
second to spend they answer or say that they were ended, in little more than that.

    python -m benchmarks.search

The words are taken from the messages themselves: a rare one is in about 200 of a million, a
common one in a third or more of them.
"""

import time
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import islice, pairwise

from benchmarks.databases import app_url, imported_postgresql, imported_sqlite, time_in_database
from benchmarks.dataset import native_file
from benchmarks.measure import Bench, Claim, Figure, Limit, run_alone
from chatdb.db.database import Database
from chatdb.errors import DatabaseFailedError
from chatdb.formats import native
from chatdb.formats.base import Tally
from chatdb.formats.files.sources import open_source
from chatdb.operations.searching.search import SearchOptions, search
from chatdb.records import Conversation, organization_id_of

SAMPLE = 20_000
"""Messages looked at for words."""
LIMIT = 20


def rare_on_sqlite(bench: Bench) -> Figure:
    """Measure a rare word on SQLite."""
    return _on_sqlite(bench, _words(bench)[0])


def common_on_sqlite(bench: Bench) -> Figure:
    """Measure a common word on SQLite."""
    return _on_sqlite(bench, _words(bench)[1])


def rare_on_postgresql(bench: Bench) -> Figure:
    """Measure a rare word on PostgreSQL."""
    return _on_postgresql(bench, _words(bench)[0])


def common_on_postgresql(bench: Bench) -> Figure:
    """Measure a common word on PostgreSQL."""
    return _on_postgresql(bench, _words(bench)[1])


def bound_on_sqlite(bench: Bench) -> Figure:
    """Measure what a time limit leaves of slow searches on SQLite."""
    url, _ = imported_sqlite(bench, _messages(bench))
    with Database.open(url) as database:
        return _bounded(bench, database)


def bound_on_postgresql(bench: Bench) -> Figure:
    """Measure what a time limit leaves of slow searches on PostgreSQL."""
    url, _ = imported_postgresql(bench, _messages(bench))
    with Database.open(url) as database:
        return _bounded(bench, database)


def _bounded(bench: Bench, database: Database) -> Figure:
    """Search for a phrase of common words, and a Chinese word that is nowhere, within a second."""
    options = SearchOptions(limit=LIMIT, timeout_seconds=1.0)
    spent, said = [], []
    for words in (_words(bench)[2], "学习"):
        started = time.perf_counter()
        try:
            search(database, words, organization_key="default", options=options)
        except DatabaseFailedError:
            said.append(f"{words}: ended")
        else:
            said.append(f"{words}: answered")
        spent.append(time.perf_counter() - started)
    return Figure(", ".join(said), f"seconds: {max(spent):.2f}", max(spent))


def rare_as_app(bench: Bench) -> Figure:
    """Measure a rare word as a role that row-level security binds."""
    return _as_app(bench, _words(bench)[0])


def common_as_app(bench: Bench) -> Figure:
    """Measure a common word as a role that row-level security binds."""
    return _as_app(bench, _words(bench)[1])


def _messages(bench: Bench) -> int:
    return bench.size(1_000_000, quick=20_000)


def _on_sqlite(bench: Bench, words: str) -> Figure:
    url, _ = imported_sqlite(bench, _messages(bench))
    with Database.open(url) as database:
        return _search(bench, database, words)


def _on_postgresql(bench: Bench, words: str) -> Figure:
    url, _ = imported_postgresql(bench, _messages(bench))
    with Database.open(url) as database:
        return _search(bench, database, words)


def _as_app(bench: Bench, words: str) -> Figure:
    with Database.open(app_url(bench, _messages(bench))) as database:
        return _search(bench, database.for_tenant(organization_id_of("default")), words)


def _search(bench: Bench, database: Database, words: str) -> Figure:
    options = SearchOptions(limit=LIMIT)

    def work() -> int:
        page = search(database, words, organization_key="default", options=options)
        return len(page.hits)

    assert work() > 0
    figure = time_in_database(bench, database, work)
    return Figure(f"{words}: {figure.ours}", figure.theirs, figure.ratio)


@cache
def _words(bench: Bench) -> tuple[str, str, str]:
    """Return a rare word, a common one, and a phrase of two common ones."""
    found: Counter[str] = Counter()
    pairs: Counter[str] = Counter()
    for text in islice(_texts(_messages(bench)), SAMPLE):
        words = text.split()
        plain = {word for word in words if word.isascii() and word.isalpha() and len(word) > 3}
        found.update(plain)
        for one, other in pairwise(words):
            if one in plain and other in plain and one != other:
                pairs[f'"{one} {other}"'] += 1
    by_rarity = sorted(found, key=lambda word: (found[word], word))
    rare = next(word for word in by_rarity if found[word] >= 2)
    return rare, by_rarity[-1], max(sorted(pairs), key=pairs.__getitem__)


def _texts(messages: int) -> Iterator[str]:
    with open_source(native_file(messages)) as source:
        for record in native.reader.read(source, Tally()):
            assert isinstance(record, Conversation)
            for message in record.messages:
                yield message.content


CLAIMS = (
    Claim("search-rare-sqlite", Limit("under", 60.0), rare_on_sqlite),
    Claim("search-common-sqlite", Limit("under", 150.0), common_on_sqlite),
    Claim("search-bound-sqlite", Limit("under", 1.5), bound_on_sqlite),
    Claim("search-rare-postgresql", Limit("under", 60.0), rare_on_postgresql),
    Claim("search-common-postgresql", Limit("under", 150.0), common_on_postgresql),
    Claim("search-bound-postgresql", Limit("under", 1.5), bound_on_postgresql),
    Claim("search-rare-postgresql-app", Limit("under", 60.0), rare_as_app),
    Claim("search-common-postgresql-app", Limit("under", 150.0), common_as_app),
)

if __name__ == "__main__":
    run_alone(CLAIMS)
