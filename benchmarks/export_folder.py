"""`chatdb export` to a folder of Markdown files against a plain loop that writes the same bytes.

CPU seconds of whole processes. The loop opens, writes and closes each file, and syncs none.

    python -m benchmarks.export_folder
"""

import shutil
import statistics

from benchmarks.databases import migrated_sqlite
from benchmarks.dataset import chatgpt_file
from benchmarks.measure import (
    Bench,
    Claim,
    Figure,
    Limit,
    Run,
    in_memory,
    in_turn,
    python,
    run_alone,
)

LOOP = """
import sys
from pathlib import Path
source, target = map(Path, sys.argv[1:])
target.mkdir()
for path in source.iterdir():
    data = path.read_bytes()
    with open(target / path.name, "wb") as stream:
        stream.write(data)
"""


def markdown(bench: Bench) -> Figure:
    """Export some ten thousand conversations, and write the same files by the loop."""
    url = migrated_sqlite(bench.folder / "folder.db")
    environment = {"DATABASE_URL": url.exposed()}
    path = in_memory(chatgpt_file(bench.size(300, quick=50)))
    python("-m", "chatdb", "import", "--quiet", path, **environment)
    ours, theirs = bench.folder / "notes", bench.folder / "copies"
    words = ("-m", "chatdb", "export", "--quiet", "--to", "markdown", "--output")

    def export() -> Run:
        shutil.rmtree(ours, ignore_errors=True)
        return python(*words, f"{ours}/", **environment)

    def loop() -> Run:
        shutil.rmtree(theirs, ignore_errors=True)
        return python("-c", LOOP, ours, theirs)

    export()
    sides = in_turn(bench.rounds(5, quick=2), export, loop)
    mine, other = (
        statistics.median(run.cpu for run in runs) for runs in (sides.ours, sides.theirs)
    )
    files = sum(1 for _ in ours.iterdir())
    return Figure(
        f"folder of {files:,} files: {mine:.2f} s of CPU",
        f"plain loop: {other:.2f} s",
        mine / other,
    )


CLAIMS = (Claim("export-folder-markdown", Limit("at most", 3.0), markdown, needs_size=True),)

if __name__ == "__main__":
    run_alone(CLAIMS)
