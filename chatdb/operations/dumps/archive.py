"""Prepares pg_dump archives for pg_restore, which needs only the head for all but the data.

Several jobs of pg_restore need a seekable file, which a stream is not. But only the data needs
that: the table of contents at the start of an archive is enough to create tables, indexes and
constraints. So the head is cut off, and nothing is unpacked to disk.
"""

import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from chatdb.backups.dump_entries import DumpEntry, entries_of
from chatdb.backups.names import Kind
from chatdb.backups.plain_sql import PlainDump, inspect
from chatdb.db.url import DatabaseUrl
from chatdb.errors import ChatdbError, InvalidInputError
from chatdb.primitives.private_folder import private_folder
from chatdb.servers.dump_programs import Client, DumpPrograms, Running, widen_pipe

_HEAD = 256 * 1024
_LARGEST_HEAD = 256 * 1024 * 1024
_PIECE = 1 << 20
_TAR_HEADER = 512
_NEWER_SETTINGS = 17
"""From this version on pg_restore writes a setting that older servers do not know."""

_FORMATS = {(1, 15): 16, (1, 16): 17}
"""By the version in an archive's first bytes: the oldest major version that reads it."""

_OLDEST = 15
_SCHEMA = ("--schema-only", "--file=-")
_THERE = (("SCHEMA", "public"), ("COMMENT", "EXTENSION plpgsql"))
"""Objects that a new database has already, and dumps of old versions contain as well."""

OnBytes = Callable[[int], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """An archive of pg_dump: `folder` is one in the directory format, `open` opens any other.

    It receives a callback for the bytes read of the file.
    """

    kind: Kind
    open: Callable[[OnBytes | None], AbstractContextManager[IO[bytes]]]
    folder: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """An archive that pg_restore can read: `head` is its start, `script` its DDL.

    `entries` are the parts to restore, `folder` is for our own files.
    """

    archive: Archive
    client: Client
    head: Path
    script: PlainDump
    entries: tuple[DumpEntry, ...]
    folder: Path

    @property
    def is_in_phases(self) -> bool:
        """Whether it can be restored in parts; otherwise in one run, fed with the archive."""
        return self.archive.kind in ("custom", "directory") and self.client.container is None

    def suits(self, server_major: int) -> bool:
        """Tell whether pg_restore's own settings are known to a server of this version."""
        return self.client.version[0] < _NEWER_SETTINGS or server_major >= _NEWER_SETTINGS


@contextmanager
def prepared(
    programs: DumpPrograms,
    archive: Archive,
    *,
    url: DatabaseUrl | None,
    tool_major: int | None,
    without: Sequence[str] = (),
) -> Iterator[Prepared]:
    """Find the pg_restore that reads the archive, and read its table of contents.

    `url` is that of a server in whose container pg_restore is searched too. `tool_major` is the
    version of the pg_dump that made it, None if only the archive knows; `without` names indexes
    that are not built. Raises InvalidInputError if it is not an archive, ProgramMissingError.
    """
    with private_folder("restore") as folder:
        needed = tool_major or _version_of(archive)
        client = programs.find("pg_restore", needed, url=url)
        if archive.folder is not None:
            client.require_here("a folder")
        head = archive.folder or folder / "head"
        listing = _listing(programs, client, archive, head)
        entries = tuple(_wanted(entries_of(listing), without))
        with _reading(programs, client, head, _SCHEMA) as running:
            script = inspect(running.stdout)
            running.finish()
        # Their owners are not part of the DDL.
        owners = {entry.owner for entry in entries if entry.is_large_object and entry.owner}
        script.owners |= owners
        script.roles |= owners
        yield Prepared(
            archive=archive, client=client, head=head, script=script, entries=entries, folder=folder
        )


def schema_of(programs: DumpPrograms, prepared: Prepared) -> AbstractContextManager[Running]:
    """Start pg_restore writing the archive's DDL as SQL to its `stdout`."""
    return _reading(programs, prepared.client, prepared.head, _SCHEMA)


def script_of(programs: DumpPrograms, prepared: Prepared) -> AbstractContextManager[Running]:
    """Start pg_restore writing the archive as SQL to its `stdout`, fed by the caller."""
    words = ["--file=-", *use_list(prepared, prepared.entries)]
    if prepared.archive.folder is not None:
        return programs.running(prepared.client, [*words, str(prepared.head)])
    return programs.running(prepared.client, words, stdin=subprocess.PIPE)


def feed(running: Running, archive: Archive, on_bytes: OnBytes | None) -> None:
    """Write the archive's bytes into a program; raises the errors of both."""
    try:
        with archive.open(on_bytes) as stream, running.stdin as pipe:
            widen_pipe(pipe.fileno())
            while data := stream.read(_PIECE):
                pipe.write(data)
    except BrokenPipeError:
        running.finish()
        # It exited with 0 without reading to the end, which only damage can cause.
        raise InvalidInputError("the archive continues after its end") from None


def use_list(prepared: Prepared, entries: Iterable[DumpEntry]) -> list[str]:
    """Return the option that lists the entries; in a container all are restored."""
    if prepared.client.container is not None:
        return []
    path = prepared.folder / "list"
    lines = "\n".join(entry.line for entry in entries)
    path.write_bytes(lines.encode("utf-8", "surrogateescape"))
    return [f"--use-list={path}"]


def _listing(programs: DumpPrograms, client: Client, archive: Archive, head: Path) -> list[str]:
    """Return the table of contents, from as much of the archive's start as needed."""
    if archive.folder is not None:
        return _listed(programs, client, head)
    with archive.open(None) as stream, head.open("wb") as file:
        size = _HEAD
        while True:
            data = stream.read(size)
            file.write(data)
            file.flush()
            try:
                return _listed(programs, client, head)
            except ChatdbError:
                if len(data) < size or file.tell() > _LARGEST_HEAD:
                    raise
            # Doubled each time: the head is read by pg_restore only a few
            # times, however large it is.
            size = file.tell()


def _listed(programs: DumpPrograms, client: Client, head: Path) -> list[str]:
    with _reading(programs, client, head, ["--list"]) as running:
        # The names in an archive are in the encoding of the dump, whatever that is.
        text = running.stdout.read().decode("utf-8", "surrogateescape")
        running.finish()
    return text.splitlines()


@contextmanager
def _reading(
    programs: DumpPrograms, client: Client, head: Path, words: Sequence[str]
) -> Iterator[Running]:
    """Run pg_restore on the start of an archive; in a container it is piped in."""
    if client.container is None:
        with programs.running(client, [*words, str(head)]) as running:
            yield running
        return
    with head.open("rb") as stream, programs.running(client, words, stdin=stream) as running:
        yield running


def _wanted(entries: Iterable[DumpEntry], without: Sequence[str]) -> Iterator[DumpEntry]:
    for entry in entries:
        is_left_out = (entry.kind, entry.name) in _THERE or (
            entry.kind == "INDEX" and entry.name in without
        )
        if not is_left_out:
            yield entry


def _version_of(archive: Archive) -> int:
    """Return the oldest major version that reads an archive, by its first bytes."""
    with suppress(IndexError):
        if archive.folder is not None:
            start = (archive.folder / "toc.dat").read_bytes()[:7]
        else:
            with archive.open(None) as stream:
                start = stream.read(_TAR_HEADER + 7)
            if archive.kind == "tar":  # Its first member is the table of contents.
                start = start[_TAR_HEADER:]
        if start.startswith(b"PGDMP"):
            return _FORMATS.get((start[5], start[6]), _OLDEST)
    return _OLDEST
