"""A number of bytes as people type it: `500kB`, `25MB`, `1.5 GB`, `25000000`."""

import re

import typer

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)\s*([kmgt]?)(i?)b?", re.IGNORECASE)


def byte_count(text: str) -> int:
    """Return the bytes that a text means; raises BadParameter."""
    match = _SIZE.fullmatch(text.strip())
    if match is None or (match[3] and not match[2]):
        raise typer.BadParameter(f"{text!r} is not a size, such as 100MB or 2GB")
    unit = _UNITS[match[2].lower()]
    if match[3]:
        unit = 1024 ** (list(_UNITS).index(match[2].lower()))
    return int(float(match[1]) * unit)
