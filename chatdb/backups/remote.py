"""Backups in an object store or anywhere else that fsspec reaches: `s3://`, `gs://`, `az://` ...

A file is uploaded from the finished one in the staging folder, so that its checksum is known and a
broken connection costs only one more try; nothing counts as a backup before its manifest, the last
file, is there. A backup in progress is claimed by `NAME.partial`, a small file in the store, which
also proves write access before hours are spent on a dump. The provider's own library finds the
credentials; chatdb never handles them.
"""

import io
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, TypeVar, cast

import msgspec

from chatdb.backups.archives import OnBytes
from chatdb.backups.encryption import NO_KEYS, Keys
from chatdb.backups.names import MANIFEST, PARTIAL, VERIFICATIONS
from chatdb.backups.remote_errors import is_worth_a_retry, translated
from chatdb.backups.remote_files import Upload, modified_at, open_file_system
from chatdb.backups.store import Staging, StoredFile, redacted_url
from chatdb.errors import NotFoundError, StorageError
from chatdb.primitives.boot import boot_id
from chatdb.primitives.folder_lock import lock_folder
from chatdb.primitives.roomy_folder import roomy_folder

_TRIES = 4
_FIRST_WAIT = 0.5
"""Seconds before the second try; each later wait is three times as long."""

_ABANDONED_AFTER = timedelta(days=2)
"""A claim of another machine, whose process we cannot see, is abandoned after this time."""

# A request a block: each waits for the store's answer.
_BLOCK = 8 << 20
_SMALL = (MANIFEST, VERIFICATIONS)
_SMALL_BYTES = 1 << 20
_T = TypeVar("_T")


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of `NAME.partial`: which process makes this backup, and where."""

    machine: str
    folder: str
    since: datetime


class _TranslatedStream(io.RawIOBase):
    """A file of the store; reading it raises chatdb's errors."""

    def __init__(self, stream: Any, address: str) -> None:
        self._stream = stream
        self._address = address

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        with translated(self._address):
            data: bytes = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return int(self._stream.seek(offset, whence))

    def tell(self) -> int:
        return int(self._stream.tell())

    def close(self) -> None:
        self._stream.close()
        super().close()


