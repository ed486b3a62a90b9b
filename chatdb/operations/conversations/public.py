"""All that other nouns of operations may import of conversations."""

from chatdb.operations.conversations import changes, messages
from chatdb.operations.conversations.lists import list_page, read_conversation
from chatdb.operations.conversations.messages import NewMessage

__all__ = ["NewMessage", "changes", "list_page", "messages", "read_conversation"]
