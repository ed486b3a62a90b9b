"""Making seeds in tests, and what they look like as bytes."""

import hashlib
from collections import Counter

from chatdb.formats.native import conversation_line
from chatdb.records import Conversation
from chatdb.seeds.conversations import conversations
from chatdb.seeds.people import ORGANIZATIONS
from chatdb.seeds.plan import SeedOptions, SeedPlan


def made(options: SeedOptions) -> list[Conversation]:
    """Return all that a run makes, one organization after the other."""
    plan = SeedPlan(options)
    if options.organization_key is not None:
        return list(conversations(plan, options.organization_key, whole_plan=True))
    return [
        record for key in ORGANIZATIONS for record in conversations(plan, key, whole_plan=False)
    ]


def digest(records: list[Conversation]) -> str:
    """Return a digest of the records as native lines."""
    return hashlib.sha256(b"".join(map(conversation_line, records))).hexdigest()


def has_branches(record: Conversation) -> bool:
    """Tell whether some message has two answers, or was written twice."""
    return max(Counter(each.parent_id for each in record.messages).values()) > 1
