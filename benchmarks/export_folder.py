"""`chatdb export` to a folder of Markdown files against a plain loop that writes the same bytes.

CPU seconds of whole processes. The loop opens, writes and closes each file, and syncs none. Both
write into a new folder each time, and all are deleted at the end: for each new file ext4 passes the
inodes of files deleted in the last seconds one by one, which would be most of the loop's time.

    python -m benchmarks.export_folder
"""

from itertools import count
from pathlib import Path
from statistics import median

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
    folders = (bench.folder / f"folder-{number}" for number in count())
    words = ("-m", "chatdb", "export", "--quiet", "--to", "markdown", "--output")

    def export_to(folder: Path) -> Run:
        return python(*words, f"{folder}/", **environment)

    exported = next(folders)
    export_to(exported)
    sides = in_turn(
        bench.rounds(5, quick=2),
        lambda: export_to(next(folders)),
        lambda: python("-c", LOOP, exported, next(folders)),
    )
    mine, other = ([run.cpu for run in runs] for runs in (sides.ours, sides.theirs))
    files = sum(1 for _ in exported.iterdir())
    return Figure(
        f"folder of {files:,} files: CPU {median(mine):.2f} s (least {min(mine):.2f})",
        f"plain loop: {median(other):.2f} s (least {min(other):.2f})",
        median(mine) / median(other),
    )


CLAIMS = (Claim("export-folder-markdown", Limit("at most", 3.0), markdown, needs_size=True),)

if __name__ == "__main__":
    run_alone(CLAIMS)
