"""Who is told how far long work is."""

from typing import Protocol


class Watch(Protocol):
    """Who is told how far the work is; `advance` may be called from a thread."""

    def note(self, text: str) -> None:
        """Say something worth knowing."""

    def warning(self, text: str) -> None:
        """Say something the user should act on."""

    def begin(self, what: str, total: int | None) -> None:
        """A stage of the work begins; `total` is about how many bytes it has."""

    def advance(self, amount: int) -> None:
        """So many bytes more are done."""
