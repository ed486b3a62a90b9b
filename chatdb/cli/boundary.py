"""Turns errors into text and an exit code, in one place: the root group of the app.

Everything below raises `ChatdbError` for what the user can act on; any other exception is a bug and
keeps its traceback (exit 1).
"""

import errno
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import typer

from chatdb import config as settings
from chatdb.cli.diagnostics import Diagnostics
from chatdb.cli.lazy_group import LazyGroup
from chatdb.cli.next_command import for_the_same_database
from chatdb.cli.options import GlobalOptions
from chatdb.errors import ChatdbError, ExitCode, NotFoundError, StorageError, UsageError

_STORAGE_ERRORS = {
    errno.ENOSPC: "free some space, or choose another location",
    errno.EDQUOT: "free some space, or choose another location",
    errno.EFBIG: "choose a file system that allows files of this size",
    errno.EACCES: "check the permissions of the file and its directory",
    errno.EPERM: "check the permissions of the file and its directory",
    errno.EROFS: "choose a writable location",
    errno.EIO: "check the disk",
    errno.EISDIR: "give a file, not a directory",
    errno.ENOTDIR: "give an existing path",
    errno.ENAMETOOLONG: "give a shorter path",
    errno.ENOLCK: "the file system does not support locks, like some network shares: choose "
    "another location",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
}


class BoundaryGroup(LazyGroup):
    """The root group: parses and invokes inside the error boundary."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> Any:
        """Parse the root's options; a usage error is reported here."""
        with error_boundary(args):
            context = super().make_context(info_name, list(args), parent, **extra)
        context.meta["chatdb.args"] = list(args)
        return context

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        with error_boundary(ctx.meta["chatdb.args"], ctx.ensure_object(GlobalOptions)):
            return super().invoke(ctx)


@contextmanager
def error_boundary(args: Sequence[str], typed: GlobalOptions | None = None) -> Iterator[None]:
    """Report an exception of the block on stderr and raise `typer.Exit` with the exit code.

    `args` are the words of the command line: they say whether the error is to be JSON and whether
    to print its traceback, even if they could not be parsed. `typed` are the global options, which
    the hint's command repeats.
    """
    options = _options_before_dashes(args)
    color = settings.uses_color() and "--no-color" not in options
    diagnostics = Diagnostics(as_json=_wants_json(options), color=color)
    try:
        yield
        # Flushed here so that a full disk is reported; at the interpreter's exit it is a traceback.
        _flush_stdout()
    except typer.Exit:
        _settle_stdout()
        raise
    except (KeyboardInterrupt, typer.Abort):
        _show_traceback(diagnostics, options)
        diagnostics.interrupted()
        _settle_stdout()
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    except BrokenPipeError:
        # The reader (head, a pager) has read enough.
        _discard_stdout()
        raise typer.Exit(ExitCode.OK) from None
    except (ChatdbError, typer.TyperException, OSError) as error:
        known = _as_chatdb_error(error)
        if known is None:
            raise
        _show_traceback(diagnostics, options)
        _settle_stdout()
        if known.hint is not None:
            known.hint = for_the_same_database(known.hint, typed)
        diagnostics.error(known)
        raise typer.Exit(known.exit_code) from None


def _as_chatdb_error(error: Exception) -> ChatdbError | None:
    """Translate the parser's and the system's errors; return None for a bug."""
    if isinstance(error, ChatdbError):
        return error
    if isinstance(error, typer.TyperException):
        return _usage_error(error)
    if not isinstance(error, OSError):
        return None
    place = _place(error)
    reason = (error.strerror or str(error)).lower()
    if isinstance(error, FileNotFoundError) and error.filename is not None:
        return NotFoundError(f"{place}: {reason}", hint="check the path")
    if error.errno in _STORAGE_ERRORS:
        return StorageError(f"{place}: {reason}", hint=_STORAGE_ERRORS[error.errno])
    return None


def _place(error: OSError) -> str:
    if error.filename is None:
        return "cannot write"
    name = error.filename2 if error.filename2 is not None else error.filename
    return os.fsdecode(name) if isinstance(name, (str, bytes, os.PathLike)) else str(name)


def _usage_error(error: typer.TyperException) -> UsageError:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "chatdb"
    text = error.format_message().strip()
    if text.startswith("Usage:"):
        return UsageError(text)
    text = text[:1].lower() + text[1:].removesuffix(".")
    return UsageError(text, hint=f"{path} --help")


def _options_before_dashes(args: Sequence[str]) -> Sequence[str]:
    return args[: args.index("--")] if "--" in args else args


def _wants_json(options: Sequence[str]) -> bool:
    for index, word in enumerate(options):
        name, equals, value = word.partition("=")
        if name == "--format":
            if not equals:
                value = options[index + 1] if index + 1 < len(options) else ""
            return value in ("json", "jsonl")
    return False


def _show_traceback(diagnostics: Diagnostics, options: Sequence[str]) -> None:
    if "--debug" in options:
        import traceback

        diagnostics.block(traceback.format_exc())


def _flush_stdout() -> None:
    if sys.stdout is not None and not sys.stdout.closed:
        sys.stdout.flush()


def _settle_stdout() -> None:
    """Write the rest of stdout, ignoring failures: the error being reported matters more."""
    try:
        _flush_stdout()
    except OSError:
        _discard_stdout()


def _discard_stdout() -> None:
    """Redirect stdout to nothing, so that the interpreter's last flush cannot fail again."""
    with suppress(AttributeError, OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
