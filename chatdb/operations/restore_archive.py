"""Archives of pg_dump into an empty database: the data as a stream, then the indexes in parallel.

Several jobs of pg_restore need a file that they can go back and forth in; a stream has none. But
only the data are in the way: the table of contents stands at the start of an archive, and is all
that building indexes and constraints needs. So the stream is passed through once, nothing of it
unpacked onto the disk, and its head, cut off, serves for the rest.
"""

import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from chatdb.backups.names import Kind
from chatdb.backups.plain_sql import PlainDump, inspect
from chatdb.backups.private_folder import private_folder
from chatdb.db.url import DatabaseUrl
from chatdb.errors import ChatdbError, InvalidInputError
from chatdb.operations.restore_tuning import Tuning
from chatdb.servers.dump_programs import Client, DumpPrograms, Running, widen_pipe

_HEAD = 256 * 1024
_LARGEST_HEAD = 256 * 1024 * 1024
_PIECE = 1 << 20
_TAR_HEADER = 512
_NEWER_SETTINGS = 17
"""From this version on pg_restore makes a setting that older servers do not know."""

_FORMATS = {(1, 15): 16, (1, 16): 17}
"""By the version in an archive's first bytes: the oldest major version that reads it."""

_OLDEST = 15
_SCHEMA = ("--schema-only", "--file=-")
_EXTENSION_COMMENT = " COMMENT - EXTENSION "
_PUBLIC = " SCHEMA - public "
"""Lines of the table of contents that are left out: only the owner may comment on an extension,
and a new database has this schema already."""

