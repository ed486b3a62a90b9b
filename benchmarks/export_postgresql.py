"""`chatdb export` of everything from PostgreSQL against `COPY (same rows) TO STDOUT` to a file.

Whole processes, psql for the baseline. The ratio is of rows per second.

    python -m benchmarks.export_postgresql --messages 100000 --rounds 3 --large 1000000
"""

import tempfile
from pathlib import Path

from benchmarks.export_rows import Rows, fill_postgresql, measure
from benchmarks.import_rows import Run, arguments, timed
from benchmarks.postgres import benchmark_server
from chatdb.db.url import DatabaseUrl
from tests.postgres_server import PASSWORD, PostgresServer

TABLES = ("conversations", "messages")


def psql_copy(server: PostgresServer, url: DatabaseUrl, output: Path) -> Run:
    """Write the rows of both tables to a file by psql, in the order they lie in."""
    words: list[str | Path] = [
        server.binaries / "psql",
        "-X",
        "-q",
        "-v",
        "ON_ERROR_STOP=1",
        "-o",
        output,
    ]
    for table in TABLES:
        words += ["-c", f"COPY (SELECT * FROM {table}) TO STDOUT"]
    return timed(
        words,
        PGHOST=url.host,
        PGPORT=url.port,
        PGUSER=url.user,
        PGPASSWORD=PASSWORD,
        PGDATABASE=url.database,
    )


def main() -> None:
    """Print the figures."""
    options = arguments(__doc__)
    with benchmark_server() as server, tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "baseline.copy"
        for messages in filter(None, (options.messages, options.large)):
            with server.new_database() as url:
                fill_postgresql(url, Rows(messages))
                measure(
                    f"{messages:,} messages out of PostgreSQL",
                    0.5,
                    options.rounds,
                    url,
                    lambda url=url: psql_copy(server, url, output),  # type: ignore[misc]
                )


if __name__ == "__main__":
    main()
