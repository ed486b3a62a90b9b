"""`chatdb import` into SQLite against `sqlite3.executemany` of ready tuples.

The baseline inserts into the same tables in one transaction, with triggers and FTS5 in place;
unpickling the tuples is not timed.

    python -m benchmarks.import_sqlite --messages 100000 --rounds 3 --large 1000000
"""

import pickle
import shutil
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.import_rows import (
    Run,
    arguments,
    chatdb_import,
    compare,
    native_file,
    pickled_rows,
    timed,
)
from chatdb.db.database import Database
from chatdb.db.dialects.bulk import CONVERSATION_COLUMNS, MESSAGE_COLUMNS
from chatdb.db.migrations import upgrade
from chatdb.db.url import DatabaseUrl


def executemany(database: str, rows: str) -> None:
    """Insert pickled rows, the baseline, and print the seconds it took."""
    conversations, messages = pickle.loads(Path(rows).read_bytes())  # noqa: S301 - our own file
    connection = sqlite3.connect(database, isolation_level=None)
    started = time.perf_counter()
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("BEGIN")
    for table, columns, values in (
        ("conversations", CONVERSATION_COLUMNS, conversations),
        ("messages", MESSAGE_COLUMNS, messages),
    ):
        marks = ", ".join("?" * len(columns))
        connection.executemany(
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", values
        )
    connection.execute("COMMIT")
    Path(database + ".seconds").write_text(str(time.perf_counter() - started))
    connection.close()


def main() -> None:
    """Print the figures."""
    options = arguments(__doc__)
    folder = Path(tempfile.mkdtemp(prefix="chatdb-bench-"))
    template = folder / "template.db"
    with Database.open(DatabaseUrl(dialect_name="sqlite", path=template), create=True) as database:
        upgrade(database)

    def fresh() -> Path:
        path = folder / "chatdb.db"
        for suffix in ("", "-wal", "-shm", ".seconds"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        shutil.copy(template, path)
        return path

    try:
        for messages in filter(None, (options.messages, options.large)):
            source = native_file(messages)
            pickled = pickled_rows(source)

            def theirs(pickled: Path = pickled) -> Run:
                path = fresh()
                module = "benchmarks.import_sqlite"
                run = timed((sys.executable, "-m", module, "--baseline", path, pickled))
                seconds = Path(f"{path}.seconds").read_text()
                return Run(float(seconds), run.megabytes)

            def ours(source: Path = source) -> Run:
                return chatdb_import(f"sqlite:///{fresh()}", source)

            compare(f"{messages:,} messages into SQLite", 2.8, options.rounds, ours, theirs)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--baseline"]:
        executemany(*sys.argv[2:4])
    else:
        main()
