"""All that other nouns of operations may import of attachments."""

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
    "saved_digests",
]
