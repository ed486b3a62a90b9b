"""What `chatdb import` prints: the summary of a run and the explanation of a file."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chatdb.cli.text import counted

if TYPE_CHECKING:
    from chatdb.operations.imports_report import FileReport, ImportReport


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """The answer of an import: conversations by what became of them, messages written."""

    outcome: str
    dry_run: bool
    new: int
    updated: int
    unchanged: int
    deleted_here: int
    skipped: int
    messages_new: int
    messages_changed: int
    replaced_characters: int
    files: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a file or database holds, by a look at all of it; `rows` of each table."""

    path: str
    format: str | None
    versions: dict[str, int]
    conversations: int
    messages: int
    skipped: int
    replaced_characters: int
    content_types: dict[str, int]
    unknown_fields: dict[str, int]
    lossy: dict[str, int]
    rows: dict[str, int]
    ignored_files: int


def summary(report: "ImportReport") -> ImportSummary:
    """Return the summary of a report."""
    counts = report.counts
    return ImportSummary(
        outcome=report.outcome,
        dry_run=report.dry_run,
        new=counts.new,
        updated=counts.updated,
        unchanged=counts.unchanged,
        deleted_here=counts.deleted_here,
        skipped=counts.skipped,
        messages_new=counts.messages_new,
        messages_changed=counts.messages_changed,
        replaced_characters=report.replaced_characters,
        files=len(report.files),
    )


def notes(report: "ImportReport") -> Iterator[str]:
    """Yield what a person should know beside the numbers, and the next command."""
    from chatdb.db.search_index import COMPLETE_HINT

    counts = report.counts
    if report.dry_run:
        yield "nothing was written; leave out --dry-run to import"
    elif counts.new:
        added = f"{counted(counts.new, 'new conversation')}"
        added += f" with {counted(counts.messages_new, 'new message')}"
        yield f"{added}; to see what is there: chatdb conversations list"
    if report.replaced_characters:
        characters = counted(report.replaced_characters, "character")
        yield f"{characters} that no database can hold became U+FFFD; metadata has the originals"
    if counts.deleted_here:
        gone = counted(counts.deleted_here, "conversation")
        yield f"left out {gone} deleted here; --restore-deleted brings back what was deleted"
    for each in report.files:
        if each.other_source_names:
            names, first = ", ".join(each.other_source_names), each.other_source_names[0]
            yield (
                f"all of {each.path} is new under the source name {each.source_name}, and"
                f" {each.format} is here under {names} already: if both are one installation,"
                f" import it by the same name: --source-name {shlex.quote(first)}"
            )
    if report.search_index in ("off", "deferred"):
        yield f"there is no full-text index yet; build it: {COMPLETE_HINT}"


def explanation(report: "FileReport") -> Explanation:
    """Return what a file's report tells of its contents."""
    return Explanation(
        path=report.path,
        format=report.format,
        versions=report.versions,
        conversations=report.counts.new,
        messages=report.counts.messages_new,
        skipped=report.counts.skipped,
        replaced_characters=report.replaced_characters,
        content_types=report.content_types,
        unknown_fields=report.unknown_fields,
        lossy=report.lossy,
        rows={table: counts.read for table, counts in report.rows.items()},
        ignored_files=report.ignored_files,
    )
