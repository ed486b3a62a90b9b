"""Cuts a stream of JSON into its top-level values without decoding them.

Understands a list, `{"conversations": [...]}` and values one after another (JSON Lines, or a single
one). Memory is bounded by a window and the largest value; a truncated file gives everything before
the cut. Values are found, not checked: decoding them shows whether they are valid.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BufferedIOBase
from typing import Any, Literal

import msgspec

from chatdb.errors import InvalidInputError
from chatdb.formats.files.json_seams import Seams
from chatdb.formats.files.streams import COSTS_FROM, MAX_VALUE, Utf8Stream

WINDOW = 1 << 19
"""Fits the processor's cache: larger windows are slower."""
DOUBLED = 16 << 20
"""Up to this size a value that outgrows the window doubles it; above, memory counts more."""
PATIENCE = 32 << 20
"""Up to this size a value that seems truncated is given more bytes before the slow scan."""
WRAPPERS = ("conversations",)

Layout = Literal["list", "objects", "wrapped", "other"]
"""A list, objects one after another, an object around the list, or something else."""

_SPACE = re.compile(rb"[ \t\r\n]*")
_KEY = re.compile(rb'[ \t\r\n]*"((?:[^"\\]|\\.)*)"[ \t\r\n]*:[ \t\r\n]*')
_TRAILING = re.compile(r"trailing characters \(byte (\d+)\)")
# Python before 3.11.5 matches possessive groups wrongly (python/cpython#106052), and a group that
# may give back remembers every step: hence a bound each.
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+){0,9999}"'
_FLAT = rb'(?:[^"\[\]{}]++|' + _STRING + rb"){0,99}"
_NESTED = rb'(?:[^"\[\]{}]++|' + _STRING + rb"|[\[{]" + _FLAT + rb"[\]}]){0,99}"
_INSIDE = re.compile(
    rb'(?:[^"\[\]{}]++|' + _STRING + rb"|[\[{]" + _NESTED + rb"[\]}]){0,99}", re.DOTALL
)
"""Matches whole strings, small containers and everything but brackets, at the speed of C."""
_STRUCTURE = b'"[]{}'
_SCALAR = re.compile(rb"[^ \t\r\n,\[\]{}\"]*")
_skip = msgspec.json.Decoder(msgspec.Raw).decode


@dataclass(frozen=True, slots=True)
class Element:
    """A top-level value: its number from 0, its place in the stream and its bytes.

    `value` is a tuple with the decoded value, if it has been decoded.
    """

    index: int
    offset: int
    data: bytes
    value: tuple[Any] | None = None


@dataclass(frozen=True, slots=True)
class Broken:
    """A place where the structure itself is broken; `offset` is in bytes of the stream.

    `hint` is what to do about a stream that could not be read further, if anything.
    """

    index: int
    offset: int
    reason: str
    hint: str | None = None


