"""Restores in words: what replaces what, what was done, how to undo it."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from chatdb.backups.left_out import left_out_lines
from chatdb.cli.text import counted
from chatdb.primitives.sizes import size_text

if TYPE_CHECKING:
    from chatdb.db.contract.replacement import KeptDatabase
    from chatdb.operations.restoring.parts import Restored, RestorePlan

_TABLES_SHOWN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoneRestore:
    """What `--undo` put back, when it was replaced, and what the current one is kept as."""

    database: str
    put_back: str
    until: datetime
    kept: str | None
    dry_run: bool = False


def utc_text(time: datetime) -> str:
    """Write a time for people."""
    return f"{time:%Y-%m-%d %H:%M:%S}Z"


def plan_lines(plan: "RestorePlan", into: str | None) -> list[str]:
    """Return what a restore puts in place, and what happens to the current contents."""
    return list(_plan_lines(plan, into))


def _plan_lines(plan: "RestorePlan", into: str | None) -> Iterator[str]:
    yield f"by {plan.backup} of {utc_text(plan.made_at)}"
    if plan.conversations is not None and plan.messages is not None:
        conversations = counted(plan.conversations, "conversation")
        yield f"with {conversations} and {counted(plan.messages, 'message')}"
    if plan.migrates_to is not None:
        yield f"its schema is brought from revision {plan.revision} to {plan.migrates_to}"
    yield from plan.remarks
    if plan.in_place:
        yield "(the current contents are backed up first; other tables stay)"
    elif plan.replaces:
        undo = shlex.join(["chatdb", "restore", "--undo", *(["--into", into] if into else [])])
        yield f"(the current database is kept; {undo} puts it back)"
    else:
        yield "(the database does not exist yet)"


def restored_lines(done: "Restored") -> list[str]:
    """Return what was restored, with its counts."""
    lines = [f"restored {done.backup} into {done.database}"]
    took = f"in {done.seconds:.1f} s, compared in {done.check_seconds:.1f} s"
    if done.conversations is not None and done.messages is not None:
        counts = (
            f"{counted(done.conversations, 'conversation')}, {counted(done.messages, 'message')}"
        )
        lines.append(f"{counts}, revision {done.revision}, {took}")
        return [*lines, *_left_out_lines(done)]
    shown = list(done.rows.items())[:_TABLES_SHOWN]
    lines += [f"  {name}: {counted(count, 'row')}" for name, count in shown]
    if len(done.rows) > len(shown):
        lines.append(f"  and {counted(len(done.rows) - len(shown), 'table')} more")
    lines.append(f"{counted(sum(done.rows.values()), 'row')} {took}")
    return [*lines, *_left_out_lines(done)]


def _left_out_lines(done: "Restored") -> list[str]:
    if not done.left_out:
        return list(done.bound)
    heading = (
        f"{counted(len(done.left_out), 'object')} outside chatdb's tables could not be created:"
    )
    return [*done.bound, heading, *(f"  {line}" for line in left_out_lines(done.left_out))]


def kept_lines(kept: "KeptDatabase", *, is_there: bool) -> list[str]:
    """Return what `--undo` puts back."""
    size = size_text(kept.bytes)
    lines = [f"by {kept.name}, in use until {utc_text(kept.kept_at)} ({size})"]
    if is_there:
        lines.append("(the current database is kept; --undo puts it back again)")
    return lines


def way_back(kept: str | None, into: str | None, *, saved: str | None = None) -> list[str]:
    """Return where the replaced database is, and the command that restores it."""
    place = ["--into", into] if into else []
    if saved is not None:
        words = ["chatdb", "restore", saved, "--in-place", *place]
        return [f"the previous contents were backed up; to restore them: {shlex.join(words)}"]
    if kept is None:
        return []
    words = ["chatdb", "restore", "--undo", *place]
    return [f"the replaced database is kept as {kept}; to put it back: {shlex.join(words)}"]
