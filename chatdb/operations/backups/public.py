"""All that other nouns of operations may import of backups."""

from chatdb.operations.backups.create import create_backup
from chatdb.operations.backups.parts import BackupOptions

__all__ = ["BackupOptions", "create_backup"]
