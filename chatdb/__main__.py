"""The entry point: answers `--version` at once, leaves everything else to the app."""

import sys
from contextlib import suppress
from types import FrameType, TracebackType


def main() -> None:
    """Run the command line given to the process."""
    # 15 ms; with Typer imported it takes 60, and scripts ask for the version often.
    if sys.argv[1:] == ["--version"] and sys.stdout is not None:
        from chatdb import __version__

        # The app reports what cannot be written.
        with suppress(OSError):
            sys.stdout.write(f"chatdb {__version__}\n")
            sys.stdout.flush()
            return
    try:
        _run()
    except KeyboardInterrupt:
        sys.exit(130)


def _run() -> None:
    import signal

    from chatdb.primitives.garbage import collect_seldom

    collect_seldom()
    # Before Typer is imported, which keeps the hook it finds.
    sys.excepthook = _report_bug
    signal.signal(signal.SIGTERM, _terminate)
    from chatdb.cli.app import app

    app(prog_name="chatdb")


def _terminate(number: int, frame: FrameType | None) -> None:
    """Exit as after Ctrl-C, so that open transactions and partial files are cleaned up."""
    del frame
    sys.exit(128 + number)


def _report_bug(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Write the traceback of a bug, without passwords."""
    import traceback

    from chatdb.cli.diagnostics import Diagnostics

    Diagnostics().block("".join(traceback.format_exception(kind, error, trace)))


if __name__ == "__main__":
    main()
