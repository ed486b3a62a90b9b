"""Chat text made safe for a terminal: without escape sequences, controls and bidi overrides.

The sequences are those of ECMA-48 (CSI, OSC, DCS, SOS, PM, APC); the characters are Unicode's
control (Cc) and format (Cf) classes, without the joiners that emoji and Indic scripts need.
"""

import re
from datetime import UTC, datetime, tzinfo

_SEQUENCE = re.compile(
    "(?:\x1b[\\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\\\|\x9c)?"  # OSC, DCS
    "|(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]?"  # CSI
    "|\x1b[ -/]*[0-~]?"  # two-character and charset escapes
)
_UNSAFE_CLASS = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 without tab and newline, DEL, C1
    "\xad\u061c\u180e\u200b\u200e\u200f"  # soft hyphen, direction marks, zero width space
    "\u2028-\u202e\u2060-\u206f"  # separators, bidi embeddings, overrides, isolates, invisibles
    "\ufeff\ufff9-\ufffb"  # byte order mark, interlinear annotation
    "\ud800-\udfff"  # lone surrogates
    "\U000e0000-\U000e0fff"  # Tag characters: invisible text.
)
_UNSAFE = re.compile(f"[{_UNSAFE_CLASS}]")
_SPACES = re.compile(r"\s+")
_INVISIBLE_IN_JSON = re.compile(
    "[\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e0fff]"
)


def counted(amount: int, noun: str) -> str:
    """Write an amount with its noun: "1 message", "2,000 messages"."""
    return f"{amount:,} {noun}" + ("" if amount == 1 else "s")


def ago(time: datetime, now: datetime) -> str:
    """Write how long ago something was: "just now", "3 hours ago", "in 2 days"."""
    seconds = (now - time).total_seconds()
    for size, noun in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if abs(seconds) >= size:
            amount = counted(int(abs(seconds) // size), noun)
            return f"{amount} ago" if seconds > 0 else f"in {amount}"
    return "just now"


def short_ago(time: datetime, now: datetime, zone: tzinfo = UTC) -> str:
    """Write how long ago something was in little room: "5 min ago", "3 h ago", else the time."""
    seconds = (now - time).total_seconds()
    for size, most, unit in ((86_400, 14, "d"), (3_600, 24, "h"), (60, 60, "min")):
        if size <= seconds < size * most:
            return f"{int(seconds // size)} {unit} ago"
    return "just now" if -60 < seconds < 60 else time_text(time, zone)


def time_text(time: datetime, zone: tzinfo | None = UTC) -> str:
    """Write a time as people read it, in a zone (None: its own): 2026-11-29 21:05."""
    # isoformat, for strftime writes the year 1 without zeros.
    return in_zone(time, zone or time.tzinfo or UTC).isoformat(" ")[:16]


def in_zone(time: datetime, zone: tzinfo) -> datetime:
    """Return a time in a zone; the first and last days of the calendar, which have none, as is."""
    try:
        return time.astimezone(zone)
    except OverflowError:
        return time


def safe(text: str) -> str:
    """Return the text without anything a terminal acts on; newlines and tabs stay.

    Line ends of every kind become newlines.
    """
    if text.isascii() and text.isprintable():
        return text
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\x1b" in text or "\x9b" in text or "\x9d" in text or "\x90" in text:
        text = _SEQUENCE.sub("", text)
    return _UNSAFE.sub("", text)


def one_line(text: str, *, limit: int | None = None) -> str:
    """Return the text made safe on a single line, cut to `limit` characters with an ellipsis."""
    line = _SPACES.sub(" ", safe(text)).strip()
    if limit is not None and len(line) > limit:
        return line[: max(limit - 1, 0)].rstrip() + "…"
    return line


def escaped_json(text: str) -> str:
    """Write the invisible and C1 characters of JSON text as `\\uXXXX`: the same value, visible."""
    if text.isascii() and "\x7f" not in text:
        return text
    return _INVISIBLE_IN_JSON.sub(_json_escape, text)


def _json_escape(match: re.Match[str]) -> str:
    number = ord(match[0])
    if number < 0x10000:
        return f"\\u{number:04x}"
    number -= 0x10000
    return f"\\u{0xD800 + (number >> 10):04x}\\u{0xDC00 + (number & 0x3FF):04x}"
