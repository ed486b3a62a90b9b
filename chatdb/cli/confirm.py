"""Asking before something is destroyed."""

import sys
from collections.abc import Sequence

from chatdb.cli.context import CommandContext
from chatdb.cli.diagnostics import is_terminal
from chatdb.errors import RefusedError


def confirm(
    command: CommandContext,
    plan: Sequence[str],
    *,
    yes: bool,
    action: str = "delete from",
    place: str | None = None,
) -> None:
    """Show what will go and from which database, and ask; returns when the answer is yes.

    `plan` has a line for each kind of thing, with its count ("3 conversations, 120 messages");
    `action` is what is done to the database; `place` another one than the configured, redacted.
    `--yes` answers. Raises RefusedError when the answer is no, or when nobody can be asked.
    """
    database = command.url.redacted() if place is None else place
    if yes:
        return
    lines = [f"This will {action} {database}:", *(f"  {line}" for line in plan)]
    command.diagnostics.block("\n".join(lines))
    if not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
        raise RefusedError(
            "not confirmed: there is no terminal to ask on; nothing was changed",
            hint="add --yes to go ahead",
        )
    if command.diagnostics.ask("Go ahead? [y/N]").strip().lower() not in ("y", "yes"):
        raise RefusedError("not confirmed; nothing was changed")
