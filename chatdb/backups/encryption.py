"""Encryption by age (https://age-encryption.org/v1), streaming, readable by the `age` program.

The package pyrage does it (the extra `encryption`), 64 KiB at a time whatever the size. It reads
and writes on its own until the end, so the caller gets the other side of a pipe.
"""

import io
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import IO, Any, TypeVar

from chatdb.errors import (
    ChatdbError,
    ConfigurationError,
    InvalidInputError,
    NotFoundError,
    ProgramMissingError,
    UsageError,
)
from chatdb.primitives.beside import Beside

_T = TypeVar("_T")
_PIECE = 1 << 18
# A backup given by mistake for a key must not be read into memory.
_LARGEST_KEY_FILE = 1 << 20
_SHOWN = 24
_SECRET_MARK = re.compile(r"(?i)AGE-SECRET-KEY-|-----BEGIN [A-Z ]*PRIVATE KEY-----")
_ENCRYPTED_MARKS = ("age-encryption.org/", "-----BEGIN AGE ENCRYPTED FILE-----")


@dataclass(frozen=True, slots=True)
class Recipients:
    """Public keys that a backup is encrypted to: at least one; each key's owner can read it."""

    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Identities:
    """Private keys, read from `source`; they are never shown."""

    source: str
    keys: tuple[Any, ...]

    def __repr__(self) -> str:
        """Name the file only."""
        return f"Identities({self.source!r})"


@dataclass(frozen=True, slots=True)
class Keys:
    """The recipients that output is encrypted to, and the private keys that decrypt input."""

    recipients: Recipients | None = None
    identities: Identities | None = None


NO_KEYS = Keys()


def read_recipients(words: Sequence[str]) -> Recipients | None:
    """Return the recipients named: each word is a public key, or a file with one key a line.

    None without a word. Raises UsageError for an invalid public key, NotFoundError.
    """
    keys: list[str] = []
    for word in words:
        # It stands in the shell's history by now, and would go into the manifest.
        if _SECRET_MARK.match(word):
            raise _private_key_error()
        keys += [word.strip()] if word.startswith(("age1", "ssh-")) else _public_keys(Path(word))
    for key in keys:
        _recipient(key)
    return Recipients(tuple(dict.fromkeys(keys))) if keys else None


def read_identities(path: Path) -> Identities:
    """Return the private keys of a file written by age-keygen or ssh-keygen.

    The file is read once, so it may be a pipe: `--identity <(age -d key.age)`. Raises UsageError,
    NotFoundError.
    """
    pyrage = _pyrage()
    text = _text_of(path)
    if text.startswith(_ENCRYPTED_MARKS):
        raise UsageError(
            f"{path} is itself encrypted with a passphrase",
            hint=f"let age decrypt it: --identity <(age -d {path})",
        )
    try:
        if "PRIVATE KEY-----" in text:
            return Identities(str(path), (pyrage.ssh.Identity.from_buffer(text.encode()),))
        keys = [pyrage.x25519.Identity.from_str(line) for line in _lines(text)]
    except (pyrage.IdentityError, ValueError) as error:
        raise UsageError(
            f"{path} does not contain a usable private key",
            hint="use a file from age-keygen, or an SSH key without a passphrase",
        ) from error
    if not keys:
        raise UsageError(
            f"{path} does not contain a usable private key",
            hint="to make one: age-keygen -o key.txt",
        )
    return Identities(str(path), tuple(keys))


@contextmanager
def encrypting(target: IO[bytes], recipients: Recipients) -> Iterator[IO[bytes]]:
    """Yield a stream that encrypts what is written to it into `target`.

    Leaving the block completes it; `target` stays open. An error of `target` is raised then, or at
    an earlier write.
    """
    pyrage = _pyrage()
    keys = [_recipient(key) for key in recipients.keys]
    watched = _Watched(target)
    reading, writing = os.pipe()

    def work(_: Event) -> None:
        with os.fdopen(reading, "rb", buffering=_PIECE) as source, watched.told():
            pyrage.encrypt_io(source, watched, keys)

    with _finished(Beside(work)), os.fdopen(writing, "wb", buffering=_PIECE) as stream:
        yield stream


