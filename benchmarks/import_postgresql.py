"""`chatdb import` into PostgreSQL against `psql \\copy` of the same rows, already formatted.

The baseline runs with `chatdb.bulk = on`, so that the trigger that keeps `updated_at` costs it
nothing. Times are of whole processes; the ratio is of rows per second.

    python -m benchmarks.import_postgresql --messages 100000 --rounds 3 --large 1000000
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.import_rows import (
    Run,
    arguments,
    chatdb_import,
    compare,
    copy_files,
    native_file,
    timed,
)
from benchmarks.postgres import benchmark_server
from chatdb.db.dialects.bulk import CONVERSATION_COLUMNS, MESSAGE_COLUMNS
from chatdb.db.url import DatabaseUrl
from tests.postgres_server import PASSWORD, TEMPLATE, PostgresServer

WITHOUT_INDEX = "template_without_index"
LOADED = "template_loaded"


def psql_copy(server: PostgresServer, url: DatabaseUrl, path: Path) -> Run:
    """Load the rows by psql."""
    conversations, messages = copy_files(path)
    tables = (
        ("conversations", CONVERSATION_COLUMNS, conversations),
        ("messages", MESSAGE_COLUMNS, messages),
    )
    words = [f"\\copy {name} ({', '.join(columns)}) from {file}" for name, columns, file in tables]
    return timed(
        (server.binaries / "psql", "-X", "-v", "ON_ERROR_STOP=1", "-c", words[0], "-c", words[1]),
        PGHOST=url.host,
        PGPORT=url.port,
        PGUSER=url.user,
        PGPASSWORD=PASSWORD,
        PGDATABASE=url.database,
        PGOPTIONS="-c chatdb.bulk=on",
    )


@contextmanager
def fresh(server: PostgresServer, template: str) -> Iterator[DatabaseUrl]:
    """Make a database for one run, after what the run before left to write is written."""
    with server.new_database(template=template) as url:
        server.execute("CHECKPOINT")
        yield url


def main() -> None:
    """Print the figures."""
    options = arguments(__doc__)
    path = native_file(options.messages)
    copy_files(path)
    with benchmark_server() as server:

        def theirs(template: str, source: Path) -> Run:
            with fresh(server, template) as url:
                return psql_copy(server, url, source)

        def ours(template: str, source: Path, *words: str) -> Run:
            with fresh(server, template) as url:
                return chatdb_import(url.exposed(), source, *words)

        count = f"{options.messages:,} messages"
        compare(
            f"{count} into an empty PostgreSQL",
            1.3,
            options.rounds,
            lambda: ours(TEMPLATE, path),
            lambda: theirs(TEMPLATE, path),
        )
        server.execute(f"CREATE DATABASE {LOADED} TEMPLATE {TEMPLATE}")
        psql_copy(server, server.url(LOADED), native_file(options.messages, seed=2))
        server.execute("VACUUM ANALYZE", database=LOADED)
        compare(
            f"{count} into a PostgreSQL that holds as many",
            0.9,
            options.rounds,
            lambda: ours(LOADED, path),
            lambda: theirs(LOADED, path),
        )
        server.execute(f"CREATE DATABASE {WITHOUT_INDEX} TEMPLATE {TEMPLATE}")
        server.execute("DROP INDEX ix_messages_content_search", database=WITHOUT_INDEX)
        for messages in filter(None, (options.messages, options.large)):
            source = native_file(messages)
            copy_files(source)

            def without(source: Path = source) -> Run:
                return ours(TEMPLATE, source, "--no-search-index")

            compare(
                f"{messages:,} messages without the full-text index",
                0.8,
                options.rounds,
                without,
                lambda source=source: theirs(WITHOUT_INDEX, source),  # type: ignore[misc]
            )


if __name__ == "__main__":
    main()
