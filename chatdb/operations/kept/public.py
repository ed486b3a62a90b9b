"""All that other nouns of operations may import of kept."""

from chatdb.operations.kept.files import default_keep_path, new_file
from chatdb.operations.kept.items import FOLDER, KeptSummary, deletions_folder, summarise_kept

__all__ = [
    "FOLDER",
    "KeptSummary",
    "default_keep_path",
    "deletions_folder",
    "new_file",
    "summarise_kept",
]
