"""How every claim is measured: processes in turn, the median of each side, one line of a table.

A script holds the claims of one subject in `CLAIMS` and ends with `run_alone(CLAIMS)`;
`benchmarks/__main__.py` runs those of all scripts.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

from benchmarks.postgres import benchmark_server
from tests.postgres_server import PostgresServer

ROOT = Path(__file__).resolve().parents[1]
SAMPLED_EVERY = 0.01
"""Seconds between two looks at a process's memory."""


@dataclass(frozen=True, slots=True)
class Run:
    """One process: wall seconds, peak anonymous bytes (0: too short to be seen), its output.

    `cpu` is its seconds of CPU, `resident` its highest resident memory in bytes.
    """

    seconds: float
    peak: int = 0
    output: str = ""
    cpu: float = 0.0
    resident: int = 0


@dataclass(frozen=True, slots=True)
class Sides:
    """The runs of both sides, measured in turn."""

    ours: Sequence[Run]
    theirs: Sequence[Run]

    @property
    def seconds(self) -> tuple[float, float]:
        """Our median and theirs."""
        return median_seconds(self.ours), median_seconds(self.theirs)

    @property
    def peak(self) -> int:
        """Our median peak of anonymous memory in bytes."""
        return median_peak(self.ours)


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured: each side in words and the ratio that the claim is about."""

    ours: str
    theirs: str
    ratio: float


@dataclass(frozen=True, slots=True)
class Limit:
    """What a ratio must be."""

    kind: Literal["at least", "under", "at most"]
    bound: float

    def holds(self, ratio: float) -> bool:
        """Tell whether a ratio is within the limit."""
        if self.kind == "at least":
            return ratio >= self.bound
        return ratio < self.bound or (self.kind == "at most" and ratio == self.bound)

    def __str__(self) -> str:
        return f"{self.kind} {self.bound:g}"


@dataclass(frozen=True, slots=True)
class Claim:
    """A name to ask for it by, the limit, and how to measure it."""

    name: str
    limit: Limit
    measure: "Callable[[Bench], Figure]"
    needs_size: bool = False
    """The start of the command weighs in a quick run: only a full one can refute the claim."""

    def verdict(self, ratio: float, *, quick: bool) -> Literal["yes", "NO", "too small"]:
        """Tell whether the claim holds."""
        if self.limit.holds(ratio):
            return "yes"
        return "too small" if quick and self.needs_size else "NO"


class Bench:
    """What the claims of one run share: the sizes, a server and a folder."""

    def __init__(self, *, quick: bool, rounds: int | None) -> None:
        self.quick = quick
        self._rounds = rounds
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def size(self, full: int, *, quick: int) -> int:
        """Return how much to measure with."""
        return quick if self.quick else full

    def rounds(self, full: int, *, quick: int) -> int:
        """Return how often to measure; the command line has the last word."""
        return self._rounds or self.size(full, quick=quick)

    @cached_property
    def server(self) -> PostgresServer:
        """A PostgreSQL with durable settings, started when it is first asked for."""
        return self._stack.enter_context(benchmark_server())

    @cached_property
    def folder(self) -> Path:
        """A folder that is removed at the end."""
        prefix = "chatdb-bench-"
        return Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix=prefix)))


def in_turn(rounds: int, ours: Callable[[], Run], theirs: Callable[[], Run]) -> Sides:
    """Measure theirs, ours, theirs, ours ... so that both meet the same state of the machine."""
    pairs = [(theirs(), ours()) for _ in range(rounds)]
    return Sides([pair[1] for pair in pairs], [pair[0] for pair in pairs])


def median_seconds(runs: Iterable[Run]) -> float:
    """Return the median of wall seconds."""
    return statistics.median(run.seconds for run in runs)


def median_peak(runs: Iterable[Run]) -> int:
    """Return the median of the peaks of anonymous memory, in bytes."""
    return int(statistics.median(run.peak for run in runs))


def timed(words: Sequence[str | Path], **environment: str) -> Run:
    """Run a program to its end and watch its memory; raises RuntimeError if it fails."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [str(word) for word in words],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process, _MemoryWatch(process.pid) as watch:
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - started
    if process.returncode:
        raise RuntimeError(f"{words[0]} failed with {process.returncode}: {output}")
    cpu = usage.ru_utime + usage.ru_stime
    return Run(seconds, watch.peak, output, cpu, usage.ru_maxrss * 1024)


