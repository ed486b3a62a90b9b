"""The branches of a conversation: the messages of the active branch, and the whole tree.

Nothing here recurses: a conversation may be a chain of 100,000 messages.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from chatdb.formats.trees import newest_leaf
from chatdb.records import Conversation, Message


@dataclass(frozen=True, slots=True)
class TreeNode:
    """A message in its tree; `depth` counts the forks above it, `is_active` its branch.

    The last message of a branch has its number: branches are counted from 1, in the tree's order.
    """

    message: Message
    depth: int
    is_active: bool
    branch: int | None = None


def active_path(record: Conversation) -> list[Message]:
    """Return the messages from the root to the current one.

    If no message names its parent, the messages form a list; of a text that is kept, versions of
    which the current one counts.
    """
    if record.kind != "chat":
        return _current_version(record)
    # The usual case: one pass, without a dictionary of all messages.
    if _is_one_branch(record):
        return list(record.messages)
    # By their numbers: Python hashes and compares UUIDs slowly.
    by_id = {message.id.int: message for message in record.messages}
    if all(_number(message.parent_id) not in by_id for message in record.messages):
        return list(record.messages)
    leaf = _number(record.current_message_id)
    if leaf not in by_id:
        leaf = _number(newest_leaf(record.messages))
    path: list[Message] = []
    seen = set()
    while leaf is not None and leaf in by_id and leaf not in seen:
        seen.add(leaf)
        path.append(by_id[leaf])
        leaf = _number(by_id[leaf].parent_id)
    return path[::-1]


def branch_through(record: Conversation, identifier: UUID) -> list[Message]:
    """Return the branch on which a message lies: the active one, or the one with the newest end."""
    active = active_path(record)
    if any(message.id == identifier for message in active):
        return active
    by_id = {message.id: message for message in record.messages}
    if record.kind != "chat":
        return [by_id[identifier]]
    children = defaultdict(list)
    for message in record.messages:
        if message.parent_id != message.id:
            children[message.parent_id].append(message)
    below, stack = {identifier}, [by_id[identifier]]
    while stack:
        found = [each for each in children.get(stack.pop().id, []) if each.id not in below]
        below.update(each.id for each in found)
        stack += found
    leaf = newest_leaf([message for message in record.messages if message.id in below])
    return path_to(by_id, leaf)


def every_branch(record: Conversation) -> Iterator[list[Message]]:
    """Yield the messages of each branch of a chat from its root to its end, one at a time.

    If no message names its parent, the messages form one list. A circle without an end is a branch
    that ends with its last message.
    """
    by_id = {message.id: message for message in record.messages}
    parents = {message.parent_id for message in record.messages}
    if not by_id.keys() & parents:
        yield list(record.messages)
        return
    seen: set[UUID] = set()
    leaves = [message for message in record.messages if message.id not in parents]
    for end in [*leaves, *reversed(record.messages)]:
        if end.id not in seen:
            path = path_to(by_id, end.id)
            seen.update(message.id for message in path)
            yield path


def path_to(
    by_id: Mapping[UUID, Message], leaf: UUID | None, *, below: UUID | None = None
) -> list[Message]:
    """Return the messages from the root to one, or from below one that is met on the way."""
    path: dict[UUID, Message] = {}
    while leaf != below and leaf is not None and leaf in by_id and leaf not in path:
        path[leaf] = by_id[leaf]
        leaf = by_id[leaf].parent_id
    return [*path.values()][::-1]


def _current_version(record: Conversation) -> list[Message]:
    leaf = record.current_message_id
    found = [message for message in record.messages if message.id == leaf]
    return found or record.messages[-1:]


def _number(identifier: UUID | None) -> int | None:
    return None if identifier is None else identifier.int


def _is_one_branch(record: Conversation) -> bool:
    """Tell whether each message follows the one before it, and the last is the current one."""
    above: int | None = None
    for message in record.messages:
        if _number(message.parent_id) != above:
            return False
        above = message.id.int
    return above is not None and _number(record.current_message_id) == above


def tree(record: Conversation) -> Iterator[TreeNode]:
    """Yield every message, depth first, children in the order of the conversation."""
    active = {message.id for message in active_path(record)}
    ids = {message.id for message in record.messages}
    children = defaultdict(list)
    roots: list[Message] = []
    for message in record.messages:
        parent = message.parent_id
        if parent is None or parent not in ids or parent == message.id:
            roots.append(message)
        else:
            children[parent].append(message)
    seen = set()
    leaves = 0
    # Messages of a cycle are below no root: they follow as roots of their own.
    for start in [*([root] for root in roots), *([each] for each in record.messages)]:
        stack = [(message, 0) for message in start]
        while stack:
            message, depth = stack.pop()
            if message.id in seen:
                continue
            seen.add(message.id)
            below = children.get(message.id, [])
            leaves += not below
            yield TreeNode(message, depth, message.id in active, None if below else leaves)
            deeper = depth + (len(below) > 1)
            stack += [(child, deeper) for child in reversed(below)]
