"""Receives progress reports of long work."""

from typing import Protocol


class Watch(Protocol):
    """Receives progress reports; `advance` may be called from a thread."""

    def note(self, text: str) -> None:
        """Print a note."""

    def warning(self, text: str) -> None:
        """Print a warning."""

    def begin(self, what: str, total: int | None) -> None:
        """Begin a stage of the work; `total` is its approximate number of bytes."""

    def advance(self, amount: int) -> None:
        """Count `amount` bytes more as done."""
