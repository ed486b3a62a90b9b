"""All that other nouns of operations may import of copying."""

from chatdb.operations.copying.state import standing_copy

__all__ = ["standing_copy"]
