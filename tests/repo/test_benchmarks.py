"""The benchmarks name every claim, and docs/performance.md has each of them."""

import subprocess
import sys
from pathlib import Path

from benchmarks.__main__ import CLAIMS
from benchmarks.measure import Claim, Figure, Limit

ROOT = Path(__file__).resolve().parents[2]


def test_the_benchmarks_list_names_every_claim() -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--list"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout

    assert [line.split()[0] for line in listed.splitlines()] == [claim.name for claim in CLAIMS]


def test_names_of_claims_are_unique() -> None:
    assert len({claim.name for claim in CLAIMS}) == len(CLAIMS)


def test_every_script_of_claims_is_part_of_the_run() -> None:
    scripts = [
        path.stem
        for path in (ROOT / "benchmarks").glob("*.py")
        if "\nCLAIMS = (" in path.read_text() and path.stem != "__main__"
    ]
    main = (ROOT / "benchmarks/__main__.py").read_text()

    assert scripts
    assert [name for name in scripts if f"*{name}.CLAIMS" not in main] == []


def test_limits_hold_on_their_own_side_only() -> None:
    assert Limit("at least", 1.3).holds(1.3)
    assert not Limit("at least", 1.3).holds(1.29)
    assert Limit("under", 2.0).holds(1.99)
    assert not Limit("under", 2.0).holds(2.0)
    assert Limit("at most", 1.2).holds(1.2)
    assert not Limit("at most", 1.2).holds(1.21)


def test_only_a_full_run_refutes_a_claim_about_size() -> None:
    limit = Limit("at least", 2.0)
    sized = Claim("sized", limit, lambda _: Figure("", "", 1.0), needs_size=True)
    plain = Claim("plain", limit, lambda _: Figure("", "", 1.0))

    assert [sized.verdict(1.0, quick=quick) for quick in (True, False)] == ["too small", "NO"]
    assert [plain.verdict(1.0, quick=quick) for quick in (True, False)] == ["NO", "NO"]
    assert sized.verdict(2.0, quick=True) == "yes"
