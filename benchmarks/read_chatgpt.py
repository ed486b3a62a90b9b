"""Reading a ChatGPT `conversations.json` into records, against `json.load` of the same file.

Each side runs in a process of its own, in turn; the figures are medians. The peak of anonymous
memory is sampled from outside while the reader works.

    python benchmarks/read_chatgpt.py --megabytes 300 --rounds 5
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.generate_chatgpt import write

JSON_LOAD = """
import json, sys, time
started = time.perf_counter()
with open(sys.argv[1], encoding="utf-8") as stream:
    count = len(json.load(stream))
print(time.perf_counter() - started, count)
"""

READ = """
import sys, time
from chatdb.formats.base import Tally
from chatdb.formats.registry import detect
from chatdb.formats.sources import open_source
started = time.perf_counter()
tally = Tally()
with open_source(sys.argv[1]) as source:
    for item in detect(source).read(source, tally):
        pass
assert tally.skipped == 0
print(time.perf_counter() - started, tally.conversations, tally.messages)
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One run: seconds, those of CPU (user and system), peak anonymous memory in bytes, counts."""

    seconds: float
    cpu: float
    peak: int
    counts: list[int]


def run(code: str, path: Path) -> Run:
    root = Path(__file__).resolve().parents[1]
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], cwd=root, stdout=subprocess.PIPE, text=True
    )
    peak = 0
    before = cpu_of_children()
    while process.poll() is None:
        peak = max(peak, anonymous_bytes(process.pid))
        time.sleep(0.005)
    output = process.communicate()[0].split()
    if process.returncode != 0:
        raise SystemExit(process.returncode)
    cpu = cpu_of_children() - before
    return Run(float(output[0]), cpu, peak, [int(count) for count in output[1:]])


def cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def anonymous_bytes(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    for line in status.splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=float, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "conversations.json"
        write(path, megabytes=options.megabytes)
        loads, reads = [], []
        for _ in range(options.rounds):
            loads.append(run(JSON_LOAD, path))
            reads.append(run(READ, path))
    load = statistics.median(item.seconds for item in loads)
    read = statistics.median(item.seconds for item in reads)
    load_cpu = statistics.median(item.cpu for item in loads)
    read_cpu = statistics.median(item.cpu for item in reads)
    conversations, messages = reads[0].counts
    peak = max(item.peak for item in reads)
    print(f"{options.megabytes:.0f} MB, {conversations} conversations, {messages} messages")
    most = max(item.peak for item in loads)
    print(f"json.load        {load:7.2f} s  {load_cpu:7.2f} s of CPU  {most / 1e6:7.0f} MB")
    print(f"chatdb's reader  {read:7.2f} s  {read_cpu:7.2f} s of CPU  {peak / 1e6:7.0f} MB")
    print(f"{load_cpu / read_cpu:.2f} times as fast by CPU, start of the process included")
    print(f"{load / read:.2f} times as fast (at least 2), peak {peak / 1e6:.0f} MB (under 150)")


if __name__ == "__main__":
    main()
