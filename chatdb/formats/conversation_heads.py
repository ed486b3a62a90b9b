"""What stands at the head of a conversation in a transcript."""

from chatdb.formats.markdown_text import one_line
from chatdb.formats.times import is_known
from chatdb.records import Conversation
from chatdb.store.columns import FLAGS

UNTITLED = "Untitled"


def title_of(record: Conversation) -> str:
    """Return the title on one line."""
    return one_line(record.title or "") or UNTITLED


def models_of(record: Conversation) -> list[str]:
    """Return the names of the models that answered, each once."""
    return list(dict.fromkeys(one_line(each.model) for each in record.messages if each.model))


def marks_of(record: Conversation) -> list[str]:
    """Return `starred`, `pinned`, `archived`, as they hold."""
    return [name for name, column in FLAGS.items() if getattr(record, column) is not None]


def days_of(record: Conversation) -> list[str]:
    """Return the day it was created and the day it was updated, one if they are the same."""
    times = [each for each in (record.created_at, record.updated_at) if is_known(each)]
    return list(dict.fromkeys(each.date().isoformat() for each in times))


def names_of(record: Conversation) -> list[str]:
    """Return whose it is, where it comes from, and the models, as far as they are known."""
    names = (record.organization, record.user_id, record.source, record.source_name)
    return [*(one_line(each) for each in names if each), *models_of(record)]
