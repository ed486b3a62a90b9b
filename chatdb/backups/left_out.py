"""Objects of a backup, outside chatdb's own tables, that could not be restored."""

from collections.abc import Iterable

import msgspec

from chatdb.backups.dump_entries import DumpEntry

ONLY_A_SUPERUSER = "only a superuser can create it again"
SHOWN = 20
"""How many objects the text lists; the JSON has all of them."""


class LeftOut(msgspec.Struct, frozen=True):
    """An object that could not be created: why, and the SQL or command that creates it."""

    object: str
    error: str
    remedy: str = ""


def write_down(found: dict[DumpEntry, LeftOut], entry: DumpEntry, told: LeftOut) -> None:
    """Keep the first error of an entry, unless it follows from another entry's error."""
    if not any(entry.hangs_on(other) for other in found):
        found.setdefault(entry, told)


def left_out_lines(objects: Iterable[LeftOut]) -> list[str]:
    """Return the objects in words, two lines each."""
    told = list(objects)
    lines = []
    for each in told[:SHOWN]:
        lines.append(f"{each.object}: {each.error}")
        if each.remedy:
            lines.append(f"  to create it: {each.remedy}")
    if len(told) > SHOWN:
        lines.append(f"and {len(told) - SHOWN} more (--format json lists all)")
    return lines
