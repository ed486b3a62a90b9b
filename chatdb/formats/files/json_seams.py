"""Guesses where a JSON object ends: where the next one begins like the one before it.

Decoding proves a guess: text that begins with a brace and decodes is complete, because a part of it
has more braces opened than closed.
"""

import re
from collections.abc import Callable
from typing import Any

import msgspec

LARGEST_GUESS = 4 << 20
"""A larger object is measured before it is decoded."""
MOST_MISSES = 20
"""After this many wrong guesses it stops guessing: nested objects look the same."""

_NEXT = re.compile(rb'[ \t\r\n]*,?[ \t\r\n]*\{[ \t\r\n]*"[^"\\]{1,40}"[ \t\r\n]*:')
"""The text between two objects, and the first key of the second."""


class Seams:
    """Knows the text between the objects of one stream once it has seen it."""

    def __init__(self, decode: Callable[[bytes], Any] | None) -> None:
        self._decode = decode
        self._seam = b""
        self._misses = 0

    def learn(self, buffer: bytes, end: int) -> None:
        """Look at the text after an object that ends here, unless it is known already."""
        if self._decode is None or self._seam or buffer[end - 1 : end] != b"}":
            return
        found = _NEXT.match(buffer, end)
        if found is not None:
            self._seam = buffer[end - 1 : found.end()]

    def guess(self, buffer: bytes, start: int) -> tuple[bytes, tuple[Any]] | None:
        """Return the object that starts here, if that can be guessed, and its value in a tuple."""
        if self._decode is None or not self._seam or buffer[start] != 0x7B:
            return None
        seam = buffer.find(self._seam, start)
        if seam < 0 or seam - start > LARGEST_GUESS:
            return None
        data = buffer[start : seam + 1]
        try:
            return data, (self._decode(data),)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self._misses += 1
            if self._misses == MOST_MISSES:
                # Each wrong guess decodes a part in vain.
                self._decode = None
            return None
