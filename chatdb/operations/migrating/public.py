"""All that other nouns of operations may import of migrating."""

from chatdb.operations.migrating.migrate import already_there, bring_up

__all__ = ["already_there", "bring_up"]
