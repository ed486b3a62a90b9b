"""The user's own settings file, `config.toml`: read, checked and changed one setting at a time."""

import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chatdb import variables
from chatdb.errors import ConfigurationError, UsageError
from chatdb.variables import Variable

SETTINGS: Mapping[str, Variable] = {
    "database_url": variables.DATABASE_URL,
    "org": variables.ORG,
    "timezone": variables.TIMEZONE,
    "pager": variables.PAGER,
}
"""The settings that the file may have, by their names in it and in `chatdb config show`."""

_KNOWN = ", ".join(SETTINGS)
_HEAD = "# The settings of chatdb for this user: chatdb config set, unset and edit.\n"
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class UserFile:
    """What the file says; without a file, nothing. `is_private` if only its owner can read it."""

    path: Path | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    is_private: bool = True

    def get(self, variable: Variable) -> str | None:
        """Return the value of a setting, None if it is not in the file, or empty."""
        names = (name for name, each in SETTINGS.items() if each is variable)
        return next((self.values[name] for name in names if self.values.get(name)), None)

    @property
    def holds_password(self) -> bool:
        """Tell whether the URL has a password in it."""
        return has_password(self.values.get("database_url", ""))


def has_password(url: str) -> bool:
    """Tell whether a URL has a password, or a parameter that is one."""
    from chatdb.db.url import parse_url

    try:
        parsed = parse_url(url)
    except ConfigurationError:
        return False
    return parsed.redacted() != parsed.exposed()


def read(path: Path | None) -> UserFile:
    """Read the file, if there is one.

    Raises ConfigurationError for one that cannot be read, is no TOML, or has an unknown setting.
    """
    text = None if path is None else _text_of(path)
    if path is None or text is None:
        return UserFile()
    values = _parsed(path, text)
    for name, value in values.items():
        if name not in SETTINGS:
            raise ConfigurationError(
                f"{path} has the unknown setting {name!r}",
                hint=f"known are {_KNOWN}; to remove it: chatdb config unset {name}",
            )
        if not isinstance(value, str):
            raise ConfigurationError(
                f"{path}: {name} is not a text in quotes", hint=f"chatdb config set {name} VALUE"
            )
    is_private = not path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    return UserFile(path=path, values=values, is_private=is_private)


def change(path: Path, name: str, value: str | None) -> bool:
    """Set a setting, or remove it for None; tell whether it was there.

    The rest of the file stays as it is, comments too; it is written whole or not at all, with mode
    0600. Raises UsageError for an unknown setting (a stray one may be removed), ConfigurationError
    for a file that cannot be changed so, StorageError.
    """
    from chatdb.primitives.atomic_write import atomic_write
    from chatdb.primitives.folder_lock import one_at_a_time

    if value is not None:
        check_name(name)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with one_at_a_time(path.parent):
        before = _text_of(path) or ""
        expected = _parsed(path, before)
        was_there = name in expected
        after = _without(before, name) if value is None else _with(before, name, value)
        expected.pop(name, None)
        if value is not None:
            expected[name] = value
        if not _says(after, expected):
            raise ConfigurationError(
                f"{path} has {name} in a form that only an editor can change",
                hint="chatdb config edit",
            )
        if after != before:
            with atomic_write(path) as stream:
                stream.write(after.encode())
    return was_there


def make(path: Path) -> None:
    """Make the file with a comment in it, readable by its owner only, unless it is there."""
    from chatdb.primitives.atomic_write import atomic_write

    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        examples = [f"# {name} = {quoted(each.default or '')}" for name, each in SETTINGS.items()]
        with atomic_write(path) as stream:
            stream.write(_HEAD.encode() + "\n".join([*examples, ""]).encode())


def check_name(name: str) -> None:
    """Raise UsageError, naming the known settings, for any other name."""
    if name not in SETTINGS:
        raise UsageError(f"unknown setting {name!r}", hint=f"the settings are {_KNOWN}")


def quoted(text: str) -> str:
    """Return a text as TOML's basic string. Raises UsageError for what is no Unicode text."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UsageError("the value is not valid UTF-8") from error
    escaped = "".join(_ESCAPES.get(character, character) for character in text)
    return '"' + _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", escaped) + '"'


def _text_of(path: Path) -> str | None:
    try:
        # A byte order mark of an editor would be part of the first name.
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}",
            hint="fix the file or its permissions, or name another in CHATDB_CONFIG_FILE",
        ) from error


def _parsed(path: Path, text: str) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(
            f"{path} is not valid TOML: {error}", hint="chatdb config edit"
        ) from error


def _says(text: str, expected: Mapping[str, Any]) -> bool:
    import tomllib

    try:
        return tomllib.loads(text) == expected
    except tomllib.TOMLDecodeError:
        return False


def _with(text: str, name: str, value: str) -> str:
    """Return the text with a line for the setting: in its old place, or at the end."""
    line = f"{name} = {quoted(value)}"
    lines = text.split("\n") if text else [*_HEAD.split("\n")]
    for number in _places(lines, name):
        lines[number] = line
        return "\n".join(lines)
    if lines[-1] == "":
        lines.pop()
    return "\n".join([*lines, line, ""])


def _without(text: str, name: str) -> str:
    lines = text.split("\n")
    places = set(_places(lines, name))
    return "\n".join(line for number, line in enumerate(lines) if number not in places)


def _places(lines: list[str], name: str) -> Iterator[int]:
    """Yield the numbers of the lines that assign a setting before the first table."""
    word = re.escape(name)
    assignment = re.compile(rf"""\s*(?:{word}|"{word}"|'{word}')\s*=""")
    for number, line in enumerate(lines):
        if line.lstrip().startswith("["):
            return
        if assignment.match(line):
            yield number
