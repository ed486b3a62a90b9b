"""Bars and heat maps of plain characters."""

from collections.abc import Iterator, Mapping

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_SHADES = " ·░▒▓█"
_COLORS = (None, 240, 30, 37, 44, 51)
"""Colours of a 256-colour terminal, one for each shade."""
_HOURS = range(24)
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def bar(value: float, most: float, width: int) -> str:
    """Return a bar, `width` columns for the largest value; a value above zero is never empty."""
    if value <= 0 or most <= 0 or width <= 0:
        return ""
    eighths = max(1, round(value / most * width * 8))
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def heat_map(values: Mapping[tuple[int, int], int], *, color: bool) -> Iterator[str]:
    """Yield a line of hours, then one for each day of the week; keys are (1 to 7, 0 to 23).

    Two columns an hour, 52 in all; a denser sign, with colour a brighter one, means more.
    """
    most = max(values.values(), default=0)
    yield "    " + "".join(f"{hour:<6}" for hour in _HOURS if hour % 3 == 0).rstrip()
    for number, name in enumerate(WEEKDAYS, 1):
        row = [values.get((number, hour), 0) for hour in _HOURS]
        cells = (_shaded(_level(value, most), 2, color=color) for value in row)
        yield f"{name} {''.join(cells)}".rstrip()


def scale(most: int, *, color: bool) -> str:
    """Return the legend of a heat map: each sign with the amounts that it stands for."""
    first, parts = 1, []
    for level in range(1, len(_SHADES)):
        last = most * level // (len(_SHADES) - 1)
        if last >= first:
            amounts = f"{first:,}" if first == last else f"{first:,}-{last:,}"
            parts.append(f"{_shaded(level, 1, color=color)} {amounts}")
            first = last + 1
    return "messages: " + "  ".join(parts)


def _shaded(level: int, width: int, *, color: bool) -> str:
    sign = _SHADES[level] * width
    return f"\x1b[38;5;{_COLORS[level]}m{sign}\x1b[0m" if color and level else sign


def _level(value: int, most: int) -> int:
    """Return 0 for nothing, else the shade by the share of the largest."""
    if value <= 0 or most <= 0:
        return 0
    levels = len(_SHADES) - 1
    return max(1, min(levels, -(-value * levels // most)))
