"""All that other nouns of operations may import of exporting."""

from chatdb.operations.exporting.exports import find_ids, read_conversations

__all__ = ["find_ids", "read_conversations"]
