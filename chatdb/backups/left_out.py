"""What of a backup did not come back, beside chatdb's own tables."""

from collections.abc import Iterable

import msgspec

from chatdb.backups.dump_entries import Entry

ONLY_A_SUPERUSER = "only a superuser can make it again"
SHOWN = 20
"""How many of many objects are named in text; the JSON has all of them."""


class LeftOut(msgspec.Struct, frozen=True):
    """An object that could not be made: why, and the SQL or command that makes it again."""

    object: str
    error: str
    remedy: str = ""


def write_down(found: dict[Entry, LeftOut], entry: Entry, told: LeftOut) -> None:
    """Keep the first error of an entry, unless it only follows from that of another."""
    if not any(entry.hangs_on(other) for other in found):
        found.setdefault(entry, told)


def left_out_lines(objects: Iterable[LeftOut]) -> list[str]:
    """Return the objects for people, two lines each."""
    told = list(objects)
    lines = []
    for each in told[:SHOWN]:
        lines.append(f"{each.object}: {each.error}")
        if each.remedy:
            lines.append(f"  to make it again: {each.remedy}")
    if len(told) > SHOWN:
        lines.append(f"and {len(told) - SHOWN} more (--format json names all)")
    return lines
