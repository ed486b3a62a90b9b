"""Bytes of an export on their way to a terminal: made safe, the same text otherwise."""

import codecs
import io
from typing import IO

from chatdb.cli.text import escaped_json, safe


class TerminalBytes(io.RawIOBase):
    """Writes UTF-8 to a terminal without anything that acts on it.

    Invisible characters in JSON become escapes, the same value; in other text they are left out.
    """

    def __init__(self, terminal: IO[bytes], *, is_json: bool) -> None:
        self._terminal = terminal
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._made_safe = escaped_json if is_json else safe

    def writable(self) -> bool:
        return True

    def write(self, data: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]
        text = self._decoder.decode(bytes(data))
        self._terminal.write(self._made_safe(text).encode())
        return len(data)
