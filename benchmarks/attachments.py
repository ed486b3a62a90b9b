"""`chatdb import --attachments` of one large file against `cp` and `sha256sum`.

The export is a folder with a talk and its file of random bytes; the talk is in the database. chatdb
reads the file once, and syncs it; the other side copies it, reads the copy and syncs nothing.

    python -m benchmarks.attachments
"""

import json
import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from shutil import rmtree

from benchmarks.databases import migrated_sqlite
from benchmarks.measure import (
    Bench,
    Claim,
    Figure,
    Limit,
    Run,
    in_turn,
    python,
    run_alone,
    speed_figure,
    timed,
)
from tests.chatgpt_files import pointer, talk

_NAME = "file-Large1234567-film.mp4"
_PIECE = 1 << 20


def large_file(bench: Bench) -> Figure:
    """Keep a gigabyte."""
    megabytes = bench.size(1_000, quick=100)
    importing = _Importing(bench, megabytes)
    copies = _places(bench.folder / "copy")

    def theirs() -> Run:
        place = next(copies)
        run = timed(("sh", "-c", 'cp "$0" "$1" && sha256sum "$1"', importing.file, place))
        place.unlink()
        return run

    sides = in_turn(bench.rounds(5, quick=2), importing.run, theirs)
    return speed_figure(sides, f"attachment of {megabytes:,} MB", "cp and sha256sum")


def memory(bench: Bench) -> Figure:
    """Compare the peaks of a large and a small file."""
    sizes = (bench.size(1_000, quick=100), 10)
    large, small = (_Importing(bench, size).run().peak for size in sizes)
    ours, theirs = (
        f"attachment of {size:,} MB: {peak / 1e6:.0f} MB"
        for size, peak in zip(sizes, (large, small), strict=True)
    )
    return Figure(ours, theirs, large / small)


class _Importing:
    """An export with a file of this size, and a database that has its talk."""

    def __init__(self, bench: Bench, megabytes: int) -> None:
        folder = bench.folder / f"export-{megabytes}"
        folder.mkdir(exist_ok=True)
        self.file = folder / _NAME
        _write_random(self.file, megabytes)
        record = talk(1, pointer("file-service://file-Large1234567"), [])
        (folder / "conversations.json").write_text(json.dumps([record]))
        self._export = folder
        self._url = migrated_sqlite(bench.folder / f"attachments-{megabytes}.db").exposed()
        self._places = _places(bench.folder / f"kept-{megabytes}")
        self._words = ("-m", "chatdb", "import", "--quiet", folder)
        python(*self._words, DATABASE_URL=self._url)

    def run(self) -> Run:
        """Keep the file in a new folder, which is removed."""
        place = next(self._places)
        words = (*self._words, "--attachments", "--attachments-max", "2TB")
        run = python(*words, "--attachments-dir", place, DATABASE_URL=self._url)
        kept = [path for path in place.rglob("*") if len(path.name) == 64]
        assert [path.stat().st_size for path in kept] == [self.file.stat().st_size]
        rmtree(place)
        return run


def _places(start: Path) -> Iterator[Path]:
    return (start.with_name(f"{start.name}-{number}") for number in count())


def _write_random(path: Path, megabytes: int) -> None:
    with path.open("wb") as stream:
        for _ in range(megabytes):
            stream.write(os.urandom(_PIECE))


CLAIMS = (
    Claim("attachments-large", Limit("at least", 0.5), large_file, needs_size=True),
    Claim("attachments-memory", Limit("at most", 1.2), memory),
)

if __name__ == "__main__":
    run_alone(CLAIMS)