class JsonStream:
    """The top-level values of a stream of UTF-8; iterate over it once.

    An object with one of the `wrappers` as a key of a list stands for that list; `outer_fields` are
    the other keys of such an object, those after the list known only at the end. With `decode`
    (raising `msgspec.DecodeError`) an object is first cut where the next one seems to begin, and
    decoded: if that works it is complete, and was not read twice.
    """

    def __init__(
        self,
        stream: BufferedIOBase,
        *,
        window: int = WINDOW,
        wrappers: tuple[str, ...] = WRAPPERS,
        decode: Callable[[bytes], Any] | None = None,
    ) -> None:
        self._seams = Seams(decode)
        self._stream = stream
        self._window = window
        self._buffer = b""
        self._start = 0
        self._base = 0
        self._at_end = False
        self._index = 0
        self._damage: str | None = None
        self._hint: str | None = None
        self.layout: Layout = "other"
        self.outer_fields: list[str] = []
        self._wrappers = wrappers
        self._open()

    def __iter__(self) -> Iterator[Element | Broken]:
        if self.layout == "other":
            return
        try:
            yield from self._values()
        except _TooLargeError as error:
            yield Broken(self._index, self._base + self._start, error.text, error.hint)

    def _values(self) -> Iterator[Element | Broken]:
        in_list = self.layout != "objects"
        while self._skip_space():
            first = self._buffer[self._start]
            if in_list and first in b",":
                self._start += 1
                continue
            if in_list and first == 0x5D:
                self._start += 1
                yield from self._rest()
                return
            if first in b"]},:":
                yield self._broken(f"unexpected {chr(first)!r}")
                # One broken entry must not cost those after it.
                self._resynchronise()
                continue
            guess = self._seams.guess(self._buffer, self._start)
            if guess is not None:
                yield Element(self._index, self._base + self._start, *guess)
                self._index += 1
                self._start += len(guess[0])
                continue
            end = self._end_of_value()
            if end is None:
                yield self._cut()
                return
            data = self._buffer[self._start : end]
            if len(data) > COSTS_FROM:
                self._require(Utf8Stream.require_room, data)
            yield Element(self._index, self._base + self._start, data)
            self._index += 1
            self._start = end
            self._seams.learn(self._buffer, end)
        if in_list or self._damage:
            yield self._broken(self._damage or "the file ends before the list does")

    def _open(self) -> None:
        """Find the layout and step inside the list if there is one."""
        if not self._skip_space():
            return
        first = self._buffer[self._start]
        if first == 0x5B:
            self._start += 1
            self.layout = "list"
        elif first == 0x7B:
            self.layout = "wrapped" if self._enter_wrapper() else "objects"

    def _enter_wrapper(self) -> bool:
        """Step into the list of `{..., "conversations": [`."""
        fields: list[str] = []
        position = self._walk_fields(self._start + 1, fields)
        if position is None:
            return False
        self._start = position
        self.outer_fields = fields
        return True

    def _walk_fields(self, position: int, fields: list[str]) -> int | None:
        """Collect the names of an object's fields in the buffer; stop inside a wrapped list."""
        while key := _KEY.match(self._buffer, position):
            name = key.group(1).decode("utf-8", "replace")
            if name in self._wrappers and self._buffer[key.end() : key.end() + 1] == b"[":
                return key.end() + 1
            fields.append(name)
            end = _end_in(self._buffer, key.end())
            if end is None or self._buffer[end : end + 1] != b",":
                return None
            position = end + 1
        return None

    def _end_of_value(self) -> int | None:
        """Return where the value at the start ends, reading on as needed; None if truncated."""
        end = _end_in(self._buffer, self._start)
        # Most values that seem cut only reach beyond the window.
        while end is None and len(self._buffer) - self._start < PATIENCE and self._read_more():
            end = _end_in(self._buffer, self._start)
        if end is not None:
            return end
        scan = _Scan()
        while True:
            end = scan.advance(self._buffer, self._start, at_end=self._at_end)
            if end is not None:
                return end
            if not self._read_more():
                return None

    def _skip_space(self) -> bool:
        """Move to the next byte that is not a space; False at the end of the stream."""
        while True:
            space = _SPACE.match(self._buffer, self._start)
            self._start = space.end() if space else self._start
            if self._start < len(self._buffer):
                return True
            if not self._read_more():
                return False

    def _read_more(self) -> bool:
        if self._at_end:
            return False
        kept = len(self._buffer) - self._start
        if kept > MAX_VALUE:
            raise _TooLargeError(
                f"a value larger than {MAX_VALUE} bytes: this is not a chat export"
            )
        if kept > COSTS_FROM:
            self._require(Utf8Stream.require_growth, kept)
        # Growing by a share of what is there keeps copying linear.
        pieces = self._read(max(self._window, kept if kept < DOUBLED else kept // 4))
        self._at_end = not pieces
        self._base += self._start
        self._buffer = b"".join([memoryview(self._buffer)[self._start :], *pieces])
        self._start = 0
        return bool(pieces)

    def _require(self, check: Callable[[Utf8Stream, Any], None], of: Any) -> None:
        """Let the stream refuse values that take more memory than its size explains."""
        if isinstance(self._stream, Utf8Stream):
            try:
                check(self._stream, of)
            except InvalidInputError as error:
                raise _TooLargeError(error.text, error.hint) from error

    def _read(self, size: int) -> list[bytes]:
        """Read up to a size; data before damage is kept, the damage reported at the end."""
        pieces: list[bytes] = []
        while size > 0 and self._damage is None:
            try:
                piece = self._stream.read1(size)
            except InvalidInputError as error:
                if self._base + len(self._buffer) == 0 and not pieces:
                    raise
                self._damage, self._hint = error.text, error.hint
                break
            if not piece:
                break
            pieces.append(piece)
            size -= len(piece)
        return pieces

    def _cut(self) -> Broken:
        start = self._base + self._start
        end = self._base + len(self._buffer)
        reason = self._damage or "the file ends"
        reason = f"{reason} inside the value that starts at byte {start}"
        return Broken(self._index, end, reason, self._hint)

    def _broken(self, reason: str) -> Broken:
        return Broken(self._index, self._base + self._start, reason, self._hint)

    def _rest(self) -> Iterator[Broken]:
        if not self._skip_space():
            return
        if self.layout == "wrapped":
            self._walk_fields(self._start + (self._buffer[self._start] == 0x2C), self.outer_fields)
        else:
            yield self._broken("the list is followed by more data, which was not read")

    def _resynchronise(self) -> None:
        """Go to the next value that may be an object."""
        self._start += 1
        while (found := self._buffer.find(b"{", self._start)) < 0:
            self._start = len(self._buffer)
            if not self._read_more():
                return
        self._start = found


class _TooLargeError(Exception):
    def __init__(self, text: str, hint: str | None = None) -> None:
        super().__init__(text)
        self.text, self.hint = text, hint


def _trailing(data: bytes | memoryview) -> int | None:
    """Return where msgspec finds trailing characters, as it counts; None if it finds none."""
    try:
        _skip(data)
    except msgspec.DecodeError as error:
        found = _TRAILING.search(str(error))
        return int(found.group(1)) if found else None
    except RecursionError:
        return None
    return None


_CALIBRATION = _trailing(b"1 2")
"""Two where positions count from 0, three from 1; None (slow, but right) if the words change."""


def _end_in(buffer: bytes, start: int) -> int | None:
    """Return where a valid value at `start` ends if something follows it in the buffer.

    msgspec skips a value at 1 GB/s and reports the position after it; for everything else (a
    truncated or unusual value) the answer is None and the slower scan decides.
    """
    if _CALIBRATION is None:
        return None
    # A memoryview: a slice of bytes would copy the rest of the window for each value.
    trailing = _trailing(memoryview(buffer)[start:])
    return None if trailing is None else start + trailing - (_CALIBRATION - 2)


class _Scan:
    """Finds the end of a value by its brackets and strings alone, across windows."""

    def __init__(self) -> None:
        self._done = 0
        self._depth = 0
        self._in_string = False

    def advance(self, buffer: bytes, start: int, *, at_end: bool) -> int | None:
        """Continue where the last call stopped; return the end of the value, or None for more."""
        position = start + self._done
        if self._done == 0:
            if buffer[position] not in b'"[{':
                return self._scalar(buffer, position, at_end=at_end)
            self._bracket(buffer[position])
            position += 1
        while position < len(buffer):
            if self._in_string:
                position = self._close_string(buffer, position)
                if self._in_string:
                    break
            else:
                run = _INSIDE.match(buffer, position)
                position = run.end() if run else position
                if position >= len(buffer):
                    break
                # The pattern takes so much at once and no more: it may stop anywhere.
                if buffer[position] not in _STRUCTURE:
                    continue
                self._bracket(buffer[position])
                position += 1
            if self._depth == 0 and not self._in_string:
                return position
        self._done = position - start
        return None

    def _bracket(self, byte: int) -> None:
        if byte in b"[{":
            self._depth += 1
        elif byte in b"]}":
            self._depth -= 1
        else:
            self._in_string = True

    def _close_string(self, buffer: bytes, position: int) -> int:
        """Return the place after the closing quote, or where to continue with more bytes."""
        while True:
            quote = buffer.find(b'"', position)
            if quote < 0:
                # An odd run of backslashes at the very end belongs to the next byte.
                return len(buffer) - _backslashes(buffer, len(buffer), position) % 2
            escaped = _backslashes(buffer, quote, position) % 2
            position = quote + 1
            if not escaped:
                self._in_string = False
                return position

    def _scalar(self, buffer: bytes, position: int, *, at_end: bool) -> int | None:
        run = _SCALAR.match(buffer, position)
        end = run.end() if run else position
        return end if end < len(buffer) or at_end else None


def _backslashes(buffer: bytes, end: int, lowest: int) -> int:
    """Count the backslashes right before `end`, looking no further back than `lowest`."""
    position = end
    while position > lowest and buffer[position - 1] == 0x5C:
        position -= 1
    return end - position
