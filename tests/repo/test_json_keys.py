"""docs/json-keys.md names every key that commands print, in their order."""

import re
from pathlib import Path

import pytest

from chatdb.backups.last_backup import LastBackup
from chatdb.cli.commands.backup.check import CheckedBackups
from chatdb.cli.commands.config import ShownSetting
from chatdb.cli.commands.conversations.branches import MergeSummary
from chatdb.cli.commands.conversations.delete import DeletionSummary
from chatdb.cli.commands.dev_db.report import UpReport
from chatdb.cli.commands.environment import ShownEnvironment
from chatdb.cli.commands.formats import KnownFormat
from chatdb.cli.commands.import_.summary import Explanation, ImportSummary
from chatdb.cli.commands.organizations import OrganizationDeletionSummary
from chatdb.cli.commands.restore.report import UndoneRestore
from chatdb.cli.commands.roles import CreatedRole
from chatdb.db.contract.statistics import StoredObject
from chatdb.db.migrating.catalogue import Difference
from chatdb.db.migrating.migrations import AppliedRevision
from chatdb.operations.attachments.check import AttachmentsCheck
from chatdb.operations.attachments.export import AttachmentsExport
from chatdb.operations.attachments.lists import ListedAttachment
from chatdb.operations.attachments.prune import PrunedAttachments
from chatdb.operations.backups.compare import ConversationChange
from chatdb.operations.backups.prune import PrunedBackup
from chatdb.operations.backups.schedule import ScheduleFile
from chatdb.operations.backups.summary import BackupSummary, ShownBackup, VerifiedBackup
from chatdb.operations.conversations.delete_messages import MessageDeletion
from chatdb.operations.conversations.lists import ConversationSummary
from chatdb.operations.conversations.messages import AddedMessages, ListedMessage
from chatdb.operations.conversations.reindex import ReindexReport
from chatdb.operations.conversations.snapshots import ListedSnapshot, SavedSnapshot
from chatdb.operations.copying.copy_database import CopyReport
from chatdb.operations.dev_db.checkpoints import Checkpoint
from chatdb.operations.dev_db.project_files import ProjectFile
from chatdb.operations.dev_db.status import DevStatus
from chatdb.operations.doctor.findings import Finding
from chatdb.operations.doctor.status import DayCount, StatusReport
from chatdb.operations.importing.report import FileReport, ImportCounts, ImportReport, SkippedItem
from chatdb.operations.kept.entries import KeptDetails, KeptEntry
from chatdb.operations.kept.items import KeptSummary
from chatdb.operations.kept.prune import PrunedItem
from chatdb.operations.organizations.organizations import OrganizationSummary
from chatdb.operations.organizations.users import UserDetails, UserRenaming, UserSummary
from chatdb.operations.restoring.parts import Restored, RestorePlan
from chatdb.operations.restoring.selection import SelectionRestored
from chatdb.operations.schema.environment import EnvironmentChange
from chatdb.operations.schema.plan import Loss, PlannedStatement
from chatdb.operations.schema.schema import RevisionHistory, SchemaStatus
from chatdb.operations.searching.search_index import SearchIndexReport
from chatdb.operations.searching.search_page import Hit
from chatdb.operations.searching.stats import (
    BusyHour,
    LongConversation,
    StatsGroup,
    StatsReport,
    StatsTotals,
)
from chatdb.operations.security.roles import Role
from chatdb.operations.seeding.seed import SeedReport
from chatdb.operations.smoke_test.check import CheckResult
from chatdb.operations.smoke_test.record import SmokeRecord
from chatdb.primitives.filled import field_names
from chatdb.records import Conversation, Organization, Snapshot
from chatdb.store.branching import Branching
from tests.repo.test_commands import EVERY_COMMAND

DOCS = Path(__file__).resolve().parents[2] / "docs"
TEXT = (DOCS / "json-keys.md").read_text()
ROWS: dict[str, str] = dict(re.findall(r"(?m)^\| (`.+?) \| (.+) \|$", TEXT))
"""The cells on the right by those on the left, in all tables of the page."""

