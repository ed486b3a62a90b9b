"""What `chatdb import` prints: the summary of a run and the description of a file."""

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from chatdb.cli.text import counted, one_line
from chatdb.primitives.filled import filled

if TYPE_CHECKING:
    from chatdb.formats.base import IgnoredFile
    from chatdb.operations.attachments.public import KeptAttachments
    from chatdb.operations.importing.report import FileReport, ImportReport

_LONGEST_KEY = 40
_KEYS_SHOWN = 5
REASONS_SHOWN = 12


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """The result of an import: conversations by outcome, and messages written.

    `kinds` counts the conversations of the source that are not chats but documents, memories or
    canvases. `ignored_files` are the files of folders and archives that were not read; in a table,
    their number for each reason. `attachments` is what was kept, None if that was not asked for; in
    a table, the numbers.
    """

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
    kinds: dict[str, int]
    files: int
    ignored_files: "Sequence[IgnoredFile] | dict[str, int]"
    attachments: "KeptAttachments | dict[str, int] | None"


@dataclass(frozen=True, slots=True)
class Explanation:
    """The contents of a file or database, found by reading all of it; `rows` of each table.

    `kinds` counts conversations that are not chats, `organizations` those by the organization a
    native file names.
    """

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
    kinds: dict[str, int]
    organizations: dict[str, int]
    rows: dict[str, int]
    ignored_files: "Sequence[IgnoredFile] | dict[str, int]"


def summary(report: "ImportReport", *, brief: bool) -> ImportSummary:
    """Return the summary of a report; a brief one has ignored files by reason, not by name."""
    counts = report.counts
    ignored = [file for each in report.files for file in each.ignored_files]
    return filled(
        ImportSummary,
        counts,
        report,
        kinds=dict(sum((Counter(each.kinds) for each in report.files), Counter())),
        files=len(report.files),
        ignored_files=_by_reason(ignored) if brief else ignored,
        attachments=_numbers(report.attachments) if brief else report.attachments,
    )


def _numbers(kept: "KeptAttachments | None") -> dict[str, int]:
    """Return what there is any of."""
    named = () if kept is None else [(each.name, getattr(kept, each.name)) for each in fields(kept)]
    numbers = {name: len(value) if isinstance(value, list) else value for name, value in named}
    return {name: value for name, value in numbers.items() if value}


def notes(report: "ImportReport", *, typed_org: str | None = None) -> Iterator[str]:
    """Yield notes beside the numbers, and the next command.

    `typed_org` is the organization that the command named.
    """
    from chatdb.db.contract.search_index import COMPLETE_HINT

    counts = report.counts
    yield from _organization_notes(report)
    if not (counts.new or counts.updated or counts.skipped) and counts.unchanged:
        is_one = counts.unchanged == 1
        what = "the conversation is" if is_one else f"all {counts.unchanged:,} conversations are"
        yield f"nothing new: {what} here already"
    elif counts.new and not report.dry_run:
        added = f"{counted(counts.new, 'new conversation')}"
        added += f" with {counted(counts.messages_new, 'new message')}"
        org = "" if typed_org is None else f" --org {shlex.quote(one_line(typed_org))}"
        org = " --all-orgs" if report.all_organizations else org
        # Documents, memories and canvases are in no list that does not ask for them.
        kinds = " --kind all" if any(each.kinds for each in report.files) else ""
        yield f"{added}; to see what is there: chatdb list{kinds}{org}"
    if report.replaced_characters:
        characters = counted(report.replaced_characters, "character")
        yield (
            f"{characters} that no database can store replaced with U+FFFD; originals are in "
            "the metadata"
        )
    if counts.deleted_here:
        gone = counted(counts.deleted_here, "conversation")
        yield f"left out {gone} deleted here; --restore-deleted restores deleted items"
    for each in report.files:
        if each.other_source_names:
            names, first = ", ".join(each.other_source_names), each.other_source_names[0]
            yield (
                f"all of {each.path} is new under the source name {each.source_name}, and "
                f"{each.format} is already here under {names}: if both are one installation, "
                f"import it under the same name: --source-name {shlex.quote(first)}"
            )
    if report.search_index in ("off", "deferred"):
        yield f"there is no full-text index yet; to build it: {COMPLETE_HINT}"


def _organization_notes(report: "ImportReport") -> Iterator[str]:
    """Report which organizations were made, and where conversations of others went."""
    made = report.organizations_made
    if made:
        what = "the organization" if len(made) == 1 else f"{len(made):,} organizations:"
        yield f"{'would make' if report.dry_run else 'made'} {what} {_some(made)}"
    own = one_line(report.organization, limit=_LONGEST_KEY)
    goes = "would go" if report.dry_run else "went"
    if report.all_organizations:
        if any(map(_has_unnamed, report.files)):
            yield f"conversations that name no organization {goes} into {own}"
        return
    named: Counter[str] = Counter()
    for each in report.files:
        named.update(each.organizations)
    del named[report.organization]
    if named:
        keys = [f"{key} ({count:,})" for key, count in named.most_common()]
        what = "what was not skipped" if report.counts.skipped else "all of it"
        yield (
            f"{what} {goes} into the organization {own}, though the file names"
            f" {_some(keys)}; --all-orgs imports each conversation into its own"
        )


def _has_unnamed(report: "FileReport") -> bool:
    """Tell whether a file has conversations that name no organization."""
    counts = report.counts
    there = counts.conversations + counts.deleted_here
    return not report.rows and there > sum(report.organizations.values())


def _some(keys: Sequence[str]) -> str:
    """Write the first keys, and how many more there are."""
    shown = ", ".join(one_line(key, limit=_LONGEST_KEY) for key in keys[:_KEYS_SHOWN])
    more = len(keys) - _KEYS_SHOWN
    return f"{shown} and {more:,} more" if more > 0 else shown


def explanation(report: "FileReport", *, brief: bool) -> Explanation:
    """Return the contents that a file's report lists; brief like a summary."""
    ignored = report.ignored_files
    return filled(
        Explanation,
        report,
        conversations=report.counts.new,
        messages=report.counts.messages_new,
        skipped=report.counts.skipped,
        rows={table: counts.read for table, counts in report.rows.items()},
        ignored_files=_by_reason(ignored) if brief else ignored,
    )


def _by_reason(ignored: "Sequence[IgnoredFile]") -> dict[str, int]:
    """Count ignored files by reason, the most frequent first."""
    counted_reasons = Counter(each.reason for each in ignored).most_common()
    shown = dict(counted_reasons[:REASONS_SHOWN])
    if len(counted_reasons) > REASONS_SHOWN:
        shown["other reasons"] = sum(count for _, count in counted_reasons[REASONS_SHOWN:])
    return shown
