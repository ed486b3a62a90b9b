"""Search by meaning at 100,000 messages: building the vectors, and hybrid searches of one user.

    python -m benchmarks.meaning

One user has half of the messages, one a fifth. The queries are pieces of messages. A search is
measured whole, with its connections and the vector of its text, but without loading the model.
Recall is that of pgvector's index against comparing every vector.
"""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import islice

import sqlalchemy as sa

from benchmarks.databases import imported_postgresql, imported_sqlite
from benchmarks.dataset import native_file
from benchmarks.measure import Bench, Claim, Figure, Limit, Run, python, run_alone
from chatdb.db.database import Database
from chatdb.db.schema import conversations, messages
from chatdb.db.url import DatabaseUrl
from chatdb.formats import native
from chatdb.formats.base import Tally
from chatdb.formats.files.sources import open_source
from chatdb.operations.embeddings.index import build_index
from chatdb.operations.embeddings.models import Model, open_model
from chatdb.operations.searching.meaning import Meaning, search_by_meaning
from chatdb.operations.searching.search import SearchOptions
from chatdb.records import Conversation
from tests.operations.copying import Watch

HALF, FIFTH = "half", "fifth"
QUERIES = 20
_WORDS = 8


def build_on_sqlite(bench: Bench) -> Figure:
    """Measure how many messages a second `embeddings build` takes."""
    return _built(bench, imported_sqlite(bench, _messages(bench))[0])


def build_on_postgresql(bench: Bench) -> Figure:
    """Measure the same on PostgreSQL."""
    return _built(bench, imported_postgresql(bench, _messages(bench))[0])


def hybrid_on_sqlite(bench: Bench) -> Figure:
    """Measure a hybrid search among a fifth of the messages, all of whose vectors are compared."""
    return _hybrid(bench, _sqlite(bench), FIFTH)


def hybrid_on_postgresql(bench: Bench) -> Figure:
    """Measure the same on PostgreSQL, at the most that are compared if there is an index."""
    return _hybrid(bench, _postgresql(bench), FIFTH)


def hybrid_by_index(bench: Bench) -> Figure:
    """Measure a hybrid search among half of the messages, by pgvector's index."""
    return _hybrid(bench, _postgresql(bench), HALF)


def recall_of_index(bench: Bench) -> Figure:
    """Compare the ten nearest that the index finds among half of the messages with the exact."""
    url = _postgresql(bench)
    with Database.open(url, keep=True) as database:
        near = [_found(database, text) for text in _queries(bench)]
        with _without_index(database):
            exact = [_found(database, text) for text in _queries(bench)]
    hits = sum(len(set(one) & set(other)) for one, other in zip(near, exact, strict=True))
    wanted = sum(map(len, exact))
    return Figure(f"{hits} of {wanted} found", f"{QUERIES} queries, ten hits each", hits / wanted)


def _messages(bench: Bench) -> int:
    return bench.size(100_000, quick=10_000)


def _built(bench: Bench, url: DatabaseUrl) -> Figure:
    """Build whole commands of all vectors, from nothing each time."""
    count, speeds, spent = _messages(bench), [], []
    for _ in range(bench.rounds(3, quick=1)):
        run = _run(url, "build")
        _run(url, "drop", "--yes")
        speeds.append(count / run.seconds)
        spent.append(run.cpu)
    speed = statistics.median(speeds)
    cpu = statistics.median(spent)
    return Figure(f"{count:,} messages: {count / speed:.1f} s", f"CPU {cpu:.1f} s", speed)


def _run(url: DatabaseUrl, *words: str) -> Run:
    command = ("-m", "chatdb", "--quiet", "embeddings", *words)
    return python(*command, DATABASE_URL=url.exposed())


@cache
def _sqlite(bench: Bench) -> DatabaseUrl:
    return _prepared(imported_sqlite(bench, _messages(bench))[0])


