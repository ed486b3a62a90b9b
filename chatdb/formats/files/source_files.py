"""A file to read, and one that is left out."""

import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from chatdb.errors import NotFoundError, StorageError
from chatdb.formats.base import IgnoredFile
from chatdb.formats.files.streams import OnBytes, Utf8Stream

Opener = Callable[[OnBytes | None, ExitStack], Utf8Stream]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file to read; `size` is in the bytes that `on_bytes` counts.

    Those are the bytes on disk, compressed or not; for members of a zip the unpacked ones.
    """

    name: str
    size: int
    opener: Opener
    on_bytes: OnBytes | None = None

    @contextmanager
    def open(self, *, counting: bool = True) -> Iterator[io.BufferedIOBase]:
        """Open the file as a stream of UTF-8 without byte order mark, from its beginning.

        Reading raises InvalidInputError for damaged or suspicious compression; opening raises
        StorageError if the file cannot be opened. `counting=False` (for reading the head) skips
        `on_bytes`.
        """
        with ExitStack() as stack:
            try:
                stream = self.opener(self.on_bytes if counting else None, stack)
            except OSError as error:
                raise storage_error(self.name, error) from error
            yield stack.enter_context(stream)

    def pass_over(self) -> None:
        """Count the file as read: it will not be read."""
        if self.on_bytes is not None:
            self.on_bytes(self.size)


@dataclass(frozen=True, slots=True)
class RawFile:
    """A file as it is in its folder or archive; `size` is in bytes, `is_json` what it looks like.

    Opening and reading raise OSError and whatever a damaged archive makes zipfile raise. A link
    cannot be opened.
    """

    name: str
    size: int
    is_json: bool
    opener: Callable[[], io.BufferedIOBase]
    is_link: bool = False


IS_LINK = "it is a link, and links are not followed"
UNREADABLE = (zipfile.BadZipFile, RuntimeError, NotImplementedError, zlib.error, EOFError)
"""What zipfile raises for a member that is damaged, encrypted or compressed in another way."""


@dataclass(slots=True)
class FoundFile:
    """The contents of a folder or archive: files that may be read, and the others.

    `texts` are those of the others that a reader may take with a file they lie beside; `raw` are
    all of them, if they are asked for.
    """

    files: list[SourceFile]
    ignored: list[IgnoredFile]
    texts: list[SourceFile] = field(default_factory=list)
    raw: list[RawFile] | None = None

    def add_raw(
        self,
        name: str,
        size: int,
        opener: Callable[[], io.BufferedIOBase],
        *,
        is_json: bool,
        is_link: bool = False,
    ) -> None:
        """Note a file as it is."""
        if self.raw is not None:
            self.raw.append(RawFile(name, size, is_json, opener, is_link))

    def ignore(self, place: str, reason: str, *, holds_words: bool = False) -> None:
        """Leave a file out."""
        self.ignored.append(IgnoredFile(place, reason, holds_words))


def folder_of(name: str) -> str:
    """Return the folder or archive that a file is in, with its last separator."""
    return name[: max(name.rfind("/"), name.rfind(":")) + 1]


def storage_error(name: str, error: OSError) -> NotFoundError | StorageError:
    """Return the error of a file that cannot be read."""
    if isinstance(error, FileNotFoundError):
        return NotFoundError(f"{name} does not exist", hint="check the path with `ls`")
    return StorageError(f"{name} cannot be read: {error.strerror or error}")
