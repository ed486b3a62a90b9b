"""Backups in words: the lines printed after one is made, and the short row of a list."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from chatdb.backups.left_out import left_out_lines
from chatdb.cli.progress import duration_text
from chatdb.cli.text import ago, counted, one_line
from chatdb.primitives.sizes import size_text

if TYPE_CHECKING:
    from chatdb.backups.manifest import Manifest, Verification
    from chatdb.operations.backups.summary import BackupSummary

_DAY = 86_400
_HOW = {"restore": ", restored", "checksums": ", checksums"}


def created_lines(summary: "BackupSummary") -> list[str]:
    """Return the lines that describe a new backup: its file and its contents."""
    parts = [size_text(summary.bytes)]
    if summary.conversations is not None and summary.messages is not None:
        parts.append(counted(summary.conversations, "conversation"))
        parts.append(counted(summary.messages, "message"))
        if summary.attachments:
            parts.append(counted(summary.attachments, "attachment"))
    else:
        parts.append("schema only")
    if summary.revision is not None:
        parts.append(f"revision {summary.revision}")
    return [summary.file, f"{', '.join(parts)}, in {summary.seconds or 0:.1f} s"]


def created_figures(summary: "BackupSummary") -> dict[str, object]:
    """Return the figures of a new backup for the notify URL."""
    return {
        "file": summary.file,
        "bytes": summary.bytes,
        "conversations": summary.conversations,
        "messages": summary.messages,
        "revision": summary.revision,
    }


def verified_lines(
    name: str, result: "Verification", manifest: "Manifest | None" = None
) -> list[str]:
    """Return the lines that describe the result of a verification.

    Of a backup that was restored, `manifest` says what it was compared with.
    """
    if result.passed and result.way == "checksums":
        return [
            f"{name} is encrypted and its checksums match; to verify its contents: --identity FILE"
        ]
    figures = f"{result.seconds:.1f} s"
    if result.attachments:
        figures = f"{counted(result.attachments, 'attachment')}, {figures}"
    compared = [f"  {_compared(manifest)}"] if result.way == "restore" else []
    if result.passed and not result.left_out:
        return [f"{name} is intact ({figures})", *compared]
    if result.passed:
        left_out = (f"  {line}" for line in left_out_lines(result.left_out))
        return [f"{name} is intact ({figures}), restorable except for:", *left_out, *compared]
    return [f"{name} is not intact:", *(f"  {problem}" for problem in result.problems)]


def _compared(manifest: "Manifest | None") -> str:
    """Return what a restored backup was compared with."""
    if manifest is None:
        return "restored; it has no manifest to compare with"
    contents = manifest.contents
    what = [
        counted(contents.conversations, "conversation"),
        counted(contents.messages, "message"),
        counted(len(contents.organizations), "organization"),
    ]
    if contents.rows:
        what.append(f"the rows of {counted(len(contents.rows), 'table')}")
    return f"restored, and compared with its manifest: {', '.join(what)}, every content hash"


def cells_of(summary: "BackupSummary") -> dict[str, Any]:
    """Return a backup's cells in a table; `verified` is how long ago, and how, or a problem."""
    now = datetime.now(UTC)
    return {
        "name": summary.name,
        "age": age_text(summary.made_at, now),
        "size": summary.bytes,
        "revision": summary.revision,
        "messages": summary.messages,
        "verified": _verified(summary, now),
    }


def age_text(since: datetime, now: datetime) -> str:
    """Write how old something is: "45 s", "2 h 5 min", "3 days"."""
    seconds = (now - since).total_seconds()
    days = int(seconds // _DAY)
    return duration_text(max(0.0, seconds)) if days < 2 else f"{days} days"


def _verified(summary: "BackupSummary", now: datetime) -> str:
    if summary.problem is not None:
        state = summary.state if summary.state != "complete" else "damaged"
        return f"{state}: {one_line(summary.problem, limit=70)}"
    if summary.verified_at is not None:
        return ago(summary.verified_at, now) + _HOW.get(summary.verified_by or "", "")
    return "another tool's" if summary.state == "foreign" else "never"
