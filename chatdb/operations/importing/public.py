"""All that other nouns of operations may import of importing."""

from chatdb.operations.importing.files import import_files
from chatdb.operations.importing.imports import ImportOptions, ImportRun
from chatdb.operations.importing.inputs import find_inputs
from chatdb.operations.importing.preview import preview
from chatdb.operations.importing.report import ImportCounts, Placed, SkippedItem

__all__ = [
    "ImportCounts",
    "ImportOptions",
    "ImportRun",
    "Placed",
    "SkippedItem",
    "find_inputs",
    "import_files",
    "preview",
]
