"""All that other nouns of operations may import of dev_db."""

from chatdb.operations.dev_db.memory import Remembered, project_at

__all__ = ["Remembered", "project_at"]
