"""Splits SQL scripts like psql: into statements, psql's own commands, and data for COPY.

Follows the lexer of psql (src/fe_utils/psqlscan.l): quotes of all kinds, nested comments, dollar
quotes, and the data after a COPY FROM stdin up to a line with `\\.`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Literal

from chatdb.errors import InvalidInputError

_CHUNK = 1 << 20
_TAIL = 256
"""Bytes that are scanned again once more has been read: only a long tag is longer."""

_TOKEN = re.compile(
    rb"'|\"|(?<![\w$\x80-\xff])\$(?:[A-Za-z_\x80-\xff][\w\x80-\xff]*)?\$|--|/\*|\\|;"
)
_COMMENT_EDGE = re.compile(rb"/\*|\*/")
_LINE_END = re.compile(rb"\n")
_PLAIN_QUOTE = re.compile(rb"'")
_ESCAPE_QUOTE = re.compile(rb"\\.|'", re.DOTALL)
_ESCAPES = re.compile(rb"(?<![\w$\x80-\xff])[eE]\Z")
_NAME_QUOTE = re.compile(rb'"')
_COPY_IN = re.compile(rb"\s*COPY\b.*?\bFROM\s+STDIN\b", re.IGNORECASE | re.DOTALL)
_STRINGS = re.compile(
    rb"\s*SET\b.*\bstandard_conforming_strings\s*(?:=|\bTO\b)\s*'?(\w+)", re.IGNORECASE | re.DOTALL
)
_FUNCTION = re.compile(rb"\s*CREATE\s+(?:OR\s+REPLACE\s+)?(?:FUNCTION|PROCEDURE)\b", re.IGNORECASE)
_BODY_EDGE = re.compile(rb"\b(?:BEGIN|CASE|END)\b", re.IGNORECASE)
_END_OF_DATA = re.compile(rb"\\\.\r?(?:\n|\Z)")

Kind = Literal["statement", "command", "data"]


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a script, `data` being its exact bytes; all of them together are the file.

    `bare` is a statement without its comments and single-quoted strings; `bodies` is the text in
    dollar quotes. Data comes in pieces of bounded size.
    """

    kind: Kind
    line: int
    data: bytes
    bare: bytes = b""
    bodies: bytes = b""


def segments(stream: IO[bytes]) -> Iterator[Segment]:
    """Cut a script into segments; raises InvalidInputError where psql's reading is ambiguous."""
    return _Lexer(stream).segments()