TYPES = {
    **dict.fromkeys(
        (
            f"conversations {verb}"
            for verb in (
                *("list", "create", "rename", "star", "unstar", "archive", "unarchive"),
                *("pin", "unpin", "touch"),
            )
        ),
        ConversationSummary,
    ),
    "conversations show": Conversation,
    "conversations fork": Branching,
    "conversations split": Branching,
    "conversations merge": MergeSummary,
    "conversations delete": DeletionSummary,
    "messages add": AddedMessages,
    "messages list": ListedMessage,
    "messages edit": ListedMessage,
    "messages reindex": ReindexReport,
    "messages delete": MessageDeletion,
    "attachments list": ListedAttachment,
    "attachments export": AttachmentsExport,
    "attachments check": AttachmentsCheck,
    "attachments prune": PrunedAttachments,
    "snapshots list": ListedSnapshot,
    "snapshots show": Snapshot,
    "snapshots save": SavedSnapshot,
    "search": Hit,
    "search-index status": SearchIndexReport,
    "search-index check": SearchIndexReport,
    "organizations list": OrganizationSummary,
    "organizations create": Organization,
    "organizations rename": Organization,
    "organizations delete": OrganizationDeletionSummary,
    "users list": UserSummary,
    "users show": UserDetails,
    "users rename": UserRenaming,
    "roles list": Role,
    "roles create": CreatedRole,
    "roles drop": Role,
    "import": ImportSummary,
    "import --explain": Explanation,
    "copy": CopyReport,
    "backup create": BackupSummary,
    "backup list": BackupSummary,
    "backup show": ShownBackup,
    "backup verify": VerifiedBackup,
    "backup diff": ConversationChange,
    "backup prune": PrunedBackup,
    "backup check": CheckedBackups,
    "backup schedule": ScheduleFile,
    "restore": Restored,
    "restore --dry-run": RestorePlan,
    "restore --conversation": SelectionRestored,
    "restore --undo": UndoneRestore,
    "kept list": KeptEntry,
    "kept show": KeptDetails,
    "kept prune": PrunedItem,
    "migrate": AppliedRevision,
    "migrate --plan": PlannedStatement,
    "schema status": SchemaStatus,
    "schema history": RevisionHistory,
    "schema check": Difference,
    "schema downgrade": Loss,
    "environment show": ShownEnvironment,
    "environment set": EnvironmentChange,
    "status": StatusReport,
    "status: last_days": DayCount,
    "status: last_backup": LastBackup,
    "status: kept": KeptSummary,
    "status: last_smoke_test": SmokeRecord,
    "stats": StatsReport,
    "stats: totals": StatsTotals,
    "stats: groups": StatsGroup,
    "stats: longest_conversations": LongConversation,
    "stats: busiest_hours": BusyHour,
    "stats: storage": StoredObject,
    "smoke-test": CheckResult,
    "doctor": Finding,
    "security check": Finding,
    "dev-db up": UpReport,
    "dev-db reset": UpReport,
    "dev-db status": DevStatus,
    "dev-db checkpoint save": Checkpoint,
    "dev-db checkpoint restore": Checkpoint,
    "dev-db checkpoint list": Checkpoint,
    "dev-db checkpoint delete": Checkpoint,
    "init": ProjectFile,
    "seed": SeedReport,
    "config show": ShownSetting,
    "formats": KnownFormat,
}


def keys_of(row: type) -> str:
    """Return the keys as the page writes them."""
    return ", ".join(f"`{name}`" for name in field_names(row))


def row_of(name: str) -> str:
    """Return the page's keys of a command, or of one of its keys."""
    command, colon, key = name.partition(": ")
    return ROWS[f"`{command}`: `{key}`" if colon else f"`{name}`"]


@pytest.mark.parametrize("name", TYPES)
def test_the_page_lists_the_keys_in_their_order(name: str) -> None:
    assert row_of(name) == keys_of(TYPES[name])


def test_the_page_names_every_command_that_prints_data() -> None:
    printing = [
        path
        for path, command in EVERY_COMMAND.items()
        if any("--format" in parameter.opts for parameter in command.params)
    ]

    assert len(printing) > 60
    assert [path for path in printing if f"`{path}`" not in ROWS] == []


@pytest.mark.parametrize("row", [ImportReport, ImportCounts, FileReport, SkippedItem])
def test_the_page_lists_the_keys_of_an_imports_report(row: type) -> None:
    assert keys_of(row) in TEXT


def test_no_other_page_lists_them_again() -> None:
    lists = {keys_of(row) for row in TYPES.values() if len(field_names(row)) > 4}
    pages = [page for page in DOCS.glob("*.md") if page.name != "json-keys.md"]

    assert len(pages) > 20
    assert [
        (page.name, keys)
        for page in pages
        for keys in lists
        if keys in " ".join(page.read_text().split())
    ] == []
