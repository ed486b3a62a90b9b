"""The order of an Open WebUI chat's messages, and which of them ends the active branch."""

from collections.abc import Mapping, Sequence
from typing import Any

from chatdb.formats.base import Tally
from chatdb.formats.trees import Tree, tree_of

NO_SUCH_MESSAGE = "a current message that does not exist: the newest leaf taken"
BAD_LINKS = "child links that are not those of the parents: made anew from the parents"
CIRCLE = "a circle of messages: cut before the first of them"

Fields = dict[str, Any]


def arranged(messages: Mapping[str, Fields], tally: Tally) -> Tree:
    """Return the messages in their tree: by their parents, siblings as their parent lists them."""
    parents = {name: _parent(fields) for name, fields in messages.items()}
    wanted: dict[str, Sequence[Any]] = {}
    for name, fields in messages.items():
        listed = fields.pop("childrenIds", None)
        if isinstance(listed, list):
            wanted[name] = listed
    tree = tree_of(parents, wanted)
    if tree.cut:
        tally.lossy[CIRCLE] += 1
    wrong = sum(set(map(str, wanted[name])) != set(tree.children.get(name, ())) for name in wanted)
    if wrong:
        tally.lossy[BAD_LINKS] += wrong
    return tree


def current(
    names: Sequence[Any], messages: Mapping[str, Fields], tree: Tree, tally: Tally
) -> str | None:
    """Return the last descendant of the first of the names that is a message; None for none.

    An answer without parent and time, where others exist, is one that was lost on its way.
    """
    given = [name for name in names if isinstance(name, str) and name]
    for name in given:
        if name not in messages or _is_lost(messages[name], len(messages)):
            continue
        seen = {name}
        while below := [each for each in tree.children.get(name, ()) if each not in seen]:
            name = below[-1]
            seen.add(name)
        return name
    if given and messages:
        tally.lossy[NO_SUCH_MESSAGE] += 1
    return None


def _parent(fields: Fields) -> str | None:
    value = fields.get("parentId")
    return value if isinstance(value, str) and value else None


def _is_lost(fields: Fields, count: int) -> bool:
    return (
        count > 1
        and fields.get("role") == "assistant"
        and _parent(fields) is None
        and not fields.get("timestamp")
    )
