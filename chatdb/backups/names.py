"""File names of backups, ours and other tools': `relay_20261125T193300Z.dump.zst`.

A backup's name is everything before the first suffix; each file adds a suffix for its role. Any
other file that looks like a dump is another tool's: `relay_dev_20231220_143022.sql.gz`.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

Kind = Literal["custom", "directory", "sqlite", "native", "plain", "tar"]
"""Archive formats: pg_dump's, a SQLite file, chatdb's native JSON Lines."""

Part = Literal["full", "schema-only", "data-only", "organization"]
"""How much of the database it contains."""

MANIFEST = ".manifest.json"
INDEX = ".conversations.zst"
ATTACHMENTS = ".attachments.tar.zst"
VERIFICATIONS = ".verified.json"
ENCRYPTED = ".age"
PARTIAL = ".partial"
COMPRESSED = ".zst"
TOC = "toc.dat"
"""The table of contents in a directory-format dump."""


_SUFFIX_OF: dict[Kind, str] = {
    "custom": ".dump",
    "directory": ".dir",
    "sqlite": ".db",
    "native": ".jsonl",
    "plain": ".sql",
    "tar": ".tar",
}
_KIND_OF: dict[str, Kind] = {
    **{suffix: kind for kind, suffix in _SUFFIX_OF.items()},
    ".pgdump": "custom",
    ".backup": "custom",
    ".custom": "custom",
    ".psql": "plain",
    ".sqlite": "sqlite",
    ".sqlite3": "sqlite",
}
_COMPRESSIONS = (COMPRESSED, ".gz", ".bz2", ".xz", ".lz4")
_MARKS: dict[Part, str] = {
    "full": "",
    "schema-only": "_schema",
    "data-only": "_data",
    "organization": "_org",
}
_STEM = re.compile(
    r"(?P<database>.+)_(?P<time>\d{8}T\d{6}Z)(?P<mark>_schema|_data|_org(?:-[\w-]*)?)?"
    r"(?:_(?P<number>\d+))?"
)
_FOREIGN_TIME = re.compile(
    r"(?P<day>(?:19|20)\d\d-?[01]\d-?[0-3]\d)"
    r"(?:[T_ .-]?(?P<time>[0-2]\d[:_-]?[0-5]\d(?:[:_-]?[0-5]\d)?))?Z?(?!\d)"
)
# A file name has 255 bytes, of which time, mark and suffixes take their part.
_LONGEST_DATABASE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class FileName:
    """What a file's name says: of a backup of ours, or of another tool's.

    `backup` is the name of the whole backup, `database` as it appears there; `made_at` is None if a
    foreign name has no time. `compression` is the suffix without its dot. `role` is the file's part
    in the backup; `kind` is set for archives.
    """

    backup: str
    database: str
    made_at: datetime | None
    role: Literal["archive", "manifest", "index", "attachments", "verifications"]
    kind: Kind | None = None
    part: Part = "full"
    compression: str | None = None
    is_encrypted: bool = False
    is_ours: bool = True


def backup_name(
    database: str, made_at: datetime, *, part: Part = "full", org: str = "", number: int = 1
) -> str:
    """Return the name of a backup; `number` distinguishes backups of the same second."""
    mark = _MARKS[part] + (f"-{_safe(org)}" if org else "")
    # In UTC: names sort as the backups were made, also over a change of clocks.
    time = made_at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    return f"{safe_database(database)}_{time}{mark}" + (f"_{number}" if number > 1 else "")


def archive_name(backup: str, kind: Kind, *, compressed: bool, encrypted: bool = False) -> str:
    """Return the name of a backup's archive; that of the folder for the directory format."""
    if kind == "directory":
        return backup + _SUFFIX_OF[kind]
    around = (COMPRESSED if compressed else "") + (ENCRYPTED if encrypted else "")
    return backup + _SUFFIX_OF[kind] + around


def safe_database(database: str) -> str:
    """Return a database's name as used in file names: letters, digits, `_`, `-`, `.`."""
    # A leading `-` would be read as an option, a leading `.` hide the file.
    return re.sub(r"[^\w.-]|^[.-]", "_", database)[:_LONGEST_DATABASE] or "database"


def read_file_name(name: str) -> FileName | None:
    """Parse a file's name, ignoring the folder before it; None if it is not a backup.

    A file inside a directory-format backup (`NAME.dir/toc.dat`) is part of that archive.
    """
    head, slash, _ = name.partition("/")
    if slash:
        found = read_file_name(head)
        return found if found is not None and found.kind == "directory" else None
    is_encrypted = name.endswith(ENCRYPTED)
    bare = name.removesuffix(ENCRYPTED)
    for suffix, role in (
        (MANIFEST, "manifest"),
        (INDEX, "index"),
        (ATTACHMENTS, "attachments"),
        (VERIFICATIONS, "verifications"),
    ):
        if bare.endswith(suffix):
            return _ours(bare.removesuffix(suffix), role, None, None, is_encrypted=is_encrypted)
    compression = next((item for item in _COMPRESSIONS if bare.endswith(item)), "")
    bare = bare.removesuffix(compression)
    stem, dot, suffix = bare.rpartition(".")
    kind = _KIND_OF.get((dot + suffix).lower())
    if not stem or kind is None:
        return None
    packed = compression.removeprefix(".") or None
    return _ours(stem, "archive", kind, packed, is_encrypted=is_encrypted) or _foreign(
        stem, kind, packed, is_encrypted=is_encrypted
    )


def is_backup_name(text: str) -> bool:
    """Tell whether the text is the name of a backup of ours, without any suffix."""
    return _STEM.fullmatch(text) is not None


def _ours(
    stem: str, role: str, kind: Kind | None, compression: str | None, *, is_encrypted: bool
) -> FileName | None:
    match = _STEM.fullmatch(stem)
    if match is None:
        return None
    try:
        made_at = datetime.strptime(match["time"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
    mark = (match["mark"] or "").partition("-")[0]
    part = next(part for part in get_args(Part) if _MARKS[part] == mark)
    return FileName(
        backup=stem,
        database=match["database"],
        made_at=made_at,
        role=role,  # type: ignore[arg-type]
        kind=kind,
        part=part,
        compression=compression,
        is_encrypted=is_encrypted,
    )


def _foreign(
    stem: str, kind: Kind, compression: str | None, *, is_encrypted: bool
) -> FileName | None:
    """Read another tool's name; a SQLite file without a time in it may be the database itself."""
    # The last: a database's own name may have a year in it.
    match = next(reversed(list(_FOREIGN_TIME.finditer(stem))), None)
    made_at = None if match is None else _time(match)
    if made_at is None and kind in ("sqlite", "native"):
        return None
    database = stem if match is None else stem[: match.start()] or stem[match.end() :]
    return FileName(
        backup=stem,
        database=database.strip("_.- ") or stem,
        made_at=made_at,
        role="archive",
        kind=kind,
        compression=compression,
        is_encrypted=is_encrypted,
        is_ours=False,
    )


def _time(match: re.Match[str]) -> datetime | None:
    """Return the time in a foreign name; its zone is unknown, so it is read as UTC."""
    day = match["day"].replace("-", "")
    clock = re.sub(r"\D", "", match["time"] or "").ljust(6, "0")
    try:
        return datetime.strptime(day + clock, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def _safe(key: str) -> str:
    return re.sub(r"[^\w-]", "-", key)[:40]
