"""The option that selects conversations by what they are: `--kind document`."""

from typing import Annotated

from chatdb.cli.options import option
from chatdb.errors import UsageError
from chatdb.store.columns import KINDS

EVERY_KIND = "all"

KindsOption = Annotated[
    list[str] | None,
    option(
        "--kind KIND",
        "Chats are shown, or: document, memory, canvas, all; repeatable.  [default: chat]",
    ),
]
OnlyKindsOption = Annotated[
    list[str] | None,
    option("--kind KIND", "Only of this kind: chat, document, memory or canvas; repeatable."),
]


def kinds_wanted(given: list[str] | None, *, default: str = EVERY_KIND) -> frozenset[str] | None:
    """Return the kinds that are asked for, None for every one; raises UsageError."""
    wanted = frozenset(kind.lower() for kind in given or (default,))
    unknown = sorted(wanted - {*KINDS, EVERY_KIND})
    if unknown:
        raise UsageError(
            f"unknown kind {unknown[0]!r}", hint=f"kinds are {', '.join(KINDS)}, or: all"
        )
    return None if EVERY_KIND in wanted or wanted == set(KINDS) else wanted