class RemoteStore:
    """A folder of an object store; it need not exist, but the bucket must."""

    def __init__(self, url: str, keys: Keys = NO_KEYS) -> None:
        self.keys = keys
        self._url = url.rstrip("/")
        self._claimed: dict[Path, str] = {}
        self._small: dict[str, bytes | None] = {}
        with translated(self.address):
            self._system, self._root = open_file_system(self._url)

    @property
    def address(self) -> str:
        return redacted_url(self._url)

    def files(self) -> list[StoredFile]:
        found = self._listed("")
        folders = [name for name, info in found if _is_folder(info) and name.endswith(".dir")]
        found += [each for folder in folders for each in self._listed(folder)]
        files = [
            StoredFile(name, int(info.get("size") or 0), modified_at(info))
            for name, info in found
            if not _is_folder(info)
        ]
        self._small = {
            file.name: None
            for file in files
            if file.name.endswith(_SMALL) and file.bytes <= _SMALL_BYTES
        }
        return sorted(files, key=lambda file: file.name)

    def open(self, name: str) -> IO[bytes]:
        if name in self._small:
            if self._small[name] is None:
                self._fetch_small()
            data = self._small.pop(name)
            if data is not None:
                return io.BytesIO(data)
        with translated(self._address_of(name)):
            stream = self._system.open(
                self._path(name), "rb", block_size=_BLOCK, cache_type="readahead"
            )
        return cast(IO[bytes], _TranslatedStream(stream, self._address_of(name)))

    def staging(self, backup: str) -> Staging | None:
        taken = (name for name, _ in self._listed("") if name.startswith(backup + "."))
        if next(taken, None) is not None:
            return None
        folder = Path(tempfile.mkdtemp(prefix=f"{backup}-", suffix=PARTIAL, dir=roomy_folder()))
        lock = lock_folder(folder)
        if lock is None:
            raise StorageError(f"{folder} was taken by another process", hint="run it again")
        staging = Staging(folder, lock)
        claim = Claim(machine=_machine(), folder=str(folder), since=datetime.now(UTC))
        try:
            self.write(backup + PARTIAL, msgspec.json.encode(claim))
        except BaseException:
            _give_up(staging)
            raise
        self._claimed[folder] = backup
        return staging

    def release(self, staging: Staging) -> None:
        claim = self._claimed.pop(staging.folder) + PARTIAL
        try:
            # Only once: a store that does not answer has been reported by now, and the next backup
            # sweeps.
            with suppress(StorageError, FileNotFoundError), translated(self.address):
                self._system.rm_file(self._path(claim))
        finally:
            _give_up(staging)

    def put(self, path: Path, name: str, on_bytes: OnBytes | None = None) -> None:
        upload = Upload(self._system, path, self._path(name))

        def send() -> bool:
            upload.send(on_bytes)
            return upload.has_arrived()

        with self._writing():
            arrived = self._retried(name, send) or self._retried(name, send)
        if not arrived:
            with suppress(StorageError):
                self.delete(name)
            raise StorageError(
                f"{self._address_of(name)} differs from what was sent (checksum mismatch)",
                hint="run it again; if it persists, the store or the network is corrupting data",
            )
        path.unlink()

    def write(self, name: str, data: bytes) -> None:
        with self._writing():
            self._retried(name, lambda: self._system.pipe_file(self._path(name), data))

    def delete(self, name: str) -> None:
        def remove() -> None:
            with suppress(FileNotFoundError):
                self._system.rm_file(self._path(name))

        self._retried(name, remove)

    def leftovers(self) -> list[str]:
        return [backup for backup, claim in self._claims() if _is_abandoned(claim)]

    def sweep(self, backup: str) -> None:
        claim = dict(self._claims()).get(backup)
        if claim is not None and claim.machine == _machine():
            _remove_abandoned(Path(claim.folder))
        names = [file.name for file in self.files() if file.name.startswith(backup + ".")]
        if backup + MANIFEST not in names:
            for name in names:
                if name != backup + PARTIAL:
                    self.delete(name)
            self._forget_parts(backup)
        # The claim last: an interrupted sweep is taken up by the next.
        self.delete(backup + PARTIAL)

    def local_path(self, name: str) -> Path | None:  # noqa: ARG002 - nothing here is local
        return None

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Raise if the bucket is missing; a missing folder is created by writing to it."""
        try:
            yield
        except NotFoundError as error:
            raise StorageError(
                f"{self.address}: there is no such bucket or container",
                hint="create it first, or check the name",
            ) from error

    def _fetch_small(self) -> None:
        """Fetch all manifests at once: one after the other, a year's list would take minutes."""
        paths = {self._path(name): name for name in self._small}
        with translated(self.address):
            found = self._system.cat(list(paths), on_error="omit")
        for path, data in found.items():
            name = paths.get(path.strip("/")) or paths.get(path)
            if name is not None:
                self._small[name] = data

    def _claims(self) -> list[tuple[str, Claim]]:
        """Return the claimed backups, and the claims as far as they can be read."""
        found = []
        for file in self.files():
            if not file.name.endswith(PARTIAL):
                continue
            try:
                with self.open(file.name) as stream:
                    claim = msgspec.json.decode(stream.read(), type=Claim)
            # A claim that cannot be read still claims: its age alone decides.
            except (msgspec.MsgspecError, StorageError):
                claim = Claim(machine="", folder="", since=file.modified_at)
            found.append((file.name.removesuffix(PARTIAL), claim))
        return found

    def _forget_parts(self, backup: str) -> None:
        """Abort the uploads of a killed process: S3 keeps, and bills, their parts forever."""
        uploads = getattr(self._system, "list_multipart_uploads", None)
        if uploads is None:
            return
        bucket, _, folder = self._root.partition("/")
        start = f"{folder}/{backup}." if folder else f"{backup}."
        with suppress(
            Exception
        ):  # Not every store can list them; a lifecycle rule removes them too.
            for upload in uploads(bucket):
                if upload["Key"].startswith(start):
                    self._system.abort_mpu(bucket, upload["Key"], upload["UploadId"])

    def _listed(self, folder: str) -> list[tuple[str, dict[str, Any]]]:
        """Return the files of a folder: names relative to the store, and what is known of each."""
        path = self._path(folder) if folder else self._root

        def look() -> list[dict[str, Any]]:
            self._system.invalidate_cache()
            try:
                return cast(list[dict[str, Any]], self._system.ls(path, detail=True))
            except FileNotFoundError as error:
                if "bucket does not exist" in str(error).lower():
                    raise
                return []

        prefix = f"{folder}/" if folder else ""
        return [
            (prefix + str(info["name"]).rstrip("/").rpartition("/")[2], info)
            for info in self._retried("", look)
            if str(info["name"]).strip("/") != path.strip("/")
        ]

    def _retried(self, name: str, act: Callable[[], _T]) -> _T:
        with translated(self._address_of(name)):
            for attempt in range(1, _TRIES):
                try:
                    return act()
                except Exception as error:
                    if not is_worth_a_retry(error):
                        raise
                time.sleep(_FIRST_WAIT * 3 ** (attempt - 1))
            return act()

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _address_of(self, name: str) -> str:
        return f"{self.address}/{name}" if name else self.address


def _give_up(staging: Staging) -> None:
    try:
        shutil.rmtree(staging.folder, ignore_errors=True)
    finally:
        os.close(staging.lock)


def _remove_abandoned(folder: Path) -> None:
    lock = lock_folder(folder)
    if lock is not None:
        _give_up(Staging(folder, lock))


def _is_abandoned(claim: Claim) -> bool:
    if claim.machine != _machine():
        return datetime.now(UTC) - claim.since > _ABANDONED_AFTER
    folder = Path(claim.folder)
    if not folder.exists():
        return True
    lock = lock_folder(folder)
    if lock is not None:
        os.close(lock)
    return lock is not None


def _is_folder(info: dict[str, Any]) -> bool:
    return info.get("type") == "directory"


def _machine() -> str:
    """Return an id of this machine since its last boot."""
    return f"{platform.node()} {boot_id()}".strip()
