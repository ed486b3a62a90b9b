"""How fast the command starts: `--help` and `--version` against importing what they stand on.

Whole processes; bytecode is warm on both sides.

    python -m benchmarks.start_up
"""

from benchmarks.measure import Bench, Claim, Figure, Limit, in_turn, python, run_alone, time_figure


def started(bench: Bench, option: str, imports: str) -> Figure:
    """Compare `chatdb OPTION` with importing modules."""
    python("-m", "chatdb", option)
    sides = in_turn(
        bench.rounds(21, quick=7),
        lambda: python("-m", "chatdb", option),
        lambda: python("-c", f"import {imports}"),
    )
    return time_figure(sides, f"chatdb {option}", f"import {imports}")


CLAIMS = (
    Claim(
        "start-help",
        Limit("under", 1.8),
        lambda bench: started(bench, "--help", "typer, rich.console"),
    ),
    Claim("start-version", Limit("under", 0.6), lambda bench: started(bench, "--version", "typer")),
)

if __name__ == "__main__":
    run_alone(CLAIMS)
