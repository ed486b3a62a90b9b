"""All that other nouns of operations may import of dumps."""

from chatdb.operations.dumps.archive import (
    Archive,
    OnBytes,
    Prepared,
    feed,
    prepared,
    schema_of,
    use_list,
)
from chatdb.operations.dumps.archive_script import archive_script
from chatdb.operations.dumps.scratch_database import scratch_database
from chatdb.operations.dumps.script import can_restrict, count_rows, run_script

__all__ = [
    "Archive",
    "OnBytes",
    "Prepared",
    "archive_script",
    "can_restrict",
    "count_rows",
    "feed",
    "prepared",
    "run_script",
    "schema_of",
    "scratch_database",
    "use_list",
]
