"""Numbers of bytes for people."""


def size_text(size: int) -> str:
    """Write a number of bytes for people: 512 B, 940 kB, 1.5 MB, 12 GB."""
    if size < 1000:
        return f"{size} B"
    amount = float(size)
    for name in ("kB", "MB", "GB"):
        amount /= 1000
        # What rounds to a thousand is one of the next unit.
        if amount < 999.5:
            return f"{amount:.1f} {name}" if amount < 9.95 else f"{amount:.0f} {name}"
    return f"{amount / 1000:,.1f} TB"
