"""`chatdb import` of another live PostgreSQL against the import of the same rows as a file.

A database of each system, written by `chatdb export --to`. Whole processes, into empty migrated
databases; the ratio is of rows per second. Every row of the source must be in the report.

    python -m benchmarks.import_layout
"""

import json
import tempfile
from functools import cache, partial
from pathlib import Path
from typing import Any

from benchmarks import open_webui_tables
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
from chatdb.layouts.recognising import systems
from chatdb.layouts.registry import is_written

FILLED = {"open-webui": open_webui_tables.fill}
"""Systems whose databases chatdb does not write: what fills them from the file that it does."""


def from_layout(name: str, bench: Bench) -> Figure:
    """Import as many messages from a system's tables as from a native file."""
    messages = bench.size(100_000, quick=20_000)
    source = database_of(bench, name, messages)

    def ours() -> Run:
        with fresh_postgresql(bench) as url:
            return import_of(url, source, messages)

    def theirs() -> Run:
        with fresh_postgresql(bench) as url:
            return chatdb_import(url, native_file(messages))

    sides = in_turn(bench.rounds(3, quick=2), ours, theirs)
    return speed_figure(sides, f"import of {messages:,} from {name}", "import of a native file")


def memory(bench: Bench) -> Figure:
    """Compare the peaks of a large and a small import from Relay's tables."""

    def peak(messages: int) -> tuple[int, int]:
        with fresh_postgresql(bench) as url:
            return messages, import_of(url, database_of(bench, "relay", messages), messages).peak

    large, small = bench.size(1_000_000, quick=100_000), bench.size(100_000, quick=20_000)
    return memory_figure("import from relay", peak(large), peak(small))


@cache
def database_of(bench: Bench, name: str, messages: int) -> DatabaseUrl:
    """Return a database of a system with the conversations of the native file."""
    loaded, _ = imported_postgresql(bench, messages)
    database = f"{name.replace('-', '_')}_{messages}"
    bench.server.execute(f"CREATE DATABASE {database}")
    url = bench.server.url(database)
    words = ("-m", "chatdb", "export", "--quiet", "--to", name, "--include-hidden", "--output")
    if is_written(name):
        python(*words, url.exposed(), DATABASE_URL=loaded.exposed())
    else:  # It is written as a file only, from which its own importer fills the tables.
        with tempfile.TemporaryDirectory() as folder:
            python(*words, Path(folder, "chats.json"), DATABASE_URL=loaded.exposed())
            FILLED[name](url, Path(folder, "chats.json"))
    bench.server.execute("VACUUM ANALYZE", database=database)
    return url


def import_of(url: DatabaseUrl, source: DatabaseUrl, messages: int) -> Run:
    """Run `chatdb import` of a system's database; every row of it must be in the report."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        command = ("-m", "chatdb", "import", "--quiet", "--report", report, source.exposed())
        run = python(*command, DATABASE_URL=url.exposed())
        _account_for(json.loads(report.read_bytes()), source, messages)
    return run


def _account_for(report: dict[str, Any], source: DatabaseUrl, messages: int) -> None:
    """Raise RuntimeError if a row of the source is not told of, or a message is missing."""
    if report["counts"]["messages_new"] != messages:
        raise RuntimeError(f"{report['counts']['messages_new']} of {messages} messages came over")
    with connect_postgresql(source) as connection:
        for table, told in report["files"][0]["rows"].items():
            row = connection.execute(f'SELECT count(*) FROM "{table}"'.encode()).fetchone()
            accounted = told["imported"] + told["merged"] + told["skipped"]
            if row is None or not row[0] == told["read"] == accounted:
                raise RuntimeError(f"{table}: the source has {row}, the report {told}")


CLAIMS = (
    *(
        Claim(
            f"import-{known.name}",
            Limit("at least", 0.7 if known.writes else 0.6),
            partial(from_layout, known.name),
            needs_size=True,
        )
        for known in systems()
        if known.writes or known.name in FILLED
    ),
    Claim("import-layout-memory", Limit("at most", 1.2), memory),
)

if __name__ == "__main__":
    run_alone(CLAIMS)
