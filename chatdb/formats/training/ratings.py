"""How a source's users rated an answer, and which of several answers is preferred."""

from typing import Any

from chatdb.records import Message

_KEYS = ("rating", "feedback", "chat_feedback", "annotation", "feedback_score")
"""Where sources keep it in a message's metadata: Claude's API in `chat_feedback`, LibreChat in
`feedback`, Open WebUI in `annotation`, applications of one's own as they like."""
_VALUES = ("rating", "type", "value", "score", "thumb")
_UP = {"up", "upvote", "thumbsup", "thumbs_up", "like", "liked", "good", "positive", "helpful"}
_DOWN = {"down", "downvote", "thumbsdown", "thumbs_down", "dislike", "disliked", "bad"} | {
    *("negative", "unhelpful", "flag", "harmful")
}


def rating_of(message: Message) -> int:
    """Return 1 for an answer that was rated up, -1 for down, 0 for neither."""
    inner = message.metadata.get("metadata")
    for fields in (message.metadata, inner if isinstance(inner, dict) else {}):
        for key in _KEYS:
            if found := _rating(fields.get(key)):
                return found
    return 0


def _rating(value: Any) -> int:
    if isinstance(value, dict):
        return next(filter(None, (_rating(value.get(name)) for name in _VALUES)), 0)
    if isinstance(value, bool):
        return 1 if value else -1
    if isinstance(value, str):
        word = value.strip().lower()
        if word in ("1", "+1", "-1"):
            return int(word)
        return 1 if word in _UP else -1 if word in _DOWN else 0
    # Stars would need their scale: only what is a thumb is read.
    return int(value) if value in (1, -1) else 0


Score = tuple[int, bool]
"""A rating, and whether it is on the active branch: the greater one is preferred."""