class _Lexer:
    """The text read so far, from the start of the present segment, and the scan position."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._text = b""
        self._start = self._at = 0
        self._ended = False
        self._line = 1
        self._escapes = False
        self._bare: list[bytes] = []
        self._bodies: list[bytes] = []

    def segments(self) -> Iterator[Segment]:
        while (token := self._next(_TOKEN)) is not None:
            if token == b";":
                if self._is_inside_a_body():
                    self._bare.append(token)
                    continue
                segment = self._take("statement")
                self._note_settings(segment.data)
                yield segment
                if _COPY_IN.match(segment.bare):
                    yield from self._data()
            elif token == b"\\":
                yield from self._command()
            else:
                self._skip(token)
        if self._start < len(self._text):
            yield self._take("statement")

    def _is_inside_a_body(self) -> bool:
        """Tell whether a function with a body of statements is being created: BEGIN ATOMIC ..."""
        bare = b"".join(self._bare)
        if not _FUNCTION.match(bare):
            return False
        depth = 0
        for word in _BODY_EDGE.findall(bare):
            if word.upper() == b"END":
                depth = max(depth - 1, 0)
            elif depth or word.upper() == b"BEGIN":
                depth += 1
        return depth > 0

    def _skip(self, opening: bytes) -> None:
        """Move past the end of a quote or comment."""
        if opening == b"--":
            self._next(_LINE_END, bare=False)
            self._bare.append(b"\n")
        elif opening == b"/*":
            depth = 1
            # SQL comments nest, unlike C's.
            while depth and (edge := self._next(_COMMENT_EDGE, bare=False)) is not None:
                depth += 1 if edge == b"/*" else -1
            self._bare.append(b" ")
        elif opening == b'"':
            self._bare.append(opening)
            self._next(_NAME_QUOTE)
            self._bare.append(opening)
        elif opening == b"'":
            # E'...' knows backslashes even where plain strings do not.
            before = self._text[max(self._at - 3, self._start) : self._at - 1]
            escapes = self._escapes or _ESCAPES.search(before) is not None
            pattern = _ESCAPE_QUOTE if escapes else _PLAIN_QUOTE
            while self._next(pattern, bare=False) not in (None, b"'"):
                pass
            self._bare.append(b"''")
        else:
            self._next(re.compile(re.escape(opening)), into=self._bodies)
            self._bare.append(b"$$")

    def _command(self) -> Iterator[Segment]:
        """Emit the text before a psql command, then its line."""
        self._at -= 1
        if self._at > self._start:
            yield self._take("statement")
        self._next(_LINE_END)
        yield self._take("command")

    def _data(self) -> Iterator[Segment]:
        """Emit the end of the line, then whole lines up to that with `\\.`."""
        self._next(_LINE_END)
        if b"".join(self._bare).strip():
            raise InvalidInputError(
                f"line {self._line}: text follows COPY FROM stdin where its data must begin",
                hint="dump the database again, in the custom format: pg_dump -Fc",
            )
        yield self._take("statement")
        while True:
            end = self._end_of_data()
            cut = self._text.rfind(b"\n", self._start) + 1
            self._at = end or (len(self._text) if self._ended else max(cut, self._start))
            if self._at > self._start:
                yield self._take("data")
            if end or self._ended:
                return
            self._read()

    def _end_of_data(self) -> int:
        """Return the position where the data ends; 0 if that has not been read yet."""
        at = self._start
        if not self._text.startswith(b"\\.", at):
            at = self._text.find(b"\n\\.", at) + 1
        while at or self._text.startswith(b"\\.", self._start):
            match = _END_OF_DATA.match(self._text, at)
            if match is not None and (match[0].endswith(b"\n") or self._ended):
                return match.end()
            at = self._text.find(b"\n\\.", at) + 1
            if not at:
                break
        return 0

    def _next(
        self, pattern: re.Pattern[bytes], *, into: list[bytes] | None = None, bare: bool = True
    ) -> bytes | None:
        """Find the next match, move past it and return it; None and the end if there is none.

        Skipped text is collected. A match close to the end of the text read so far might continue
        in the next chunk.
        """
        begin = sought = self._at
        while True:
            match = pattern.search(self._text, sought)
            is_sure = match is not None and match.end() < len(self._text) - _TAIL
            if is_sure or self._ended:
                break
            if match is None:
                sought = max(begin, len(self._text) - _TAIL)
            dropped = self._read()
            begin, sought = begin - dropped, sought - dropped
        passed = self._text[begin : match.start() if match else len(self._text)]
        if into is not None:
            into.append(passed)
        elif bare:
            self._bare.append(passed)
        self._at = match.end() if match else len(self._text)
        return match[0] if match else None

    def _read(self) -> int:
        """Read more, and drop what was emitted; return how many bytes that was."""
        # Doubling: a statement of 100 MB would otherwise be copied for each further megabyte.
        chunk = self._stream.read(max(_CHUNK, len(self._text) - self._start))
        self._ended = not chunk
        dropped = self._start
        self._text = self._text[dropped:] + chunk
        self._start, self._at = 0, self._at - dropped
        return dropped

    def _take(self, kind: Kind) -> Segment:
        """Cut off the text before the place where the next token is sought."""
        data = self._text[self._start : self._at]
        segment = Segment(kind, self._line, data, b"".join(self._bare), b"".join(self._bodies))
        self._bare, self._bodies = [], []
        self._line += data.count(b"\n")
        self._start = self._at
        return segment

    def _note_settings(self, statement: bytes) -> None:
        match = _STRINGS.match(statement)
        if match is not None:
            self._escapes = match[1].lower() in (b"off", b"false", b"0", b"no")
