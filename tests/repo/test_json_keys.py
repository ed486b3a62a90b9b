"""The documents name every key of the JSON that commands on tenants and conversations print."""

import re
from pathlib import Path

import pytest

from chatdb.cli.commands.messages import DeletedMessages
from chatdb.cli.commands.organizations import OrganizationDeletionSummary
from chatdb.cli.commands.roles import CreatedRole
from chatdb.cli.conversations.branches import MergeSummary
from chatdb.cli.conversations.deletion import DeletionSummary
from chatdb.cli.output import field_names
from chatdb.operations.conversation_branches import Branching
from chatdb.operations.conversations import ConversationSummary
from chatdb.operations.doctor_findings import Finding
from chatdb.operations.messages import AddedMessages, ListedMessage
from chatdb.operations.organizations import OrganizationSummary
from chatdb.operations.roles import Role
from chatdb.operations.smoke_record import SmokeRecord
from chatdb.operations.snapshots import ListedSnapshot, SavedSnapshot
from chatdb.operations.stats import LongConversation, StatsGroup, StatsReport, StatsTotals
from chatdb.operations.users import UserDetails, UserRenaming, UserSummary
from chatdb.records import Organization, Snapshot
from chatdb.workflows.kept_entries import KeptDetails, KeptEntry
from chatdb.workflows.kept_prune import PrunedItem
from chatdb.workflows.seed_database import SeedReport
from chatdb.workflows.smoke_check import CheckResult
from chatdb.workflows.status import StatusReport

DOCS = Path(__file__).resolve().parents[2] / "docs"
IN_ONE_LIST = {
    "conversations.md": (
        *(ConversationSummary, DeletionSummary, Branching, AddedMessages, ListedMessage),
        *(DeletedMessages, SavedSnapshot, ListedSnapshot, Snapshot),
    ),
    "tenants.md": (
        *(OrganizationSummary, Organization, OrganizationDeletionSummary, UserSummary),
        *(UserDetails, UserRenaming, Role, CreatedRole, Finding),
    ),
    "kept.md": (KeptEntry,),
    "status.md": (StatsGroup, StatsTotals, LongConversation, SmokeRecord),
}
"""Types of which a document lists all keys one after another, in the order of the JSON."""
IN_PLACES = {
    "conversations.md": (MergeSummary,),
    "kept.md": (KeptDetails, PrunedItem),
    "seed.md": (SeedReport,),
    "smoke-test.md": (CheckResult,),
    "status.md": (StatusReport, StatsReport),
}
"""Types whose keys have a place each."""


def text_of(name: str) -> str:
    """Return a document without what stands in brackets, without marks, on one line."""
    text = re.sub(r" \([^()]*\)", "", (DOCS / name).read_text())
    return " ".join(text.replace("`", "").split())


@pytest.mark.parametrize(
    ("document", "row"), [(name, row) for name, rows in IN_ONE_LIST.items() for row in rows]
)
def test_a_document_lists_the_keys_in_their_order(document: str, row: type) -> None:
    keys = re.escape(", ".join(field_names(row)))

    assert re.search(rf"[:|] {keys}(?!, \w)", text_of(document)), keys


@pytest.mark.parametrize(
    ("document", "row"), [(name, row) for name, rows in IN_PLACES.items() for row in rows]
)
def test_a_document_has_each_key(document: str, row: type) -> None:
    words = set(re.findall(r"\w+", (DOCS / document).read_text()))

    assert set(field_names(row)) <= words