def decrypted(source: IO[bytes], identities: Identities | None, name: str) -> IO[bytes]:
    """Return the decrypted contents of `source`; errors call it `name`.

    Damage or truncation raises InvalidInputError at the read that reaches it, never an early end.
    Closing closes both. Raises UsageError without identities; ConfigurationError, at the first
    read, if no key fits.
    """
    if identities is None:
        source.close()
        raise UsageError(f"{name} is encrypted", hint="give the private key file: --identity FILE")
    pyrage = _pyrage()
    keys = list(identities.keys)
    reading, writing = os.pipe()
    watched = _Watched(source)

    def work(_: Event) -> None:
        with os.fdopen(writing, "wb", buffering=_PIECE) as stream:
            try:
                with watched.told():
                    pyrage.decrypt_io(watched, stream, keys)
            except (pyrage.DecryptError, OSError) as error:
                # The disk's or network's error, not the key's.
                if watched.failure is not None or getattr(error, "errno", None) is not None:
                    raise
                raise _decryption_error(str(error), identities, name) from error

    raw = os.fdopen(reading, "rb", buffering=0)
    return io.BufferedReader(_Whole(raw, Beside(work), source), _PIECE)


@contextmanager
def _finished(worker: Beside) -> Iterator[None]:
    """Wait at the end of the block; the worker's failure is what broke a pipe inside it."""
    try:
        yield
    except BrokenPipeError:
        worker.wait()
        raise
    except BaseException:
        worker.stop()
        raise
    worker.wait()


class _Watched:
    """A stream that remembers its error, of which pyrage keeps only the text."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.failure: Exception | None = None

    def read(self, size: int = -1) -> bytes:
        return self._remember(lambda: self._stream.read(size))

    def write(self, data: bytes) -> int:
        return self._remember(lambda: self._stream.write(data))

    def flush(self) -> None:
        """Leave closing to the owner of the stream."""

    @contextmanager
    def told(self) -> Iterator[None]:
        """Raise the stream's own error instead of the one the block turned it into."""
        try:
            yield
        except Exception as error:
            if self.failure is not None:
                raise self.failure from error
            raise

    def _remember(self, act: Callable[[], _T]) -> _T:
        try:
            return act()
        except Exception as error:
            self.failure = error
            raise


class _Whole(io.RawIOBase):
    """Reads a pipe to its end, and raises the worker's failure instead of ending early."""

    def __init__(self, raw: io.FileIO, worker: Beside, source: IO[bytes]) -> None:
        self._raw = raw
        self._worker = worker
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        count = self._raw.readinto(buffer)
        if not count:
            self._worker.wait()
        return count

    def close(self) -> None:
        if not self.closed:
            # First: the worker, blocked on a full pipe, ends only when nobody reads it.
            self._raw.close()
            self._worker.stop()
            self._source.close()
        super().close()


def _decryption_error(reason: str, identities: Identities, name: str) -> ChatdbError:
    if "No matching keys" in reason:
        return ConfigurationError(
            f"no key in {identities.source} can decrypt {name}",
            hint="give another identity: --identity FILE (chatdb backup show prints the "
            "recipients)",
        )
    return InvalidInputError(f"{name} is damaged: {reason}", hint="restore another backup")


def _recipient(key: str) -> Any:
    pyrage = _pyrage()
    try:
        if key.startswith("ssh-"):
            return pyrage.ssh.Recipient.from_str(key)
        return pyrage.x25519.Recipient.from_str(key)
    except (pyrage.RecipientError, ValueError) as error:
        raise UsageError(
            f"{key[:_SHOWN]} is not a usable public key",
            hint="use age1... as age-keygen prints it, or an SSH key (ssh-ed25519, ssh-rsa)",
        ) from error


def _public_keys(path: Path) -> list[str]:
    text = _text_of(path)
    # If the two files were mixed up, the secret must not end up in a log.
    if _SECRET_MARK.search(text):
        raise _private_key_error()
    keys = _lines(text)
    if not keys:
        raise UsageError(f"{path} contains no recipient", hint="a public key on each line: age1...")
    return keys


def _private_key_error() -> UsageError:
    return UsageError(
        "--encrypt-to was given a private key",
        hint="to print its public key: age-keygen -y FILE",
    )


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST_KEY_FILE).decode()
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no file {path}", hint="check the path") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise UsageError(f"{path} cannot be read: {reason}", hint="give a file of keys") from error


def _lines(text: str) -> list[str]:
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _pyrage() -> Any:
    try:
        import pyrage
    except ImportError as error:
        raise ProgramMissingError(
            "encryption needs the package pyrage",
            hint="to install it: pip install 'chatdb-cli[encryption]'",
        ) from error
    return pyrage
