"""Ctrl-C and termination, which an error raised while they clean up must not replace."""


def interruption_behind(error: BaseException) -> BaseException | None:
    """Return the interruption during whose handling the error was raised, if there is one."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, (KeyboardInterrupt, SystemExit)):
            return seen
        # Not __cause__: a driver's `raise ... from None` still has what it was handling.
        seen = seen.__context__
    return None
