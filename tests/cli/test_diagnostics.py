"""stderr: notes, quiet and verbose, progress with and without a terminal."""

import sys
from typing import Any

import pytest

from chatdb.cli.diagnostics import Diagnostics, redact
from chatdb.cli.progress import LineProgress, amount_text, duration_text
from tests.cli.conftest import process_environment, run_on_pty

BAR = """
import time
from chatdb.cli.diagnostics import Diagnostics
diagnostics = Diagnostics()
with diagnostics.progress("importing \x1b]0;x\x07[b]export[/b]", total=3_000_000) as progress:
    for number in range(3):
        progress.advance(1_000_000)
        time.sleep(0.3)
    diagnostics.warning("conversation 7 was skipped")
    progress.describe("finishing")
print("done")
"""


def said(capsys: pytest.CaptureFixture[str], **options: Any) -> str:
    """Return what a diagnostics of these options writes of one text of each kind."""
    diagnostics = Diagnostics(**options)
    diagnostics.note("a")
    diagnostics.detail("b")
    diagnostics.warning("c")
    return capsys.readouterr().err


def test_quiet_leaves_warnings_and_verbose_adds_details(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys) == "note: a\nwarning: c\n"
    assert said(capsys, quiet=True) == "warning: c\n"
    assert said(capsys, verbose=True) == "note: a\ndetail: b\nwarning: c\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://u:p@h/d", "postgresql://u:***@h/d"),
        ("postgres://:x@y and a+b://u:p/@:w@h", "postgres://:***@y and a+b://u:***@h"),
        ("postgresql://u@h/d", "postgresql://u@h/d"),
        ("host=h password=secret user=u", "host=h password=*** user=u"),
        ("?sslpassword=x&password='a b'&z=1", "?sslpassword=***&password=***&z=1"),
        ("wrong password for user me", "wrong password for user me"),
        ("see https://example.org/a:b", "see https://example.org/a:b"),
    ],
)
def test_passwords_are_struck_out(text: str, expected: str) -> None:
    assert redact(text) == expected


def test_progress_without_a_terminal_is_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines: list[str] = []
    clock = iter([100.0, 101.0, 110.0, 115.0, 121.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    progress = LineProgress("importing", total=4_000_000, unit="bytes", write=lines.append)

    for _ in range(4):
        progress.advance(1_000_000)

    assert lines == [
        "importing: 50 % of 4.0 MB, 200 kB/s, 10 s left",
        "importing: 100 % of 4.0 MB, 190 kB/s, 0 s left",
    ]


def test_progress_of_unknown_length_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    clock = iter([0.0, 20.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    progress = LineProgress("exporting", total=None, unit="messages", write=lines.append)

    progress.move_to(24_000)

    assert lines == ["exporting: 24,000 messages, 1,200 messages/s"]


def test_short_work_shows_no_progress_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    with Diagnostics().progress("importing", total=10) as progress:
        progress.advance(10)

    assert capsys.readouterr().err == ""


def test_progress_on_a_terminal_is_a_bar_with_rate_and_safe_label() -> None:
    answer: Any = run_on_pty(
        [sys.executable, "-c", BAR], 80, process_environment({"TERM": "xterm"}), "", ""
    )

    assert "importing [b]export[/b]" in answer.stdout
    assert "3.0 MB" in answer.stdout
    assert "MB/s" in answer.stdout
    assert "conversation 7 was skipped" in answer.stdout
    assert "finishing" in answer.stdout
    assert "\x1b]0;" not in answer.stdout
    assert answer.stdout.endswith("done\n")


@pytest.mark.parametrize(
    ("amount", "expected"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (5_200_000_000, "5.2 GB"), (10**13, "10.0 TB")],
)
def test_bytes_are_written_for_people(amount: int, expected: str) -> None:
    assert amount_text(amount, "bytes") == expected


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0.4, "0 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")]
)
def test_durations_are_written_for_people(seconds: float, expected: str) -> None:
    assert duration_text(seconds) == expected


def test_a_broken_stderr_does_not_end_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)

    Diagnostics().warning("nobody hears it")
