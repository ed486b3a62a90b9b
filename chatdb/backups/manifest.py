"""The description of a backup, in a file beside it: `NAME.manifest.json`.

It is written last: a backup without one was interrupted. It ends with its own digest, which
distinguishes a damaged manifest from a damaged archive. `docs/backup.md` lists the fields.
"""

from datetime import datetime
from typing import Literal

import msgspec

from chatdb.backups.contents import Contents
from chatdb.backups.left_out import LeftOut
from chatdb.backups.names import Kind, Part
from chatdb.errors import InvalidInputError
from chatdb.primitives import canonical

FORMAT = "chatdb-backup"
VERSION = 2
"""1 has no attachments; a backup without any is still written as 1."""
# Written anew at each verification: a nightly one would make it grow for ever.
KEPT_VERIFICATIONS = 20

Compression = Literal["none", "zstd", "inside"]
"""`zstd` is a stream of ours around the archive, `inside` is pg_dump's own."""


Way = Literal["checksums", "files", "restore"]
"""How a backup is verified."""


class BackupFile(msgspec.Struct, frozen=True):
    """One file of a backup; the name is relative to the store, sha256 is of its bytes there."""

    name: str
    bytes: int
    sha256: str


class AttachedFiles(msgspec.Struct, frozen=True, kw_only=True):
    """The attachments of a backup: in which of its files, how many and their bytes.

    `missing` had no bytes when the backup was made.
    """

    name: str
    files: int
    bytes: int
    missing: int = 0


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """Everything known about a backup.

    `tool` made the archive ("pg_dump", "sqlite", "chatdb"); `schema` holds chatdb's tables on
    PostgreSQL; `seconds` is how long making it took; `unpacked_bytes` is the archive's size without
    our compression; `index` names the file that lists the conversations, `attachments` tells of the
    one with kept attachments. `organization` is the key of its only organization, if limited to
    one. `recipients` are the keys it is encrypted to. `needs_superuser` are objects that only a
    superuser can create again, `extensions` each with the tables that use it (None: not known).
    """

    format: str = FORMAT
    version: int = 1
    name: str
    kind: Kind
    part: Part = "full"
    organization: str | None = None
    database: str
    database_kind: Literal["sqlite", "postgresql"]
    schema: str | None = None
    environment: str | None = None
    created_at: datetime
    seconds: float
    chatdb_version: str
    tool: str
    tool_version: str
    server_version: str
    revision: str | None
    compression: Compression
    encryption: Literal["none", "age"] = "none"
    recipients: tuple[str, ...] = ()
    files: tuple[BackupFile, ...]
    index: str | None = None
    attachments: AttachedFiles | None = None
    unpacked_bytes: int
    contents: Contents
    needs_superuser: tuple[str, ...] = ()
    extensions: dict[str, tuple[str, ...]] | None = None

    @property
    def archive(self) -> tuple[BackupFile, ...]:
        """The files that hold the data: one, except for the directory format."""
        beside = (self.index, None if self.attachments is None else self.attachments.name)
        return tuple(file for file in self.files if file.name not in beside)

    @property
    def bytes(self) -> int:
        """The size of all files."""
        return sum(file.bytes for file in self.files)

    @property
    def has_rows(self) -> bool:
        """Whether the counts in `contents` are those of the archive."""
        return self.part != "schema-only"


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """One verification of a backup: its files read to the end, or restored as well.

    `checksums`: of an encrypted backup without its key, where nothing else can be verified.
    `attachments` is how many kept files were compared with it.
    `left_out` are objects outside chatdb's tables that are not restored. `warnings` are no loss of
    data: they say what to do after restoring it.
    """

    at: datetime
    way: Way
    passed: bool
    seconds: float
    problems: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    warnings: tuple[str, ...] = ()
    attachments: int = 0
    chatdb_version: str = ""


class Verifications(msgspec.Struct, frozen=True, kw_only=True):
    """The file `NAME.verified.json`: the last verifications, newest at the end."""

    version: int = VERSION
    verifications: tuple[Verification, ...] = ()

    def adding(self, verification: Verification) -> "Verifications":
        """Return these with one more, without the oldest."""
        kept = (*self.verifications, verification)[-KEPT_VERIFICATIONS:]
        return Verifications(verifications=kept)

    def last(self, *, passed: bool | None = None) -> Verification | None:
        """Return the newest, if requested of those that passed or failed."""
        wanted = (item for item in reversed(self.verifications) if passed in (None, item.passed))
        return next(wanted, None)


def encode(manifest: Manifest) -> bytes:
    """Return the manifest as indented JSON, with its digest at the end."""
    fields = msgspec.to_builtins(manifest)
    # Over the canonical form: indenting the file by hand does not damage it.
    fields["sha256"] = canonical.digest(fields)
    return msgspec.json.format(msgspec.json.encode(fields), indent=2) + b"\n"


def decode(data: bytes, *, name: str) -> Manifest:
    """Read a manifest; raises InvalidInputError if it is damaged or of a newer chatdb."""
    try:
        fields = msgspec.json.decode(data, type=dict[str, object])
        told = fields.pop("sha256", None)
        if fields.get("format") != FORMAT:
            raise InvalidInputError(f"{name} is not a chatdb manifest")
        version = fields.get("version")
        # Before the digest: a newer chatdb may compute it in another way.
        if isinstance(version, int) and version > VERSION:
            raise InvalidInputError(
                f"{name} was written by a newer chatdb ({fields.get('chatdb_version')})",
                hint="to install that version: pip install --upgrade chatdb-cli",
            )
        if told != canonical.digest(fields):
            raise InvalidInputError(f"{name} is damaged: its digest does not match")
        return msgspec.convert(fields, Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{name} is damaged: {error}") from error


def encode_verifications(verifications: Verifications) -> bytes:
    """Return the file's bytes."""
    return msgspec.json.format(msgspec.json.encode(verifications), indent=2) + b"\n"


def decode_verifications(data: bytes) -> Verifications:
    """Read the file; a damaged one counts as empty: it only records earlier verifications."""
    try:
        return msgspec.json.decode(data, type=Verifications)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Verifications()
