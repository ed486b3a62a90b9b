"""`chatdb export` of everything from SQLite against reading the same rows with a bare cursor.

Whole processes; the baseline throws the rows away. The ratio is of rows per second.

    python -m benchmarks.export_sqlite --messages 100000 --rounds 3 --large 1000000
"""

import sys
import tempfile
from pathlib import Path

from benchmarks.export_rows import Rows, fill_sqlite, measure
from benchmarks.import_rows import Run, arguments, timed

READ = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
for table in ("conversations", "messages"):
    for row in connection.execute(f"SELECT * FROM {table}"):
        pass
"""


def read_rows(path: Path) -> Run:
    """Read every row of both tables."""
    return timed((sys.executable, "-c", READ, path))


def main() -> None:
    """Print the figures."""
    options = arguments(__doc__)
    for messages in filter(None, (options.messages, options.large)):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "chatdb.db"
            url = fill_sqlite(path, Rows(messages))
            measure(
                f"{messages:,} messages out of SQLite",
                0.4,
                options.rounds,
                url,
                lambda path=path: read_rows(path),  # type: ignore[misc]
            )


if __name__ == "__main__":
    main()
