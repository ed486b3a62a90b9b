"""The messages of a conversation as a flow that forks: what a page shows, and what instead of it.

A step is a message, or a fork: the branches that may be read instead of all that follows it.
"""

from dataclasses import dataclass
from uuid import UUID

from chatdb.formats.branches import active_path
from chatdb.records import Conversation, Message


@dataclass(frozen=True, slots=True)
class Fork:
    """Other branches; `shown` is the place of what follows among them and itself, from 0."""

    branches: "list[Flow]"
    shown: int


Flow = list[Message | Fork]


def flow_of(record: Conversation) -> Flow:
    """Return the active branch with the forks on its way.

    Inside another branch the largest one is followed: so branches lie within one another no deeper
    than the logarithm of the number of messages, however many forks there are.
    """
    path = active_path(record)
    if len(path) == len(record.messages):
        return list(path)
    return _Tree(record).along(None, [message.id for message in path])


class _Tree:
    def __init__(self, record: Conversation) -> None:
        self._by_id = {message.id: message for message in record.messages}
        self._after: dict[UUID | None, list[UUID]] = {}
        self._sizes: dict[UUID, int] = {}
        children: dict[UUID | None, list[UUID]] = {}
        for message in self._by_id.values():
            above = message.parent_id
            known = above if above in self._by_id and above != message.id else None
            children.setdefault(known, []).append(message.id)
        roots = list(children.get(None, []))
        order = self._walk(roots, children)
        # Messages that follow one another in a circle hang on nothing.
        for identifier in self._by_id:
            if identifier not in self._sizes:
                roots.append(identifier)
                order += self._walk([identifier], children)
        self._after[None] = roots
        for identifier in reversed(order):
            self._sizes[identifier] += sum(self._sizes[each] for each in self._after[identifier])

    def along(self, above: UUID | None, path: list[UUID], *, inside: bool = False) -> Flow:
        """Return the flow along a path; what else follows `above` is the caller's if `inside`."""
        flow: Flow = []
        on_path = set(path)
        for identifier in path:
            if not inside:
                flow += self._fork(above, identifier, on_path)
            flow.append(self._by_id[identifier])
            above, inside = identifier, False
        return flow + self._fork(above, None, on_path)

    def _fork(self, above: UUID | None, follows: UUID | None, on_path: set[UUID]) -> list[Fork]:
        siblings = self._after[above]
        branches = [
            self.along(above, self._largest(each), inside=True)
            for each in siblings
            if each not in on_path
        ]
        shown = siblings.index(follows) if follows in siblings else 0
        return [Fork(branches, shown)] if branches else []

    def _largest(self, start: UUID) -> list[UUID]:
        path = [start]
        while after := self._after[path[-1]]:
            path.append(max(reversed(after), key=self._sizes.__getitem__))
        return path

    def _walk(self, start: list[UUID], children: dict[UUID | None, list[UUID]]) -> list[UUID]:
        """Return what hangs on these messages, each after the one above it."""
        order, rest = [], list(start)
        self._sizes |= dict.fromkeys(start, 1)
        while rest:
            identifier = rest.pop()
            order.append(identifier)
            found = [each for each in children.get(identifier, ()) if each not in self._sizes]
            self._after[identifier] = found
            self._sizes |= dict.fromkeys(found, 1)
            rest += found
        return order
