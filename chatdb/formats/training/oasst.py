"""OpenAssistant's message trees: a line a tree, a prompter's message and the replies to it.

Every branch is there: the trees are the format. Of several replies by the assistant the best has
the rank 0; equally good ones share a rank.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from chatdb.formats.base import WriteOptions
from chatdb.formats.branches import active_path
from chatdb.formats.training import left_out
from chatdb.formats.training.left_out import TrainingTally
from chatdb.formats.training.ratings import Score, rating_of
from chatdb.formats.training.tools import takes_its_content
from chatdb.formats.training.training_writer import TrainingWriter
from chatdb.formats.training.turns import count_beside, words_of
from chatdb.records import Conversation, Message, is_hidden

_ROLES = {"user": "prompter", "assistant": "assistant"}
_UNKNOWN_LANGUAGE = "und"

Node = dict[str, Any]
DEEPEST = 200
"""Replies below one another: programs that read JSON refuse what is nested much deeper."""
_REASON = "left out"
"""The key of a stand-in for a message without a place: why the replies to it have none either."""


class OasstWriter(TrainingWriter):
    """Writes a tree for each first message of a user."""

    name = "oasst"

    def examples(self, record: Conversation) -> Iterator[Any]:
        self.count_hidden(record.messages)
        trees = _Trees(record, self.tally, include_hidden=self.options.include_hidden)
        prompts = [prompt for prompt in trees.made() if prompt["replies"]]
        self.tally.left_out[left_out.NO_ANSWER] += not prompts
        for prompt in prompts:
            yield {
                "message_tree_id": prompt["message_id"],
                "tree_state": "ready_for_export",
                "prompt": prompt,
            }


class _Trees:
    """Builds the trees of a conversation from its roots down, without recursion."""

    def __init__(self, record: Conversation, tally: TrainingTally, *, include_hidden: bool) -> None:
        path = active_path(record)
        self._active = {message.id for message in path}
        self._tally, self._counts = tally, tally.left_out
        self._include_hidden = include_hidden
        self._nodes: list[Node] = []
        self._depths: dict[str, int] = {}
        self._ends: dict[str, UUID] = {}
        self._scores: dict[str, Score] = {}
        self._messages, self._parents = record.messages, _parents_of(record, path)

    def made(self) -> list[Node]:
        """Return the roots: prompts with their replies."""
        children: dict[UUID | None, list[Message]] = defaultdict(list)
        for message in self._messages:
            if message.id in self._parents:
                children[self._parents[message.id]].append(message)
        roots: list[Node] = []
        # Each message with the node that it would reply to; the last ones are placed first.
        waiting: list[tuple[Message, Node | None]] = [(each, None) for each in children[None]]
        seen = set()
        while waiting:
            message, above = waiting.pop()
            if message.id not in seen:
                seen.add(message.id)
                node = self._placed(message, above, roots)
                below = children.get(message.id, [])
                below.sort(key=lambda each: each.id in self._active)
                waiting += [(each, node) for each in below]
        places = {str(message.id): place for place, message in enumerate(self._messages)}
        for node in self._nodes:
            node["replies"].sort(key=lambda reply: places[reply["message_id"]])
            self._rank(node["replies"])
        return sorted(roots, key=lambda root: places[root["message_id"]])

    def _placed(self, message: Message, above: Node | None, roots: list[Node]) -> Node | None:
        """Put a message into the tree; return the node that its replies belong to."""
        words = "" if takes_its_content(message) else words_of(message)
        hidden = is_hidden(message) and not self._include_hidden
        if not hidden:
            count_beside(message, self._tally)
        role = _ROLES.get(message.role)
        if above is not None and _REASON in above:
            self._counts[above[_REASON]] += 1
            return above
        follows = above is not None and self._ends[above["message_id"]] == self._parents[message.id]
        if hidden or role is None or not words.strip():
            self._leave_out(message, hidden=hidden)
        else:
            self._counts[left_out.NO_PLACE] += message.tool_calls is not None
            if above is None and role == "assistant":
                self._counts[left_out.BEFORE_FIRST] += 1
                return None
            if above is None or above["role"] != role:
                return self._new(message, words, above, roots)
            if not follows:
                return self._nowhere(left_out.SAME_ROLE)
            # Parts of one answer: what is said between two calls of a tool.
            above["text"] += "\n\n" + words
        if follows and above is not None:
            self._ends[above["message_id"]] = message.id
        return above

    def _new(self, message: Message, words: str, above: Node | None, roots: list[Node]) -> Node:
        depth = 1 if above is None else self._depths[above["message_id"]] + 1
        if depth > DEEPEST:
            return self._nowhere(left_out.TOO_DEEP)
        node = _node(message, _ROLES[message.role], words, above)
        identifier = node["message_id"]
        self._nodes.append(node)
        self._depths[identifier] = depth
        self._ends[identifier] = message.id
        self._scores[identifier] = rating_of(message), message.id in self._active
        (roots if above is None else above["replies"]).append(node)
        return node

    def _nowhere(self, reason: str) -> Node:
        self._counts[reason] += 1
        return {_REASON: reason}

    def _leave_out(self, message: Message, *, hidden: bool) -> None:
        if hidden:
            return
        if message.role == "tool" or message.tool_calls is not None:
            self._counts[left_out.NO_PLACE] += 1
        else:
            is_system = message.role == "system"
            self._counts[left_out.SYSTEM if is_system else left_out.EMPTY] += 1

    def _rank(self, replies: list[Node]) -> None:
        scores = [self._scores[reply["message_id"]] for reply in replies]
        if len(set(scores)) < 2 or replies[0]["role"] != "assistant":
            return
        for reply, score in zip(replies, scores, strict=True):
            reply["rank"] = sum(other > score for other in scores)


def _parents_of(record: Conversation, path: list[Message]) -> dict[UUID, UUID | None]:
    """Return the parent of each message that there is; messages without any form a list."""
    ids = {message.id for message in record.messages}
    if any(message.parent_id in ids for message in record.messages):
        return {
            message.id: message.parent_id if message.parent_id in ids else None
            for message in record.messages
        }
    above = [None, *(message.id for message in path)]
    return {message.id: parent for message, parent in zip(path, above, strict=False)}


def _node(message: Message, role: str, words: str, above: Node | None) -> Node:
    rating = rating_of(message)
    node: Node = {"message_id": str(message.id)}
    if above is not None:
        node["parent_id"] = above["message_id"]
    node |= {
        "text": words,
        "role": role,
        "lang": _UNKNOWN_LANGUAGE,
        "review_count": 0,
        "review_result": True,
        "deleted": False,
        "synthetic": role == "assistant",
    }
    if role == "assistant" and message.model:
        node["model_name"] = message.model
    return node | {"emojis": {"+1" if rating > 0 else "-1": 1} if rating else {}, "replies": []}


def make_writer(options: WriteOptions) -> OasstWriter:
    """Return a writer."""
    return OasstWriter(options)
