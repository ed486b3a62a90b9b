"""All that other nouns of operations may import of restoring."""

from chatdb.operations.restoring.parts import RestoreOptions
from chatdb.operations.restoring.scratch_restore import Trial, verify_by_restoring

__all__ = ["RestoreOptions", "Trial", "verify_by_restoring"]
