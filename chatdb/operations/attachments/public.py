"""All that other nouns of operations may import of attachments."""

from chatdb.operations.attachments.check import missing_digests, missing_files, tells_of_files
from chatdb.operations.attachments.keeping import (
    LARGEST,
    KeptAttachments,
    LeftOutFile,
    MetConversations,
    keep_attachments,
)
from chatdb.operations.attachments.saved import SavedDigests, saved_digests

__all__ = [
    "LARGEST",
    "KeptAttachments",
    "LeftOutFile",
    "MetConversations",
    "SavedDigests",
    "keep_attachments",
    "missing_digests",
    "missing_files",
    "saved_digests",
    "tells_of_files",
]
