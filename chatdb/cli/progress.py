"""Progress of long work: the interface, and the forms without a terminal."""

import time
from collections.abc import Callable
from typing import Literal, Protocol

from chatdb.primitives.sizes import size_text

Unit = Literal["bytes", "conversations", "messages", "rows", "statements"]
BYTES: Unit = "bytes"

SECONDS_BETWEEN_LINES = 10.0


class Progress(Protocol):
    """What a command passes to its operation as a callback: `progress.advance`."""

    def advance(self, amount: int = 1) -> None:
        """Count `amount` more as done."""

    def move_to(self, completed: int) -> None:
        """Set the total amount done."""

    def describe(self, label: str) -> None:
        """Change the label before the bar."""


class QuietProgress:
    """Shows nothing."""

    def advance(self, amount: int = 1) -> None:
        """Count `amount` more as done."""

    def move_to(self, completed: int) -> None:
        """Set the total amount done."""

    def describe(self, label: str) -> None:
        """Change the label before the bar."""


class LineProgress:
    """Writes a line every ten seconds, to show activity in a log without flooding it."""

    def __init__(
        self, label: str, *, total: int | None, unit: Unit, write: Callable[[str], None]
    ) -> None:
        self._label = label
        self._total = total
        self._unit = unit
        self._write = write
        self._completed = 0
        self._started = self._last = time.monotonic()

    def advance(self, amount: int = 1) -> None:
        """Count `amount` more as done."""
        self.move_to(self._completed + amount)

    def move_to(self, completed: int) -> None:
        """Set the total amount done."""
        self._completed = completed
        now = time.monotonic()
        if now - self._last >= SECONDS_BETWEEN_LINES:
            self._last = now
            self._write(self._line(now - self._started))

    def describe(self, label: str) -> None:
        """Change the label before the numbers."""
        self._label = label

    def _line(self, seconds: float) -> str:
        rate = self._completed / seconds
        parts = [amount_text(self._completed, self._unit)]
        if self._total:
            share = min(100, self._completed * 100 // self._total)
            parts[0] = f"{share} % of {amount_text(self._total, self._unit)}"
        parts.append(f"{amount_text(int(rate), self._unit)}/s")
        if self._total and rate > 0:
            left = max(self._total - self._completed, 0) / rate
            parts.append(f"{duration_text(left)} left")
        return f"{self._label}: " + ", ".join(parts)


def amount_text(amount: int, unit: Unit) -> str:
    """Write an amount for people: "1.5 GB", "12,000 messages"."""
    return size_text(amount) if unit == BYTES else f"{amount:,} {unit}"


def duration_text(seconds: float) -> str:
    """Write a duration for people: "45 s", "3 min 20 s", "2 h 5 min"."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
