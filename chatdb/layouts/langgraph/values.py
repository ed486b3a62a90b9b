"""The values in checkpoints, read as plain data: no class that one names is ever imported.

A value is a type and bytes. In msgpack an object is an extension whose payload is msgpack again:
module, class, its fields. Only the fields are read, by their position.
"""

import base64
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from chatdb.formats.langchain.messages import id_of, message_fields
from chatdb.primitives import canonical
from chatdb.primitives.nesting import TooDeepError, require_depth, with_room

_NUMPY, _SNAPSHOT = 6, 7
"""Codes of extensions that are no object with module, class and fields."""
_EMPTY = ("empty", "null")
UNKNOWN_CODES = "values of unknown codes: left out"
TOO_DEEP_FIELDS = "fields of messages that are nested too deeply: left out"


class UnreadableError(Exception):
    """A value that cannot be read, or must not: the text says why."""


@dataclass(frozen=True, slots=True)
class WholeValue:
    """The whole value of a channel whose changes are stored otherwise."""

    value: Any


@dataclass(slots=True)
class Pool:
    """The distinct messages of one thread, each once however many checkpoints repeat it.

    A message is known by the number of its version.
    """

    versions: list[dict[str, Any]] = field(default_factory=list)
    ids: list[str | None] = field(default_factory=list)
    lossy: Counter[str] = field(default_factory=Counter)
    _numbers: dict[bytes, int] = field(default_factory=dict)
    _objects: dict[bytes, "PlainObject"] = field(default_factory=dict)
    _decode: Callable[[Any], Any] = field(init=False)

    def __post_init__(self) -> None:
        self._decode = msgspec.msgpack.Decoder(ext_hook=self._object).decode

    def close(self) -> None:
        """Let go of the decoder, which knows the pool: memory would hold many threads else."""
        del self._decode

    def value(self, kind: Any, data: bytes) -> Any:
        """Decode a value; raises UnreadableError."""
        if kind in _EMPTY or not data:
            return None
        if kind == "json":
            return self._json(data)
        if kind in ("bytes", "bytearray"):
            return None
        if kind != "msgpack":
            raise UnreadableError(_why(str(kind)))
        try:
            return self._decode(data)
        except (msgspec.DecodeError, RecursionError, TypeError, ValueError) as error:
            raise UnreadableError(f"its msgpack cannot be read: {error}") from error

    def messages(self, value: Any) -> tuple[int, ...] | None:
        """Return the versions of a list of messages, or of one; None for any other value."""
        if isinstance(value, WholeValue):
            value = value.value
        found = [self._version(each) for each in (value if isinstance(value, list) else [value])]
        return None if None in found else tuple(each for each in found if each is not None)

    def _version(self, value: Any) -> int | None:
        if isinstance(value, PlainObject):
            if value.version is None:
                value.version = self._number(value.fields)
            return value.version if value.version >= 0 else None
        number = self._number(value)
        return number if number >= 0 else None

    def _number(self, value: Any) -> int:
        """Return the number of a message's version; -1 for what is none."""
        fields = message_fields(_opened(value))
        if fields is None:
            return -1
        fields = self._plain_fields(fields)
        key = _key(fields)
        number = self._numbers.setdefault(key, len(self.versions))
        if number == len(self.versions):
            self.versions.append(fields)
            self.ids.append(id_of(fields))
        return number

    def _plain_fields(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Return the fields of a message as JSON, without those that are nested too deeply."""
        found = {}
        for name, value in fields.items():
            try:
                found[str(name)] = require_depth(with_room(_plain, value))
            except TooDeepError:
                self.lossy[TOO_DEEP_FIELDS] += 1
        return found

    def _object(self, code: int, data: memoryview) -> Any:
        raw = bytes((code & 0xFF,)) + bytes(data)
        known = self._objects.get(raw)
        if known is not None:
            return known
        inside = self._inside(code, data)
        if code == _SNAPSHOT:
            return WholeValue(inside)
        fields: Any = None
        if code == _NUMPY:
            fields = inside
        elif isinstance(inside, list | tuple) and len(inside) > 2:
            fields = inside[2]
        held = PlainObject(fields)
        self._objects[raw] = held
        return held

    def _inside(self, code: int, data: memoryview) -> Any:
        """Return an extension's payload; None for a code of a later version that has none."""
        try:
            return self._decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            if 0 <= code <= _SNAPSHOT:
                raise
            self.lossy[UNKNOWN_CODES] += 1
            return None

    def _json(self, data: bytes) -> Any:
        try:
            return canonical.read(data)
        except ValueError as error:
            raise UnreadableError("its JSON cannot be read") from error


@dataclass(slots=True)
class PlainObject:
    """An object's fields, and the version that it is if it is a message."""

    fields: Any
    version: int | None = None


def _key(fields: dict[str, Any]) -> bytes:
    """Return what two equal messages have in common, odd characters included."""
    try:
        return canonical.encode(fields)
    except UnicodeEncodeError:
        return canonical.encode(canonical.clean(fields)[0])


def _opened(value: Any) -> Any:
    """Return the fields of an object, and any other value as it is."""
    while isinstance(value, PlainObject | WholeValue):
        value = value.fields if isinstance(value, PlainObject) else value.value
    return value


def _plain(value: Any) -> Any:
    """Return a value in which objects are their fields, and bytes are Base64."""
    value = _opened(value)
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode("ascii")
    return str(value)


def _why(kind: str) -> str:
    if kind == "pickle":
        return "it is pickled: reading it would run code"
    if "+" in kind:
        return f"it is encrypted ({kind})"
    return f"its type {kind[:40]!r} is unknown"
