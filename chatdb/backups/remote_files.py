"""Files behind fsspec: the file system of a URL, and an upload that verifies what arrived."""

import base64
import hashlib
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chatdb.errors import ProgramMissingError, UsageError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_PART = 8 << 20
"""Bytes sent at once: an upload holds this much in memory for each part under way."""

_PARTS_AT_ONCE = 4
_MOST_PARTS = 9_000
"""The limit of S3 is 10,000; a file of more than 70 GiB is sent in larger parts."""

_EXTRAS = {
    "s3": "s3",
    "s3a": "s3",
    "gs": "gs",
    "gcs": "gs",
    "az": "az",
    "abfs": "az",
    "abfss": "az",
    "adl": "az",
}
_TALKATIVE = ("s3fs", "gcsfs", "adlfs", "azure", "google", "botocore", "aiobotocore")
"""Loggers of these libraries, which must not print to the terminal."""

CLIENT: dict[str, Any] = {
    "config_kwargs": {
        "connect_timeout": 10,
        "read_timeout": 60,
        "retries": {"max_attempts": 3, "mode": "standard"},
        "response_checksum_validation": "when_required",
    }
}
"""Settings for Amazon's library: do not wait 60 s for a host that does not answer, and leave
checksums of reads to chatdb; several compatible stores send that of the whole with a part."""


def open_file_system(url: str) -> tuple["AbstractFileSystem", str]:
    """Return the file system of a URL and the path in it.

    Raises ProgramMissingError for a package that is not installed, UsageError for an unknown
    protocol.
    """
    protocol = url.partition("://")[0].lower()
    extra = _EXTRAS.get(protocol)
    install = f"to install it: pip install 'chatdb-cli[{extra or 'remote'}]'"
    try:
        from fsspec.core import url_to_fs

        options = CLIENT if extra == "s3" else {}
        for name in _TALKATIVE:
            logging.getLogger(name).addHandler(logging.NullHandler())
        # A cached listing would hide files that another machine has added.
        files, path = url_to_fs(url, use_listings_cache=False, skip_instance_cache=True, **options)
    except ImportError as error:
        raise ProgramMissingError(
            f"{protocol}:// needs a package that is not installed", hint=install
        ) from error
    except ValueError as error:
        if "not known" in str(error).lower() or "Protocol" in str(error):
            raise UsageError(
                f"{protocol}:// is not supported here", hint="for example s3://bucket/folder"
            ) from error
        raise UsageError(f"{protocol}:// address: {error}") from error
    return files, str(path).rstrip("/")


def modified_at(info: Mapping[str, Any]) -> datetime:
    """Return when a file was last written; file systems differ in the key."""
    for name in ("LastModified", "mtime", "last_modified", "updated", "modified", "created"):
        value = info.get(name)
        if isinstance(value, datetime):
            return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
        if isinstance(value, (int, float)):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, str):
            try:
                return datetime.fromisoformat(value).astimezone(UTC)
            except ValueError:
                continue
    return datetime.now(UTC)


class Upload:
    """One file being uploaded."""

    def __init__(self, files: "AbstractFileSystem", path: Path, target: str) -> None:
        self._files = files
        self._path = path
        self._target = target
        self._bytes = path.stat().st_size
        self._part = max(_PART, -(-self._bytes // _MOST_PARTS))

    def send(self, on_bytes: Callable[[int], object] | None) -> None:
        """Send it; the name appears only once everything has arrived, if the store is able to."""
        from fsspec.callbacks import Callback

        told = 0

        class Told(Callback):  # type: ignore[misc]
            def relative_update(self, inc: int = 1) -> None:
                nonlocal told
                told += inc
                if on_bytes is not None:
                    on_bytes(inc)

        self._files.put_file(str(self._path), self._target, callback=Told(), **self._options())
        if on_bytes is not None and told < self._bytes:  # Not every file system accepts a callback.
            on_bytes(self._bytes - told)

    def _options(self) -> dict[str, Any]:
        protocol = self._files.protocol
        names = {protocol} if isinstance(protocol, str) else set(protocol)
        if "s3" in names:
            return {"chunksize": self._part, "max_concurrency": _PARTS_AT_ONCE}
        if "gs" in names:
            return {"chunksize": self._part}
        return {"max_concurrency": _PARTS_AT_ONCE} if "abfs" in names else {}

    def has_arrived(self) -> bool:
        """Tell whether the store holds exactly these bytes.

        By the checksum that the store reports, if we can compute it; else by reading the file back.
        """
        info = self._files.info(self._target)
        # The cheap look first: the checksums read the whole file again.
        if info.get("size") != self._bytes:
            return False
        told = told_checksums(info)
        if told and not told.isdisjoint(self._checksums()):
            return True
        with self._files.open(self._target, "rb", block_size=_PART) as back:
            arrived = hashlib.file_digest(back, "sha256").digest()
        with self._path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest() == arrived

    def _checksums(self) -> set[str]:
        """Return the MD5 of the whole, and of the parts together as S3 writes it."""
        # MD5 because S3 and its relatives report nothing else; it guards against accidents only.
        whole, parts = hashlib.md5(usedforsecurity=False), b""
        with self._path.open("rb") as file:
            while data := file.read(self._part):
                whole.update(data)
                parts += hashlib.md5(data, usedforsecurity=False).digest()
        together = hashlib.md5(parts, usedforsecurity=False).hexdigest()
        return {whole.hexdigest(), f"{together}-{len(parts) // 16}"}


def told_checksums(info: Mapping[str, Any]) -> set[str]:
    """Return the checksums that a store reports for a file, in hexadecimal."""
    told = {str(info[name]).strip('"').lower() for name in ("ETag", "etag") if info.get(name)}
    settings = info.get("content_settings") or {}
    for value in (info.get("md5Hash"), settings.get("content_md5")):
        if isinstance(value, str):
            told.add(base64.b64decode(value).hex())
        elif isinstance(value, (bytes, bytearray)):
            told.add(bytes(value).hex())
    return told
