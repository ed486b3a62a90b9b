"""The backups of a store, including incomplete ones and those of other tools."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from chatdb.backups.encryption import NO_KEYS, Keys
from chatdb.backups.manifest import (
    Manifest,
    Verifications,
    decode,
    decode_verifications,
    encode_verifications,
)
from chatdb.backups.names import (
    MANIFEST,
    PARTIAL,
    TOC,
    VERIFICATIONS,
    FileName,
    Kind,
    is_backup_name,
    read_file_name,
)
from chatdb.backups.store import Store, StoredFile
from chatdb.backups.stores import open_store
from chatdb.errors import InvalidInputError, NotFoundError

LATEST = "latest"
"""Means the newest complete backup."""

State = Literal["complete", "incomplete", "damaged", "foreign"]
"""`incomplete`: without a manifest or with a file missing; `foreign`: another tool's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """A backup and its store.

    `files` are the existing ones, only the archive's for a foreign backup; `problem` says why a
    backup is not complete. `made_at` is the file's modification time if the name contains none.
    `kind` is None if it is unknown.
    """

    name: str
    store: Store
    state: State
    database: str
    kind: Kind | None
    made_at: datetime
    files: tuple[StoredFile, ...]
    manifest: Manifest | None = None
    verifications: Verifications = field(default_factory=Verifications)
    problem: str | None = None

    @property
    def bytes(self) -> int:
        """The size of all its files."""
        return sum(file.bytes for file in self.files)

    @property
    def archive_names(self) -> tuple[str, ...]:
        """The names of the files that hold the data."""
        if self.manifest is not None:
            return tuple(file.name for file in self.manifest.archive)
        return tuple(file.name for file in self.files if _role(file.name) in ("archive", None))

    @property
    def file(self) -> str:
        """What to type to name it: the archive (or the folder of one) with its place."""
        name = next(iter(self.archive_names), self.name).partition("/")[0]
        return f"{self.store.address.rstrip('/')}/{name}"


def find_all(store: Store, *, database: str | None = None) -> list[Backup]:
    """Return the backups of a store, newest first; of one database (as in file names) if given."""
    groups: dict[str, list[StoredFile]] = defaultdict(list)
    everything = store.files()
    names = {file.name for file in everything}
    for file in everything:
        read = read_file_name(file.name)
        if read is not None:
            groups[read.backup if read.is_ours else file.name.partition("/")[0]].append(file)
    found = (_backup(store, name, files, names) for name, files in groups.items())
    wanted = (item for item in found if database in (None, item.database))
    return sorted(wanted, key=lambda item: (item.made_at, item.name), reverse=True)


def find(
    text: str,
    folder: str,
    *,
    database: str | None = None,
    full_first: bool = False,
    keys: Keys = NO_KEYS,
) -> Backup:
    """Return the named backup: by one of its files, its name, or `latest`, with its place or not.

    A text without a place is looked up in the store at `folder`, then in the current directory;
    `database` limits what `latest` may mean; with `full_first`, a backup of one organization counts
    only if there is no full one. `keys` decrypt encrypted backups. Raises NotFoundError.
    """
    place, slash, name = text.rstrip("/").rpartition("/")
    if name == LATEST:
        return _latest(open_store(place or folder, keys), database, full_first=full_first)
    places = [place or slash] if slash else [folder, "."]
    for address in places:
        store = open_store(address, keys)
        found = _in_store(store, name)
        if found is not None:
            return found
    looked = " or ".join(open_store(address).address for address in places)
    raise NotFoundError(
        f"there is no backup {text!r} in {looked}",
        hint="to list backups: chatdb backup list",
    )


def remember(backup: Backup, add: Callable[[Verifications], Verifications]) -> Verifications:
    """Save a verification beside the backup; this works for a foreign one as well."""
    name = backup.name + VERIFICATIONS
    names = {file.name for file in backup.store.files()}
    record = add(_verifications(backup.store, names, name))
    backup.store.write(name, encode_verifications(record))
    return record


def remove_incomplete(store: Store, names: Iterable[str]) -> list[str]:
    """Remove what interrupted backups of these names left; returns those that were removed.

    If the manifest exists the backup is complete, and only its staging folder is removed.
    """
    removed = []
    files = store.files()
    for name in names:
        ours = [file.name for file in files if _belongs(file.name, name)]
        if name + MANIFEST not in ours:
            for file in ours:
                store.delete(file)
            removed.append(name)
        store.sweep(name)
    return removed


def _latest(store: Store, database: str | None, *, full_first: bool) -> Backup:
    whole = [each for each in find_all(store, database=database) if each.state == "complete"]
    full = [each for each in whole if each.manifest is not None and each.manifest.part == "full"]
    if whole:
        # A whole database is never replaced by one organization of it.
        return (full or whole)[0] if full_first else whole[0]
    whose = f" of {database}" if database else ""
    raise NotFoundError(
        f"there is no complete backup{whose} in {store.address}", hint="to make one: chatdb backup"
    )


def _in_store(store: Store, name: str) -> Backup | None:
    read = read_file_name(name)
    wanted = name if read is None else read.backup
    files = store.files()
    names = {file.name for file in files}
    if is_backup_name(wanted):
        ours = [file for file in files if _belongs(file.name, wanted)]
        return _backup(store, wanted, ours, names) if ours else None
    named = [file for file in files if file.name == name or file.name.startswith(name + "/")]
    return _backup(store, name, named, names) if named else None


def _backup(store: Store, name: str, files: Sequence[StoredFile], names: Collection[str]) -> Backup:
    """Return the backup that these files form; `names` are those of all files in the store."""
    if not is_backup_name(name):
        return _foreign(store, name, files, names)
    reads = [read for file in files if (read := read_file_name(file.name)) is not None]
    archive = next((read for read in reads if read.role == "archive"), reads[0])
    manifest, problem, state = _manifest(store, name, names)
    return Backup(
        name=name,
        store=store,
        state=state,
        database=archive.database,
        kind=archive.kind if manifest is None else manifest.kind,
        made_at=archive.made_at or files[0].modified_at,
        files=tuple(files),
        manifest=manifest,
        verifications=_verifications(store, names, name + VERIFICATIONS),
        problem=problem,
    )


def _manifest(
    store: Store, name: str, names: Collection[str]
) -> tuple[Manifest | None, str | None, State]:
    """Read the manifest; return what is missing beside it, or what is wrong with it."""
    file = name + MANIFEST
    if file not in names and name + PARTIAL in names:
        return None, "it is being created, or creating it was interrupted", "incomplete"
    if file not in names:
        return None, "it has no manifest: creating it was interrupted", "incomplete"
    try:
        with store.open(file) as stream:
            manifest = decode(stream.read(), name=file)
    # A list must show the other backups.
    except InvalidInputError as error:
        return None, error.text, "damaged"
    # Somebody renamed or copied one of the files: its checksums are another backup's.
    if manifest.name != name:
        return None, f"{file} belongs to {manifest.name}", "damaged"
    missing = [item.name for item in manifest.files if item.name not in names]
    if missing:
        return manifest, f"{missing[0]} is missing", "incomplete"
    return manifest, None, "complete"


def _foreign(
    store: Store, name: str, files: Sequence[StoredFile], names: Collection[str]
) -> Backup:
    read: FileName | None = read_file_name(name)
    is_folder = any(file.name == f"{name}/{TOC}" for file in files)
    found: Kind | None = None if read is None else read.kind
    return Backup(
        name=name,
        store=store,
        state="foreign",
        database=Path(name).stem if read is None else read.database,
        kind="directory" if is_folder else found,
        made_at=files[0].modified_at if read is None else read.made_at or files[0].modified_at,
        files=tuple(files),
        verifications=_verifications(store, names, name + VERIFICATIONS),
    )


def _verifications(store: Store, names: Collection[str], file: str) -> Verifications:
    if file not in names:
        return Verifications()
    with store.open(file) as stream:
        return decode_verifications(stream.read())


def _belongs(file: str, backup: str) -> bool:
    read = read_file_name(file)
    return read is not None and read.is_ours and read.backup == backup


def _role(name: str) -> str | None:
    read = read_file_name(name)
    return None if read is None else read.role
