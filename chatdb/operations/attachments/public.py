"""All that other nouns of operations may import of attachments."""

from chatdb.operations.attachments.check import (
    check_attachments,
    digests_of,
    missing_digests,
    missing_files,
    tells_of_files,
)
from chatdb.operations.attachments.keeping import (
    LARGEST,
    CountedAttachments,
    KeptAttachments,
    LeftOutFile,
    MetConversations,
    keep_attachments,
    opened_index,
)
from chatdb.operations.attachments.moving import MovedAttachments, copy_attachments
from chatdb.operations.attachments.placing import with_placed_files
from chatdb.operations.attachments.prune import remove_unused
from chatdb.operations.attachments.saved import SavedDigests, saved_digests

__all__ = [
    "LARGEST",
    "CountedAttachments",
    "KeptAttachments",
    "LeftOutFile",
    "MetConversations",
    "MovedAttachments",
    "SavedDigests",
    "check_attachments",
    "copy_attachments",
    "digests_of",
    "keep_attachments",
    "missing_digests",
    "missing_files",
    "opened_index",
    "remove_unused",
    "saved_digests",
    "tells_of_files",
    "with_placed_files",
]
