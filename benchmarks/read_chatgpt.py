"""Reading a ChatGPT `conversations.json` into records against `json.load` of the same file.

Each side in a process of its own, which times the reading alone; the start of Python and imports
are left out on both sides.

    python -m benchmarks.read_chatgpt
"""

from functools import cache

from benchmarks.dataset import chatgpt_file
from benchmarks.measure import (
    Bench,
    Claim,
    Figure,
    Limit,
    Run,
    Sides,
    in_memory,
    in_turn,
    python,
    run_alone,
    speed_figure,
)

MOST_MEGABYTES = 150

JSON_LOAD = """
import json, sys, time
started = time.perf_counter()
with open(sys.argv[1], encoding="utf-8") as stream:
    json.load(stream)
print(time.perf_counter() - started)
"""

READ = """
import sys, time
from chatdb.formats.base import Tally
from chatdb.formats.registry import detect
from chatdb.formats.files.sources import open_source
started = time.perf_counter()
tally = Tally()
with open_source(sys.argv[1]) as source:
    for item in detect(source).read(source, tally):
        pass
seconds = time.perf_counter() - started
assert tally.skipped == 0 and tally.messages > 1000
print(seconds)
"""


def megabytes(bench: Bench) -> int:
    """Return the size of the file."""
    return bench.size(300, quick=50)


@cache
def _reads(bench: Bench) -> Sides:
    path = chatgpt_file(megabytes(bench))

    def run(code: str) -> Run:
        done = python("-c", code, in_memory(path))
        return Run(float(done.output), done.peak)

    return in_turn(bench.rounds(5, quick=3), lambda: run(READ), lambda: run(JSON_LOAD))


def speed(bench: Bench) -> Figure:
    """Compare the times."""
    return speed_figure(_reads(bench), f"reading {megabytes(bench)} MB of ChatGPT", "json.load")


def memory(bench: Bench) -> Figure:
    """Compare the highest peak of anonymous memory with what it may be."""
    peak = max(run.peak for run in _reads(bench).ours) / 1e6
    theirs = max(run.peak for run in _reads(bench).theirs) / 1e6
    ours = f"reading {megabytes(bench)} MB: {peak:.0f} MB"
    against = f"{MOST_MEGABYTES} MB (json.load: {theirs:.0f} MB)"
    return Figure(ours, against, peak / MOST_MEGABYTES)


CLAIMS = (
    Claim("read-chatgpt", Limit("at least", 2.0), speed, needs_size=True),
    Claim("read-chatgpt-memory", Limit("under", 1.0), memory),
)

if __name__ == "__main__":
    run_alone(CLAIMS)
