"""Asks before something is destroyed; on production it asks for the database's name as well."""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chatdb.cli.context import CommandContext
from chatdb.cli.diagnostics import is_terminal
from chatdb.errors import ChatdbError, RefusedError

if TYPE_CHECKING:
    from chatdb.db.label import Label
    from chatdb.db.url import DatabaseUrl


@dataclass(frozen=True, slots=True)
class _Guard:
    """The name of a database; `reason` says why it has to be typed, None if it need not be.

    `names` are the accepted spellings.
    """

    names: tuple[str, ...]
    reason: str | None

    @property
    def name(self) -> str:
        return self.names[0]


def would_be(done: str, plan: Sequence[str]) -> str:
    """Return the words of a dry run: the plan that `confirm` would ask about."""
    return "\n  ".join([f"This would be {done}:", *plan])


def confirm(
    command: CommandContext,
    plan: Sequence[str],
    *,
    yes: bool,
    action: str = "delete from",
    url: "DatabaseUrl | None" = None,
    label: "Label | None" = None,
) -> None:
    """Show what will be removed and from which database, and ask; returns if the answer is yes.

    `plan` has a line for each kind of item, with its count ("3 conversations, 120 messages");
    `action` says what is done to the database; `url` is the database if it is not the configured
    one or is replaced as a whole, `label` its known label if it cannot be asked. `--yes` answers
    the question; if the database is labelled production, or does not report its label, its name has
    to be typed too: by `--confirm` or on the terminal. Raises RefusedError if the answer is no, or
    if there is no terminal to ask on.
    """
    target = command.url if url is None else url
    guard = _guard(command, target, label, whole=url is not None)
    typed = command.options.confirm
    if typed is not None and typed not in guard.names:
        raise RefusedError(
            f"not confirmed: the database is {guard.name}, not {typed}; nothing was changed",
            hint="check the URL: chatdb config show",
        )
    reason = guard.reason if typed is None else None
    if yes and reason is None:
        return
    lines = [f"This will {action} {target.redacted()}:", *(f"  {line}" for line in plan)]
    command.diagnostics.block("\n".join(lines))
    if not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
        raise _nobody_to_ask(guard.name, reason, yes=yes)
    if reason is not None:
        command.diagnostics.warning(reason)
        answer = command.diagnostics.ask(f"Type its name ({guard.name}) to go ahead:")
        if answer.strip() not in guard.names:
            raise RefusedError("not confirmed; nothing was changed")
    elif command.diagnostics.ask("Go ahead? [y/N]").strip().lower() not in ("y", "yes"):
        raise RefusedError("not confirmed; nothing was changed")


def confirm_removal(
    command: CommandContext, heading: str, plan: Sequence[str], *, yes: bool
) -> None:
    """Ask before files outside the database are removed; `heading` says what is removed, and where.

    Raises RefusedError if the answer is no, or if there is no terminal to ask on.
    """
    if yes:
        return
    command.diagnostics.block("\n".join([heading, *(f"  {line}" for line in plan)]))
    if not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
        raise RefusedError(
            "not confirmed (no terminal to prompt on); nothing was removed",
            hint="add --yes to go ahead",
        )
    if command.diagnostics.ask("Go ahead? [y/N]").strip().lower() not in ("y", "yes"):
        raise RefusedError("not confirmed; nothing was removed")


def _guard(
    command: CommandContext, url: "DatabaseUrl", known: "Label | None", *, whole: bool
) -> _Guard:
    from chatdb.db.label import PRODUCTION, look_at_label

    try:
        label = known or look_at_label(url, schema=command.schema, whole=whole)
    except ChatdbError as error:
        name = url.database if url.path is None else url.path.name
        if not name:
            raise
        reason = f"{url.redacted()} does not report whether it is {PRODUCTION}: {error.text}"
        return _Guard(_names(url, name), reason)
    reason = f"{url.redacted()} is labelled {PRODUCTION}"
    return _Guard(_names(url, label.name), reason if label.environment == PRODUCTION else None)


def _names(url: "DatabaseUrl", name: str) -> tuple[str, ...]:
    """Return the accepted names of a database: a file may be named without its extension."""
    return (name,) if url.path is None else (name, url.path.stem)


def _nobody_to_ask(name: str, reason: str | None, *, yes: bool) -> RefusedError:
    words = [] if yes else ["--yes"]
    if reason is None:
        text = "there is no terminal to prompt on"
    else:
        text = reason
        words.append(f"--confirm {shlex.quote(name)}")
    return RefusedError(
        f"not confirmed: {text}; nothing was changed", hint=f"add {' '.join(words)} to go ahead"
    )
