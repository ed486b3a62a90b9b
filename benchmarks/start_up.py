"""How fast the command starts: `--help` and `--version` against importing what they stand on.

Each command runs in turn, `--rounds` times, in processes of its own; the ratio is that of the
medians. Bytecode is warm on both sides.

    python benchmarks/start_up.py --rounds 21
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CLAIMS = (
    ("chatdb --help", ["-m", "chatdb", "--help"], "import typer, rich.console", 1.8),
    ("chatdb --version", ["-m", "chatdb", "--version"], "import typer", 0.6),
)


def seconds(words: list[str]) -> float:
    """Return how long one process takes from start to end."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    started = time.perf_counter()
    subprocess.run([sys.executable, *words], env=environment, check=True, capture_output=True)
    return time.perf_counter() - started


def main() -> int:
    """Print one line a claim; return 1 when one of them does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21)
    rounds = parser.parse_args().rounds
    failed = False
    for name, words, imports, limit in CLAIMS:
        pairs = [(seconds(words), seconds(["-c", imports])) for _ in range(rounds + 1)][1:]
        ours, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
        failed |= ours / theirs >= limit
        print(
            f"{name}: {ours * 1000:.0f} ms; python -c '{imports}': {theirs * 1000:.0f} ms;"
            f" ratio {ours / theirs:.2f}, must be under {limit}"
        )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
