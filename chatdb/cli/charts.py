"""Bars and heat maps of plain characters."""

from collections.abc import Iterator, Mapping, Sequence

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_SHADES = " ·░▒▓█"
_BACKGROUNDS = (None, 236, 238, 23, 30, 37, 44)
"""Colours of a 256-colour terminal, from the smallest amounts to the largest."""
_HOURS = range(24)
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def bar(value: float, most: float, width: int) -> str:
    """Return a bar, `width` columns for the largest value; a value above zero is never empty."""
    if value <= 0 or most <= 0 or width <= 0:
        return ""
    eighths = max(1, round(value / most * width * 8))
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def heat_map(values: Mapping[tuple[int, int], int], *, color: bool) -> Iterator[str]:
    """Yield a line of hours, then one for each day of the week; keys are (1 to 7, 0 to 23).

    Two columns an hour, 52 in all; a darker sign or a brighter colour means more.
    """
    most = max(values.values(), default=0)
    yield "    " + "".join(f"{hour:<6}" for hour in _HOURS if hour % 3 == 0).rstrip()
    for number, name in enumerate(_WEEKDAYS, 1):
        row = [values.get((number, hour), 0) for hour in _HOURS]
        yield f"{name} {_heat(row, most, color=color)}".rstrip()


def _heat(row: Sequence[int], most: int, *, color: bool) -> str:
    if not color:
        cells = (_SHADES[_level(value, most, len(_SHADES))] * 2 for value in row)
        return "".join(cells)
    shades = (_BACKGROUNDS[_level(value, most, len(_BACKGROUNDS))] for value in row)
    return "".join("  " if shade is None else f"\x1b[48;5;{shade}m  \x1b[0m" for shade in shades)


def _level(value: int, most: int, levels: int) -> int:
    """Return 0 for nothing, else 1 to `levels` - 1 by the share of the largest."""
    if value <= 0 or most <= 0:
        return 0
    return max(1, min(levels - 1, -(-value * (levels - 1) // most)))
