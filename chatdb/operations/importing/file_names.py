"""The names of attachments, which an export may tell in another file than the messages.

Who imports the conversations alone, after the whole export, must not lose them again.
"""

from typing import Any

from msgspec.structs import replace

from chatdb.records import Message

_TOLD = ("id", "name")


def with_names_kept(held: Message, message: Message) -> Message:
    """Return the message, its attachments with the ids and names that the stored ones have."""
    mine, theirs = held.attachments, message.attachments
    if mine == theirs or not isinstance(mine, list) or not isinstance(theirs, list):
        return message
    if len(mine) == len(theirs):
        kept = [_with_name(*pair) for pair in zip(mine, theirs, strict=True)]
        if kept != theirs:
            return replace(message, attachments=kept)
    return message


def _with_name(mine: Any, theirs: Any) -> Any:
    """Return an entry of the source with what the stored one tells beside the same fields."""
    if not isinstance(mine, dict) or not isinstance(theirs, dict):
        return theirs
    told = {name: mine[name] for name in _TOLD if name in mine and name not in theirs}
    return mine if told and {**theirs, **told} == mine else theirs
