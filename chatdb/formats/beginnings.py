"""Ids for conversations whose source names none: digests of their beginnings.

A conversation grows at its end and files move, so neither the length nor the path may count. The
path only distinguishes conversations of one import that begin alike.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any
from uuid import UUID

from chatdb.formats.identity import beginning_id, beside
from chatdb.formats.times import parse_time

SPOKEN = 2
"""A question and its answer: a question alone is too often "hello"."""
# System messages may come first; a bound keeps the id of a conversation that never has an answer.
_LONGEST = 8
_SILENT = frozenset(("system", "developer"))


@dataclass(frozen=True, slots=True)
class FirstMessage:
    """One of the first messages as in the source: who, what, and when if it says so."""

    role: Any
    content: Any
    time: Any = None

    @property
    def parts(self) -> tuple[str, str, str]:
        """The digested values."""
        at = parse_time(self.time).at
        return str(self.role), _text(self.content), at.isoformat() if at is not None else ""


@dataclass(frozen=True, slots=True)
class MadeId:
    """An id derived from a beginning, and the `others` under which the conversation may be known.

    Those are from a shorter beginning, and from the way in which earlier versions made ids.
    """

    id: UUID
    others: tuple[UUID, ...]


class Beginnings:
    """The ids that one import has made, so that two conversations never get the same."""

    def __init__(self, source: str, source_name: str | None) -> None:
        self._source = source
        self._source_name = source_name or ""
        self._given: set[UUID] = set()

    def made(
        self,
        messages: Iterable[FirstMessage],
        *,
        place: str,
        about: Sequence[str] = (),
        former: UUID,
    ) -> MadeId:
        """Return the id of a conversation; `place` is its path in the source.

        `about` is other knowledge of its beginning (user, time), `former` the id that earlier
        versions made.
        """
        known = list(_beginning(messages))
        given = (self._source, self._source_name, *about)
        spoken = _spoken(known)
        others = [former]
        identifier = beginning_id(given, [each.parts for each in known])
        if spoken == SPOKEN:
            # It may have been imported when it had a question only.
            others.insert(0, beginning_id(given, [each.parts for each in known[:-1]]))
        if not known:
            identifier = beside(identifier, place)
        elif identifier in self._given:
            others.insert(0, identifier)
            identifier = beside(identifier, place)
        self._given.add(identifier)
        return MadeId(identifier, tuple(others))


def _beginning(messages: Iterable[FirstMessage]) -> Iterator[FirstMessage]:
    spoken = 0
    for message in islice(messages, _LONGEST):
        yield message
        spoken += _is_spoken(message)
        if spoken == SPOKEN:
            return


def _spoken(messages: Iterable[FirstMessage]) -> int:
    return sum(map(_is_spoken, messages))


def _is_spoken(message: FirstMessage) -> bool:
    return str(message.role).lower() not in _SILENT


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    try:
        return json.dumps(content, sort_keys=True, default=repr)
    except RecursionError:  # its decoder took it, an encoder need not
        return ""
