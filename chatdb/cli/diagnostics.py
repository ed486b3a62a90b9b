"""The only writer of stderr: notes, warnings, errors, plans, progress.

Text is made safe for the terminal here, and passwords in URLs are struck out as a last line of
defence. stdout is flushed first, so that both streams keep the order of events.
"""

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from chatdb.cli.progress import BYTES, LineProgress, Progress, QuietProgress, Unit
from chatdb.cli.text import safe
from chatdb.errors import ChatdbError, SchemaMismatchError

_URL_PASSWORD = re.compile(r"(?P<start>\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s]*(?=@)", re.IGNORECASE)
_PARAMETER = re.compile(
    r"(?P<start>\b(?:ssl)?password\s*=\s*)(?:'[^']*'|[^\s&'\"]+)", re.IGNORECASE
)


class Diagnostics:
    """Writes for the person (or log) that reads stderr.

    `quiet` prints only errors and warnings, `verbose` adds details, `as_json` prints an error as
    one JSON object. `complete` makes the commands in notes and warnings ones that work as typed. A
    stderr that cannot be written is ignored: it must not stop the work.
    """

    def __init__(
        self,
        *,
        quiet: bool = False,
        verbose: bool = False,
        color: bool = True,
        as_json: bool = False,
        complete: Callable[[str], str] | None = None,
    ) -> None:
        self.quiet = quiet
        self.verbose = verbose
        self.color = color
        self.as_json = as_json
        self._complete = complete
        self._live: Any = None

    def note(self, text: str) -> None:
        """Print a note; omitted with --quiet."""
        if not self.quiet:
            self._labelled("note", "36", self._completed(text))

    def hint(self, text: str) -> None:
        """Print what may be tried next; omitted with --quiet."""
        if not self.quiet:
            self._labelled("hint", "36", text)

    def command(self, text: str, line: str) -> None:
        """Print a note with a command, which is not folded: it is to be copied."""
        if not self.quiet:
            self._labelled("note", "36", self._completed(f"{text}: {line}"), fold=False)

    def detail(self, text: str) -> None:
        """Print a detail; only with --verbose."""
        if self.verbose:
            self._labelled("detail", "2", text)

    def warning(self, text: str) -> None:
        """Print a warning: the user should act on it, though the work continues."""
        self._labelled("warning", "33", self._completed(text))

    def _completed(self, text: str) -> str:
        return text if self._complete is None else self._complete(text)

    def block(self, text: str) -> None:
        """Write lines unchanged, such as the plan that a confirmation asks about."""
        self._write(redact(safe(text)).rstrip("\n"))

    def error(self, error: ChatdbError) -> None:
        """Report the error that ends the command: its text and hint, or one JSON object."""
        if self.as_json:
            self._write(_error_json(error))
            return
        if error.text.startswith("Usage:"):
            self.block(error.text)
            return
        self._labelled("error", "31", error.text)
        if error.hint:
            self._labelled("hint", "36", error.hint, fold=False)

    def interrupted(self) -> None:
        """Report that Ctrl-C ended the command."""
        if self.as_json:
            error = '{"code":"interrupted","exit_code":130,"text":"interrupted","hint":null}'
            self._write(f'{{"error":{error}}}')
        elif not self.quiet:
            self._write("interrupted")

    def ask(self, question: str) -> str:
        """Write a question without a line end and return the line typed; "" at end of input."""
        # Not input(), which may write the question to stdout, where the data go.
        sys.stderr.write(redact(safe(question)) + " ")
        sys.stderr.flush()
        return sys.stdin.readline()

    @property
    def is_terminal(self) -> bool:
        """Tell whether stderr is a terminal."""
        return is_terminal(sys.stderr)

    @property
    def can_ask(self) -> bool:
        """Tell whether a user is there to answer."""
        return is_terminal(sys.stdin) and is_terminal(sys.stderr)

    def ask_hidden(self, question: str) -> str:
        """Ask like `ask`, without echoing what is typed; stdin has to be a terminal."""
        import termios

        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
        silent = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
        termios.tcsetattr(descriptor, termios.TCSADRAIN, silent)
        try:
            return self.ask(question)
        finally:
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
            sys.stderr.write("\n")

    @contextmanager
    def progress(
        self, label: str, *, total: int | None = None, unit: Unit = BYTES
    ) -> Iterator[Progress]:
        """Show the progress of long work: a bar on a terminal, else a line from time to time.

        `total` is in the unit (bytes or a count), None when it is not known. The progress given
        back has `advance(amount)`, `move_to(completed)` and `describe(label)`.
        """
        if self.quiet or self.as_json:
            yield QuietProgress()
        elif is_terminal(sys.stderr):
            from chatdb.cli.progress_bar import BarProgress

            with BarProgress(label, total=total, unit=unit, color=self.color) as bar:
                self._live = bar
                try:
                    yield bar
                finally:
                    self._live = None
        else:
            yield LineProgress(label, total=total, unit=unit, write=self._write)

    def _labelled(self, label: str, style: str, text: str, *, fold: bool = True) -> None:
        """Write a line; `fold` breaks it between words where a terminal would break it anywhere.

        A hint is not folded: the command in it is to be copied.
        """
        text = redact(safe(text))
        if fold and is_terminal(sys.stderr):
            text = _folded(text, margin=len(label) + 2)
        if self.color and is_terminal(sys.stderr):
            label = f"\x1b[{style}m{label}:\x1b[0m"
        else:
            label += ":"
        self._write(f"{label} {text}")

    def _write(self, text: str) -> None:
        with suppress(AttributeError, OSError, ValueError):
            sys.stdout.flush()
        with suppress(AttributeError, OSError, ValueError):
            if self._live is not None:
                self._live.print_above(text)
                return
            use_utf8(sys.stderr)
            sys.stderr.write(text + "\n")
            sys.stderr.flush()


