"""What other nouns use: keeping the files of an export."""

from chatdb.operations.attachments.keeping import (
    LARGEST,
    KeptAttachments,
    LeftOutFile,
    MetConversations,
    keep_attachments,
)

__all__ = ["LARGEST", "KeptAttachments", "LeftOutFile", "MetConversations", "keep_attachments"]
