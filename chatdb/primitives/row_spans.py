"""Rows held by columns: what belongs together goes on as a span, without work for each cell."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import msgspec


class RowSpan(msgspec.Struct, frozen=True, gc=False):
    """Rows that follow each other in columns, which may have others before and behind them.

    `size` is about the bytes of their texts.
    """

    columns: Sequence[Sequence[Any]]
    start: int
    end: int
    size: int

    def __len__(self) -> int:
        return self.end - self.start

    def values(self, place: int) -> Sequence[Any]:
        """Return the values of one of the columns."""
        return self.columns[place][self.start : self.end]

    def rows(self) -> list[tuple[Any, ...]]:
        """Return the rows themselves."""
        return [*zip(*map(self.values, range(len(self.columns))), strict=True)]


def span_of(rows: Sequence[Sequence[Any]]) -> RowSpan:
    """Return rows as one span."""
    return RowSpan([*zip(*rows, strict=True)], 0, len(rows), text_size(chain.from_iterable(rows)))


def text_size(texts: Iterable[Any]) -> int:
    """Return the length of all texts; None has none."""
    return sum(map(len, filter(None, texts)))


def joined_columns(spans: Sequence[RowSpan], width: int) -> list[list[Any]]:
    """Return the columns of the spans' rows, one span behind the other; `width` is their number."""
    joined = [*_joined(spans)]
    return [[*chain.from_iterable(span.values(place) for span in joined)] for place in range(width)]


def _joined(spans: Sequence[RowSpan]) -> Iterator[RowSpan]:
    """Yield as one those that follow each other in the same columns."""
    begun: RowSpan | None = None
    for span in spans:
        if begun is None:
            begun = span
        elif begun.columns is span.columns and begun.end == span.start:
            begun = RowSpan(span.columns, begun.start, span.end, begun.size + span.size)
        else:
            yield begun
            begun = span
    if begun is not None:
        yield begun