def redact(text: str) -> str:
    """Strike the password out of every URL and connection string in the text."""
    if "://" in text:
        text = _URL_PASSWORD.sub(r"\g<start>***", text)
    if "assword" in text or "ASSWORD" in text:
        text = _PARAMETER.sub(r"\g<start>***", text)
    return text


def is_terminal(stream: Any) -> bool:
    """Tell whether the stream is a terminal; a closed or missing stream is not."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        return False


def use_utf8(stream: Any) -> None:
    """Make a text stream write UTF-8 whatever the locale; what UTF-8 cannot hold becomes ?."""
    if str(getattr(stream, "encoding", "utf-8")).lower().replace("-", "") != "utf8" or (
        getattr(stream, "errors", "") == "strict"
    ):
        with suppress(AttributeError, ValueError):
            stream.reconfigure(encoding="utf-8", errors="replace")


def _folded(text: str, *, margin: int) -> str:
    """Break long lines between words; the first line has less room, by `margin`."""
    import textwrap

    try:
        width = os.get_terminal_size(sys.stderr.fileno()).columns
    except (AttributeError, OSError, ValueError):
        return text
    lines: list[str] = []
    for number, line in enumerate(text.split("\n")):
        room = "." * (margin if number == 0 else 0)
        folded = textwrap.wrap(
            line,
            max(width, 20),
            initial_indent=room,
            subsequent_indent="  ",
            break_long_words=False,
            break_on_hyphens=False,
            replace_whitespace=False,
            expand_tabs=False,
        )
        lines += [folded[0][len(room) :], *folded[1:]] if folded else [""]
    return "\n".join(lines)


def _error_json(error: ChatdbError) -> str:
    import json

    fields: dict[str, Any] = {
        "code": error.code,
        "exit_code": int(error.exit_code),
        "text": redact(safe(error.text)),
        "hint": None if error.hint is None else redact(safe(error.hint)),
    }
    if isinstance(error, SchemaMismatchError):
        fields["state"] = error.state
    return json.dumps({"error": fields}, ensure_ascii=True)