@cache
def _postgresql(bench: Bench) -> DatabaseUrl:
    url = imported_postgresql(bench, _messages(bench))[0]
    bench.server.execute("CREATE EXTENSION IF NOT EXISTS vector", database=url.database)
    _prepared(url)
    with Database.open(url) as database:
        build_index(database, "wordllama", Watch())
    bench.server.execute("VACUUM ANALYZE", database=url.database)
    return url


def _prepared(url: DatabaseUrl) -> DatabaseUrl:
    """Build the vectors, and give half of the messages to one user, a fifth to another."""
    _run(url, "build")
    m, c = messages.c, conversations.c
    with Database.open(url) as database, database.transaction(write=True) as connection:
        counted = sa.select(m.conversation_id, sa.func.count()).group_by(m.conversation_id)
        sizes = connection.execute(counted.order_by(m.conversation_id)).fetchall()
        total, sum_of = sum(size for _, size in sizes), 0
        owned: dict[str, list[object]] = {HALF: [], FIFTH: []}
        for identifier, size in sizes:
            sum_of += size
            share = sum_of / total
            if share <= 0.7:
                owned[HALF if share <= 0.5 else FIFTH].append(identifier)
        for user, ids in owned.items():
            change = sa.update(conversations).where(c.id == sa.bindparam("which", type_=c.id.type))
            connection.execute(change.values(user_id=user), [{"which": each} for each in ids])
    return url


@cache
def _model() -> Model:
    return open_model("wordllama")


@cache
def _queries(bench: Bench) -> tuple[str, ...]:
    """Return pieces of messages, far apart in the file."""
    texts = islice(_texts(_messages(bench)), 0, None, _messages(bench) // (QUERIES + 1))
    pieces = (" ".join(text.split()[:_WORDS]) for text in texts)
    return tuple(islice((piece for piece in pieces if piece), QUERIES))


def _texts(count: int) -> Iterator[str]:
    with open_source(native_file(count)) as source:
        for record in native.reader.read(source, Tally()):
            assert isinstance(record, Conversation)
            for message in record.messages:
                yield message.content


def _hybrid(bench: Bench, url: DatabaseUrl, user: str) -> Figure:
    _model().embed_query("a first text")
    spent = []
    with Database.open(url, keep=True) as database:
        for _ in range(bench.rounds(3, quick=1)):
            for text in _queries(bench):
                query = " ".join(text.split()[:2]) + f" user:{user}"
                started = time.perf_counter()
                page = search_by_meaning(
                    database,
                    query,
                    organization_key="default",
                    options=SearchOptions(limit=10),
                    meaning=Meaning(model=_model(), like=text, hybrid=True),
                )
                spent.append(1000 * (time.perf_counter() - started))
                assert page.hits
    middle, last = statistics.median(spent), sorted(spent)[int(len(spent) * 0.95)]
    return Figure(f"{middle:.0f} ms", f"95 of 100 within {last:.0f} ms", middle)


def _found(database: Database, text: str) -> list[object]:
    page = search_by_meaning(
        database,
        f"user:{HALF}",
        organization_key="default",
        options=SearchOptions(limit=10),
        meaning=Meaning(model=_model(), like=text),
    )
    return [hit.message_id for hit in page.hits]


@contextmanager
def _without_index(database: Database) -> Iterator[None]:
    with database.transaction(write=True) as connection:
        database.dialect.vectors().drop_index(connection, "wordllama")
    yield
    build_index(database, "wordllama", Watch())


CLAIMS = (
    Claim("build-embeddings-sqlite", Limit("at least", 4_000.0), build_on_sqlite, needs_size=True),
    Claim(
        "build-embeddings-postgresql",
        Limit("at least", 4_000.0),
        build_on_postgresql,
        needs_size=True,
    ),
    Claim("hybrid-sqlite", Limit("under", 200.0), hybrid_on_sqlite),
    Claim("hybrid-postgresql", Limit("under", 200.0), hybrid_on_postgresql),
    Claim("hybrid-pgvector", Limit("under", 200.0), hybrid_by_index),
    Claim("recall-pgvector", Limit("at least", 0.95), recall_of_index),
)

if __name__ == "__main__":
    run_alone(CLAIMS)
