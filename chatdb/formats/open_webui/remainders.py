"""What Open WebUI has no place for, as chatdb keeps it in the `meta` of a chat and of a message.

It stands there under chatdb's own key, beside the id, and comes back with it.
"""

from datetime import datetime
from typing import Any

from chatdb.formats.open_webui.union import OTHER_COPY
from chatdb.formats.times import parse_time
from chatdb.primitives import canonical
from chatdb.records import MARKS, Conversation, Message

Fields = dict[str, Any]

_TIMES = ("created_at", "updated_at", "starred_at")
_TEXTS = ("author", "attached_text")


def remainder(record: Conversation | Message, *, is_own: bool) -> Fields:
    """Return what a row or a node does not say: exact times, and all metadata from elsewhere."""
    found: Fields = {}
    marks = record.metadata.get(MARKS)
    marks = marks if isinstance(marks, dict) else {}
    for name in _TIMES:
        time = getattr(record, name, None)
        if time is not None and (name == "starred_at" or time.microsecond) and name not in marks:
            found[name] = time.isoformat()
    for name in _TEXTS:
        if getattr(record, name, None):
            found[name] = getattr(record, name)
    if not is_own and record.metadata:
        found["metadata"] = record.metadata
    elif isinstance(record, Conversation) and "time" in marks:
        found["metadata"] = {MARKS: {"time": marks["time"]}}
    return found


def taken_remainder(meta: Any) -> tuple[Any, Fields]:
    """Return a `meta` without what chatdb keeps there, and that."""
    own = meta.get(MARKS) if isinstance(meta, dict) else None
    if not isinstance(own, dict):
        return meta, {}
    return {name: value for name, value in meta.items() if name != MARKS}, own


def restore(record: Conversation | Message, own: Fields) -> None:
    """Set what a remainder says; anything odd in it is left where it is: it may be a stranger's."""
    for name in _TIMES:
        time = parse_time(own.get(name)).at
        if time is not None and hasattr(record, name) and _is_near(getattr(record, name), time):
            setattr(record, name, time)
    for name in _TEXTS:
        if isinstance(own.get(name), str) and hasattr(record, name):
            setattr(record, name, own[name])
    metadata = own.get("metadata")
    if isinstance(metadata, dict):
        here = {name: value for name, value in record.metadata.items() if name != OTHER_COPY}
        marks = {**_marks(here), **_marks(metadata)}
        record.metadata = {
            **here,
            **canonical.copied(metadata),
            **({MARKS: marks} if marks else {}),
        }


def _marks(metadata: Fields) -> Fields:
    marks = metadata.get(MARKS)
    return marks if isinstance(marks, dict) else {}


def _is_near(known: datetime | None, exact: datetime) -> bool:
    """Tell whether an exact time is that of the same second: else the other was changed there."""
    return known is None or int(known.timestamp()) == int(exact.timestamp())
