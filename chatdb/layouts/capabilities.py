"""What a layout carries of its system's chats; what it does not declare is lossy, and said so."""

from enum import StrEnum


class Capability(StrEnum):
    """One thing that some systems have and others lack.

    `BRANCHES`: every branch, not only the active one. `TOOLS`, `REASONING`: in columns of their
    own. `TENANTS`: whose a conversation is, by organization or user. `DELETIONS`: what was deleted
    there is told. `INCREMENTAL`: a later import brings what is new. `WRITE_BACK`: export writes
    what it can read.
    """

    BRANCHES = "branches"
    TOOLS = "tools"
    REASONING = "reasoning"
    TENANTS = "tenants"
    DELETIONS = "deletions"
    INCREMENTAL = "incremental"
    WRITE_BACK = "write-back"
