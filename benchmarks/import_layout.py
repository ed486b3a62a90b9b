"""`chatdb import` of another live PostgreSQL against the import of the same rows as a file.

Relay's database stands for all: three tables, joined and sorted by the server. Whole processes,
into empty migrated databases; the ratio is of rows per second.

    python -m benchmarks.import_layout
"""

from functools import cache
from typing import TYPE_CHECKING, Any

from benchmarks.databases import chatdb_import, fresh_postgresql, imported_postgresql
from benchmarks.dataset import native_file
from benchmarks.measure import (
    Bench,
    Claim,
    Figure,
    Limit,
    Run,
    in_turn,
    memory_figure,
    python,
    run_alone,
    speed_figure,
)
from chatdb.db.connect import connect_postgresql
from chatdb.db.url import DatabaseUrl
from tests.layouts.relay_database import TABLES

if TYPE_CHECKING:
    import psycopg

_INDEX = "CREATE INDEX messages_chat_id_created_at ON messages (chat_id, created_at)"


def from_relay(bench: Bench) -> Figure:
    """Import as many messages from Relay's tables as from a native file."""
    messages = bench.size(100_000, quick=20_000)
    source = relay_of(bench, messages)

    def ours() -> Run:
        with fresh_postgresql(bench) as url:
            return _import(url, source)

    def theirs() -> Run:
        with fresh_postgresql(bench) as url:
            return chatdb_import(url, native_file(messages))

    sides = in_turn(bench.rounds(3, quick=2), ours, theirs)
    return speed_figure(sides, f"import of {messages:,} from Relay", "import of a native file")


def memory(bench: Bench) -> Figure:
    """Compare the peaks of a large and a small import from Relay's tables."""

    def peak(messages: int) -> tuple[int, int]:
        with fresh_postgresql(bench) as url:
            return messages, _import(url, relay_of(bench, messages)).peak

    large, small = bench.size(1_000_000, quick=100_000), bench.size(100_000, quick=20_000)
    return memory_figure("import from Relay", peak(large), peak(small))


@cache
def relay_of(bench: Bench, messages: int) -> DatabaseUrl:
    """Return a Relay database with the rows of the native file."""
    loaded, _ = imported_postgresql(bench, messages)
    name = f"relay_{messages}"
    bench.server.execute(f"CREATE DATABASE {name}")
    url = bench.server.url(name)
    with connect_postgresql(url, autocommit=True) as connection:
        for statement in (*TABLES, _INDEX):
            connection.execute(statement.encode())
        _copy(
            loaded,
            connection,
            "SELECT id, left(coalesce(title, ''), 255), 'relay', 'acme/relay', created_at,"
            " updated_at, updated_at, NULL::integer, NULL, NULL, false FROM conversations",
            "COPY chats FROM STDIN",
        )
        _copy(
            loaded,
            connection,
            "SELECT id, conversation_id, CASE role WHEN 'assistant' THEN 'claude'"
            " WHEN 'tool' THEN 'function_result' ELSE role END, content, metadata, created_at"
            " FROM messages",
            "COPY messages FROM STDIN",
        )
        connection.execute("VACUUM ANALYZE")
    return url


def _copy(
    source: DatabaseUrl, target: "psycopg.Connection[Any]", query: str, statement: str
) -> None:
    with (
        connect_postgresql(source) as reading,
        reading.cursor().copy(f"COPY ({query}) TO STDOUT".encode()) as rows,
        target.cursor().copy(statement.encode()) as copy,
    ):
        for block in rows:
            copy.write(block)


def _import(url: DatabaseUrl, source: DatabaseUrl) -> Run:
    command = ("-m", "chatdb", "import", "--quiet", source.exposed())
    return python(*command, DATABASE_URL=url.exposed())


CLAIMS = (
    Claim("import-layout", Limit("at least", 0.7), from_relay, needs_size=True),
    Claim("import-layout-memory", Limit("at most", 1.2), memory),
)

if __name__ == "__main__":
    run_alone(CLAIMS)
