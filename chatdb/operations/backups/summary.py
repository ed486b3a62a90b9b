"""A backup as a row: what `chatdb backup list`, `create` and `show` print about it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from chatdb.backups.contents import OrganizationContents
from chatdb.backups.inventory import Backup, State
from chatdb.backups.left_out import LeftOut
from chatdb.backups.manifest import BackupFile, Verification
from chatdb.backups.names import Kind, Part
from chatdb.primitives.filled import field_names, filled


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupSummary:
    """What is known about a backup without opening its archive; None if unknown.

    `file` is what to type for it. `verified_at` is when it last passed, `verified_by` how (files,
    restore); `problem` says what is wrong, including what the last verification found.
    """

    name: str
    file: str
    database: str
    database_kind: str | None
    environment: str | None
    kind: Kind | None
    part: Part | None
    organization: str | None
    state: State
    problem: str | None
    made_at: datetime
    seconds: float | None
    bytes: int
    unpacked_bytes: int | None
    revision: str | None
    server_version: str | None
    tool: str | None
    conversations: int | None
    messages: int | None
    attachments: int | None
    newest_message_at: datetime | None
    encryption: str | None
    verified_at: datetime | None
    verified_by: str | None
    needs_superuser: tuple[str, ...]

    @classmethod
    def of(cls, backup: Backup) -> Self:
        """Return the row of a backup."""
        return cls(**_fields(backup))


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedBackup:
    """The result of a verification; `way` is files or restore, `left_out` what is not restored.

    With `warnings` it is still intact.
    """

    name: str
    file: str
    passed: bool
    way: str
    at: datetime
    seconds: float
    problems: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    attachments: int
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, backup: Backup, result: Verification) -> Self:
        """Return the row of a result."""
        return filled(cls, backup, result)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRows:
    """The number of rows in a table."""

    table: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownBackup(BackupSummary):
    """Everything known about a backup: the row, and the contents of its manifest."""

    schema: str | None
    chatdb_version: str | None
    compression: str | None
    recipients: tuple[str, ...]
    content_hash: str | None
    orphans: int | None
    files: tuple[BackupFile, ...]
    rows: dict[str, int]
    organizations: tuple[OrganizationContents, ...]
    verifications: tuple[Verification, ...]

    @classmethod
    def of(cls, backup: Backup) -> Self:
        """Return everything about a backup; without a manifest, its files' names and sizes."""
        manifest = backup.manifest
        contents = None if manifest is None else manifest.contents
        found = tuple(BackupFile(file.name, file.bytes, "") for file in backup.files)
        return filled(
            cls,
            manifest,
            contents,
            **_fields(backup),
            recipients=() if manifest is None else manifest.recipients,
            files=found if manifest is None else manifest.files,
            rows={} if contents is None else contents.rows,
            organizations=() if contents is None else contents.organizations,
            verifications=backup.verifications.verifications,
        )

    def summary(self) -> BackupSummary:
        """Return the row alone."""
        return filled(BackupSummary, self)

    def rows_by_table(self) -> list[TableRows]:
        """Return the counts as rows."""
        return [TableRows(table=table, rows=rows) for table, rows in self.rows.items()]


def _fields(backup: Backup) -> dict[str, Any]:
    manifest = backup.manifest
    passed = backup.verifications.last(passed=True)
    summary = filled(
        BackupSummary,
        backup,
        manifest,
        manifest.contents if manifest is not None and manifest.has_rows else None,
        database=backup.database if manifest is None else manifest.database,
        problem=problem_of(backup),
        made_at=backup.made_at if manifest is None else manifest.created_at,
        seconds=None if manifest is None else round(manifest.seconds, 3),
        attachments=_attachments(backup),
        tool=None if manifest is None else f"{manifest.tool} {manifest.tool_version}",
        verified_at=None if passed is None else passed.at,
        verified_by=None if passed is None else passed.way,
        needs_superuser=() if manifest is None else manifest.needs_superuser,
    )
    return {name: getattr(summary, name) for name in field_names(BackupSummary)}


def _attachments(backup: Backup) -> int | None:
    manifest = backup.manifest
    if manifest is None:
        return None
    return 0 if manifest.attachments is None else manifest.attachments.files


def problem_of(backup: Backup) -> str | None:
    """Return what is wrong: with its files, or what the last verification found."""
    if backup.problem is not None:
        return backup.problem
    last = backup.verifications.last()
    if last is None or last.passed:
        return None
    return f"verification failed: {'; '.join(last.problems)}"
