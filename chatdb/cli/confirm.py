"""Asking before something is destroyed; on production for the database's name as well."""

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
    """What a database is called; `reason` says why its name has to be typed, None if it need not.

    `names` are those that are taken for it.
    """

    names: tuple[str, ...]
    reason: str | None

    @property
    def name(self) -> str:
        return self.names[0]


def confirm(
    command: CommandContext,
    plan: Sequence[str],
    *,
    yes: bool,
    action: str = "delete from",
    url: "DatabaseUrl | None" = None,
    label: "Label | None" = None,
) -> None:
    """Show what will go and from which database, and ask; returns when the answer is yes.

    `plan` has a line for each kind of thing, with its count ("3 conversations, 120 messages");
    `action` is what is done to the database; `url` is the database where it is done as a whole
    or is another one than the configured, `label` what is known of one that cannot be asked.
    `--yes` answers; where the database is labelled
    production, or does not tell, its name has to be typed too: by `--confirm` or on the terminal.
    Raises RefusedError when the answer is no, or when nobody can be asked.
    """
    target = command.url if url is None else url
    guard = _guard(command, target, label, whole=url is not None)
    typed = command.options.confirm
    if typed is not None and typed not in guard.names:
        raise RefusedError(
            f"not confirmed: the database is {guard.name}, not {typed}; nothing was changed",
            hint="check the address: chatdb config show",
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
    """Ask before files are removed that are not the database's; `heading` says what goes, where.

    Raises RefusedError when the answer is no, or when nobody can be asked.
    """
    if yes:
        return
    command.diagnostics.block("\n".join([heading, *(f"  {line}" for line in plan)]))
    if not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
        raise RefusedError(
            "not confirmed: there is no terminal to ask on; nothing was removed",
            hint="add --yes to go ahead",
        )
    if command.diagnostics.ask("Go ahead? [y/N]").strip().lower() not in ("y", "yes"):
        raise RefusedError("not confirmed; nothing was removed")


def _guard(
    command: CommandContext, url: "DatabaseUrl", known: "Label | None", *, whole: bool
) -> _Guard:
    from chatdb.db.label import PRODUCTION, look_at_label

    setting = command.config.schema
    schema = None if setting is None else setting.value
    try:
        label = known or look_at_label(url, schema=schema, whole=whole)
    except ChatdbError as error:
        name = url.database if url.path is None else url.path.name
        if not name:
            raise
        reason = f"{url.redacted()} does not tell whether it is {PRODUCTION}: {error.text}"
        return _Guard(_names(url, name), reason)
    reason = f"{url.redacted()} is labelled {PRODUCTION}"
    return _Guard(_names(url, label.name), reason if label.environment == PRODUCTION else None)


def _names(url: "DatabaseUrl", name: str) -> tuple[str, ...]:
    """Return the names that are taken for a database: a file may be named without its ending."""
    return (name,) if url.path is None else (name, url.path.stem)


def _nobody_to_ask(name: str, reason: str | None, *, yes: bool) -> RefusedError:
    words = [] if yes else ["--yes"]
    if reason is None:
        text = "there is no terminal to ask on"
    else:
        text = reason
        words.append(f"--confirm {shlex.quote(name)}")
    return RefusedError(
        f"not confirmed: {text}; nothing was changed", hint=f"add {' '.join(words)} to go ahead"
    )
