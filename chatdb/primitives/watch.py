"""Receives progress reports of long work."""

from typing import Literal, Protocol

Unit = Literal["bytes", "messages", "conversations"]


class Watch(Protocol):
    """Receives progress reports; `advance` may be called from a thread."""

    def note(self, text: str) -> None:
        """Print a note."""

    def warning(self, text: str) -> None:
        """Print a warning."""

    def begin(self, what: str, total: int | None, unit: Unit = "bytes") -> None:
        """Begin a stage of the work; `total` is its approximate size."""

    def advance(self, amount: int) -> None:
        """Count `amount` more as done."""
