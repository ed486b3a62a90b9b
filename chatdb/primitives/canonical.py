"""One form of JSON and of text that both databases can store and return byte for byte.

JSONB reorders keys, drops duplicate ones and rewrites numbers; text in PostgreSQL cannot contain
NUL or lone surrogates. So every JSON value is written with sorted keys and numbers in the form that
survives JSONB, and every text is cleaned, before it is hashed or stored.
"""

import base64
import hashlib
import json
import math
import re
from array import array
from collections.abc import Sequence
from typing import Any

import msgspec

from chatdb.primitives.nesting import require_depth, roomy, with_room

REPLACEMENT = "\ufffd"

LONGEST_VECTOR = 16_000
"""Numbers of an embedding: as many as pgvector stores."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_encode_sorted = msgspec.json.Encoder(order="sorted").encode
_decode = msgspec.json.Decoder().decode
_load = roomy(json.loads)
_EXPONENT = re.compile(rb"e-?[0-9]+(?:[,}\]]|\Z)")
"""An exponent as msgspec writes it, with what ends a number: few texts look alike."""
_EXPONENT_IN_LINES = re.compile(rb"[0-9]e-?[0-9]+[,}\]\n]")
_encode_lines = msgspec.json.Encoder(order="sorted").encode_lines
_decode_lines = msgspec.json.Decoder().decode_lines


def encode(value: Any) -> bytes:
    """Return the canonical JSON of a value that `clean` has passed: UTF-8, sorted, no spaces."""
    try:
        encoded = _encode_sorted(value)
    except RecursionError:
        encoded = with_room(_encode_sorted, value)
    # Looked for in the bytes: walking every value for a number that hardly occurs costs far more.
    if b"-0.0" in encoded or _EXPONENT.search(encoded):
        return with_room(_encode_sorted, _normal_numbers(value))
    return encoded


def encode_text(value: Any) -> str:
    """Return the canonical JSON as a string."""
    return encode(value).decode()


def decode(data: bytes | str) -> Any:
    """Read any JSON that Python's `json` reads, including lone surrogates and `NaN`.

    Raises ValueError (`msgspec.DecodeError` or `json.JSONDecodeError`) for anything else, and for
    JSON that is nested far too deeply.
    """
    try:
        return _decode(data)
    except RecursionError:
        return _decode_deep(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _load(data)


def read(data: bytes | str) -> Any:
    """Read incoming JSON: like `decode`, within the limit of depth.

    Raises ValueError, TooDeepError among them.
    """
    return require_depth(decode(data))


def _decode_deep(data: bytes | str) -> Any:
    try:
        return with_room(_decode, data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _load(data)


def normalise_all(texts: Sequence[bytes]) -> list[bytes]:
    """Return the canonical JSON of each text of JSON, several times faster than one by one.

    Encoded JSON has no line ends, so all of it is decoded as lines. Raises what `decode` raises.
    """
    lines = b"\n".join([*texts, b""])
    try:
        values = _decode_lines(lines)
        encoded = _encode_lines(values)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        values, encoded = [], b""
    if (
        not len(values) == len(texts) == lines.count(b"\n")
        or b"-0.0" in encoded
        or _EXPONENT_IN_LINES.search(encoded) is not None
    ):
        return [encode(decode(text)) for text in texts]
    return encoded.split(b"\n")[:-1]


def digest(value: Any) -> str:
    """Return 32 hexadecimal digits (128 bits of SHA-256) of the canonical JSON of a clean value."""
    # 128 bits: no two of a billion records meet by chance, and a row holds half as much.
    return hashlib.sha256(encode(value)).hexdigest()[:32]


def is_clean_text(text: str) -> bool:
    """Tell whether both databases can store the text unchanged."""
    # isascii() is a flag of the string: most texts are never searched.
    return "\x00" not in text and (text.isascii() or _UNSTORABLE.search(text) is None)


def clean_text(text: str) -> tuple[str, int]:
    """Replace NUL and lone surrogates by U+FFFD; return the text and how many were replaced.

    A pair of surrogates that represents one character (JSON read by a tolerant parser never leaves
    one, a hand-made string may) becomes that character.
    """
    if is_clean_text(text):
        return text, 0
    paired = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    lone = sum(1 for character in paired if character == REPLACEMENT)
    lone -= text.count(REPLACEMENT)
    return paired.replace("\x00", REPLACEMENT), lone + text.count("\x00")


def original_of(text: str) -> str:
    """Return base64 of the UTF-8 of a text before `clean_text`, including surrogates."""
    return base64.b64encode(text.encode("utf-8", "surrogatepass")).decode("ascii")


def clean(value: Any) -> tuple[Any, int]:
    """Clean every text (keys too) and number of a JSON value; return it and the replacements.

    `NaN` and the infinities become the strings "NaN", "Infinity" and "-Infinity".
    Depth is bounded by the reader of the JSON, not here: no recursion.
    """
    replaced = 0

    def leaf(item: Any) -> Any:
        nonlocal replaced
        if isinstance(item, str):
            text, count = clean_text(item)
            replaced += count
            return text
        if isinstance(item, float) and not math.isfinite(item):
            replaced += 1
            return "NaN" if math.isnan(item) else "Infinity" if item > 0 else "-Infinity"
        return item

    return _map_leaves(value, leaf), replaced


def copied(value: Any) -> Any:
    """Return a copy of a JSON value, however deep."""
    return _map_leaves(value, _itself)


def _itself(leaf: Any) -> Any:
    return leaf


def vector(numbers: Sequence[float]) -> list[float]:
    """Return the numbers of an embedding as pgvector stores them, in four bytes each.

    Raises ValueError for none, for more than 16,000, and for one that is not finite in four bytes.
    """
    if not 1 <= len(numbers) <= LONGEST_VECTOR:
        raise ValueError(
            f"a vector must have 1 to {LONGEST_VECTOR:,} numbers, not {len(numbers):,}"
        )
    try:
        # In four bytes and back: pgvector keeps no more, and both
        # databases must give the same bytes.
        kept = array("f", numbers).tolist()
    except OverflowError:
        kept = [math.inf]
    # The sum first: one pass in C for the usual vector; it may also overflow by itself.
    if not math.isfinite(sum(kept)) and not all(map(math.isfinite, kept)):
        raise ValueError("a vector has a number that is not finite in four bytes")
    # JSONB has no negative zero.
    return [number + 0.0 for number in kept] if 0.0 in kept else kept


def encode_vector(numbers: Sequence[float]) -> bytes:
    """Return the JSON of `vector`, whose numbers need no other form; raises what it raises."""
    return _encode_sorted(vector(numbers))


def _normal_numbers(value: Any) -> Any:
    """Write whole numbers without exponent and no negative zero, as JSONB does."""

    def leaf(item: Any) -> Any:
        if not isinstance(item, float):
            return item
        if item == 0:
            return 0.0
        # From here on msgspec writes an exponent, which JSONB returns as digits.
        return int(item) if abs(item) >= 1e16 else item

    return _map_leaves(value, leaf)


def _map_leaves(value: Any, leaf: Any) -> Any:
    """Copy a JSON value with `leaf` applied to every leaf and key, without recursion."""
    holder: list[Any] = [None]
    stack: list[tuple[Any, Any, Any]] = [(holder, 0, value)]
    while stack:
        target, place, item = stack.pop()
        if isinstance(item, dict):
            copy: Any = {}
            target[place] = copy
            for key, inner in item.items():
                name = leaf(key)
                copy[name] = None
                stack.append((copy, name, inner))
        elif isinstance(item, list | tuple):
            copy = [None] * len(item)
            target[place] = copy
            stack.extend((copy, index, inner) for index, inner in enumerate(item))
        else:
            target[place] = leaf(item)
    return holder[0]