def in_memory(path: Path) -> Path:
    """Return a file after reading it, so that no side waits for the disk that the other does not.

    The machine may drop what it has cached between two runs.
    """
    with path.open("rb") as stream:
        while stream.read(1 << 20):
            pass
    return path


def python(*words: str | Path, **environment: str) -> Run:
    """Run Python with these arguments, as `timed` does."""
    return timed((sys.executable, *words), **environment)


class _MemoryWatch:
    """Samples a process's anonymous memory from outside, in a thread."""

    def __init__(self, pid: int) -> None:
        self.peak = 0
        self._status = Path(f"/proc/{pid}/status")
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(SAMPLED_EVERY):
            self.peak = max(self.peak, self._anonymous_bytes())

    def _anonymous_bytes(self) -> int:
        try:
            status = self._status.read_text()
        except OSError:
            return 0
        for line in status.splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
        return 0


def speed_figure(sides: Sides, ours: str, theirs: str) -> Figure:
    """Return the figure of who does the same work in less time: theirs by ours."""
    mine, other = sides.seconds
    return Figure(f"{ours}: {mine:.2f} s", f"{theirs}: {other:.2f} s", other / mine)


def time_figure(sides: Sides, ours: str, theirs: str) -> Figure:
    """Return the figure of how long ours takes by how long theirs does."""
    mine, other = (1000 * seconds for seconds in sides.seconds)
    return Figure(f"{ours}: {mine:.0f} ms", f"{theirs}: {other:.0f} ms", mine / other)


def memory_figure(what: str, large: tuple[int, int], small: tuple[int, int]) -> Figure:
    """Return the figure of two peaks; each pair is a number of messages and bytes."""
    ours, theirs = (f"{what} of {count:,}: {peak / 1e6:.0f} MB" for count, peak in (large, small))
    return Figure(ours, theirs, large[1] / small[1])


def run_alone(claims: Sequence[Claim]) -> None:
    """Measure what the command line asks for, print the table and exit: 1 when a claim fails."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {_module_name()}", description="Measure claims and print them as a table."
    )
    names = [claim.name for claim in claims]
    parser.add_argument("--quick", action="store_true", help="small sizes and few rounds")
    parser.add_argument("--rounds", type=int, help="how often each side of a claim runs")
    parser.add_argument(
        "--only", action="append", metavar="NAME", choices=names, help="this claim (repeatable)"
    )
    parser.add_argument("--list", action="store_true", help="name the claims and their limits")
    options = parser.parse_args()
    wanted = [claim for claim in claims if options.only is None or claim.name in options.only]
    if options.list:
        for claim in wanted:
            print(f"{claim.name:32} {claim.limit}")
        return
    with Bench(quick=options.quick, rounds=options.rounds) as bench:
        rows = [_row(claim, bench) for claim in wanted]
    print("\n".join(_table(rows)))
    sys.exit(1 if any(row[-1] == "NO" for row in rows) else 0)


def _module_name() -> str:
    specification = sys.modules["__main__"].__spec__
    return specification.name.removesuffix(".__main__") if specification else "benchmarks"


def _row(claim: Claim, bench: Bench) -> tuple[str, ...]:
    started = time.perf_counter()
    figure = claim.measure(bench)
    verdict = claim.verdict(figure.ratio, quick=bench.quick)
    ratio = f"{figure.ratio:.2f}"
    took = time.perf_counter() - started
    line = f"{claim.name}: {figure.ours}, {figure.theirs}, ratio {ratio} (took {took:.0f} s)"
    print(line, file=sys.stderr, flush=True)
    return claim.name, figure.ours, figure.theirs, ratio, str(claim.limit), verdict


def _table(measured: Sequence[tuple[str, ...]]) -> list[str]:
    """Return the lines of a table that is Markdown too."""
    head = ("claim", "ours", "against", "ratio", "must be", "holds")
    widths = [max(map(len, column)) for column in zip(head, *measured, strict=True)]
    rows = [head, tuple("-" * width for width in widths), *measured]
    return ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows]