OnBytes = Callable[[int], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """An archive of pg_dump: `folder` holds one in the directory format, `open` gives any other.

    It takes what is told of the bytes that are read of the file.
    """

    kind: Kind
    open: Callable[[OnBytes | None], AbstractContextManager[IO[bytes]]]
    folder: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """An archive that pg_restore can read: `head` is its start, `script` what its DDL says.

    `use_list` is a file with what of it is restored.
    """

    archive: Archive
    client: Client
    head: Path
    script: PlainDump
    use_list: Path

    @property
    def is_streamed(self) -> bool:
        """Whether data and indexes are restored one after the other, the data from a stream."""
        return self.archive.kind == "custom" and self.client.container is None

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
    """Find the pg_restore that reads the archive, and look at its table of contents.

    `url` is that of a server in whose container pg_restore is looked for too. `tool_major` is the
    version of the pg_dump that made it, None where only the archive tells;
    `without` names indexes that are not built.
    Raises InvalidInputError for what is no archive, ProgramMissingError.
    """
    with private_folder() as folder:
        needed = tool_major or _version_of(archive)
        client = programs.find("pg_restore", needed, url=url)
        if archive.folder is not None:
            client.require_here("a folder")
        head = archive.folder or folder / "head"
        listing = _listing(programs, client, archive, head)
        use_list = folder / "list"
        use_list.write_text("\n".join(_wanted(listing, without)), encoding="utf-8")
        with _reading(programs, client, head, _SCHEMA) as running:
            script = inspect(running.stdout)
            running.finish()
        yield Prepared(archive=archive, client=client, head=head, script=script, use_list=use_list)


def schema_of(programs: DumpPrograms, prepared: Prepared) -> AbstractContextManager[Running]:
    """Start pg_restore writing the archive's DDL as SQL to its `stdout`."""
    return _reading(programs, prepared.client, prepared.head, _SCHEMA)


def restore_archive(
    programs: DumpPrograms,
    prepared: Prepared,
    url: DatabaseUrl,
    *,
    tuning: Tuning,
    with_rights: bool = True,
    on_bytes: OnBytes | None = None,
) -> None:
    """Fill an empty database; stops at the first error, which it raises.

    Without `with_rights` everything belongs to who restores it, and nobody is granted anything.
    """
    words = ["--exit-on-error", "--no-password", *_use_list(prepared)]
    if not with_rights:
        words += ["--no-owner", "--no-privileges"]
    run = _Run(programs, prepared.client, url, tuning)
    parallel = [f"--jobs={tuning.jobs}"] if tuning.jobs > 1 else []
    if prepared.archive.folder is not None:
        run.all_of([*words, *parallel, str(prepared.head)])
    elif prepared.is_streamed:
        sections = ["--section=pre-data", "--section=data"]
        run.fed([*words, *sections], prepared.archive, on_bytes)
        run.all_of([*words, *parallel, "--section=post-data", str(prepared.head)])
    else:
        run.fed(words, prepared.archive, on_bytes)


def script_of(programs: DumpPrograms, prepared: Prepared) -> AbstractContextManager[Running]:
    """Start pg_restore writing the archive as SQL to its `stdout`, fed by the caller."""
    words = ["--file=-", *_use_list(prepared)]
    if prepared.archive.folder is not None:
        return programs.running(prepared.client, [*words, str(prepared.head)])
    return programs.running(prepared.client, words, stdin=subprocess.PIPE)


def feed(running: Running, archive: Archive, on_bytes: OnBytes | None) -> None:
    """Write the archive's bytes into a program; raises what the program or the archive has."""
    try:
        with archive.open(on_bytes) as stream, running.stdin as pipe:
            widen_pipe(pipe.fileno())
            while data := stream.read(_PIECE):
                pipe.write(data)
    except BrokenPipeError:
        running.finish()
        # It left with exit code 0 without reading to the end, which only damage can be.
        raise InvalidInputError("the archive goes on after its end") from None


@dataclass(frozen=True, slots=True)
class _Run:
    """Runs pg_restore on one database."""

    programs: DumpPrograms
    client: Client
    url: DatabaseUrl
    tuning: Tuning

    def all_of(self, words: Sequence[str]) -> None:
        with self._running(words, stdin=subprocess.DEVNULL) as running:
            running.finish()

    def fed(self, words: Sequence[str], archive: Archive, on_bytes: OnBytes | None) -> None:
        with self._running(words, stdin=subprocess.PIPE) as running:
            feed(running, archive, on_bytes)
            running.finish()

    def _running(self, words: Sequence[str], *, stdin: int) -> AbstractContextManager[Running]:
        return self.programs.running(
            self.client,
            words,
            url=self.url,
            stdin=stdin,
            stdout=subprocess.DEVNULL,
            options=self.tuning.options(),
        )


def _use_list(prepared: Prepared) -> list[str]:
    """Name the list; in a container, where our files are not, everything is restored."""
    return [] if prepared.client.container else [f"--use-list={prepared.use_list}"]


def _listing(programs: DumpPrograms, client: Client, archive: Archive, head: Path) -> list[str]:
    """Return the table of contents, of a start of the archive that is as long as that needs."""
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
            size = file.tell()


def _listed(programs: DumpPrograms, client: Client, head: Path) -> list[str]:
    with _reading(programs, client, head, ["--list"]) as running:
        text = running.stdout.read().decode("utf-8", "surrogateescape")
        running.finish()
    return text.splitlines()


@contextmanager
def _reading(
    programs: DumpPrograms, client: Client, head: Path, words: Sequence[str]
) -> Iterator[Running]:
    """Run pg_restore on the start of an archive; in a container it is handed over."""
    if client.container is None:
        with programs.running(client, [*words, str(head)]) as running:
            yield running
        return
    with head.open("rb") as stream, programs.running(client, words, stdin=stream) as running:
        yield running


def _wanted(listing: Sequence[str], without: Sequence[str]) -> Iterator[str]:
    for line in listing:
        words = line.split()
        is_left_out = (
            line.startswith(";")
            or _EXTENSION_COMMENT in line
            or _PUBLIC in line
            or (words[3:4] == ["INDEX"] and not set(without).isdisjoint(words[4:]))
        )
        if not is_left_out:
            yield line


def _version_of(archive: Archive) -> int:
    """Return the major version that an archive needs at least, by its first bytes."""
    with suppress(IndexError):
        if archive.folder is not None:
            start = (archive.folder / "toc.dat").read_bytes()[:7]
        else:
            with archive.open(None) as stream:
                start = stream.read(_TAR_HEADER + 7)
            if archive.kind == "tar":  # its first member is the table of contents
                start = start[_TAR_HEADER:]
        if start.startswith(b"PGDMP"):
            return _FORMATS.get((start[5], start[6]), _OLDEST)
    return _OLDEST
