"""Backs up a PostgreSQL database: pg_dump and the manifest's contents, in one snapshot."""

import os
import select
import subprocess
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import sqlalchemy as sa

from chatdb.backups.archives import PIECE, ArchiveWriter, sum_up
from chatdb.backups.contents import Contents
from chatdb.backups.manifest import BackupFile
from chatdb.backups.names import COMPRESSED, ENCRYPTED, TOC, Kind
from chatdb.db.database import Database
from chatdb.operations.backups.parts import BackupOptions, Bench, Made
from chatdb.operations.backups.server_facts import ServerFacts, export_snapshot, look_at_server
from chatdb.operations.backups.superuser_objects import extension_tables, superuser_objects
from chatdb.primitives.beside import beside
from chatdb.servers.dump_programs import Client, Running, widen_pipe
from chatdb.store.contents import measure
from chatdb.store.selecting import READING

_INSIDE = "--compress=zstd:3"
_OUTSIDE = "--compress=0"
_POLL_SECONDS = 0.2
_PARTS = {"schema-only": ["--schema-only"], "data-only": ["--data-only"]}


def back_up_postgresql(database: Database, options: BackupOptions, bench: Bench) -> Made:
    """Dump the whole database; the contents are those of the dump.

    Raises RefusedError behind a pooler, ProgramMissingError, StorageError, and the errors that
    pg_dump reports.
    """
    settings = {**READING, "lock_timeout": f"{options.lock_seconds}s"}
    with database.transaction(snapshot=True, settings=settings) as connection:
        server = look_at_server(database, connection)
        client = options.programs.find("pg_dump", server.major, url=server.url)
        needs_superuser = () if options.part == "data-only" else superuser_objects(connection)
        extensions = extension_tables(connection)
        jobs = _useful_jobs(options, bench, server)
        dump = _Dump(
            database, connection, options, bench, server, client, jobs, needs_superuser, extensions
        )
        bench.watch.begin("dumping", server.table_bytes if options.part != "schema-only" else None)
        return dump.directory() if jobs > 1 else dump.custom()


def _useful_jobs(options: BackupOptions, bench: Bench, server: ServerFacts) -> int:
    """Return how many jobs to use, with a note if there are fewer than requested."""
    jobs = options.jobs if options.part == "schema-only" else server.useful_jobs(options.jobs)
    if jobs < options.jobs:
        share = 100 * server.largest_bytes // max(1, server.table_bytes)
        used = "one job is used" if jobs == 1 else f"{jobs} jobs are used"
        bench.watch.note(f"{share} % of the data is one table, which a single job dumps: {used}")
    return jobs


@dataclass(frozen=True, slots=True)
class _Told:
    """The contents of the snapshot, and the list of its conversations."""

    contents: Contents
    index: BackupFile | None


@dataclass(frozen=True, slots=True)
class _Dump:
    """One run of pg_dump during the transaction whose snapshot it uses."""

    database: Database
    connection: sa.Connection
    options: BackupOptions
    bench: Bench
    server: ServerFacts
    client: Client
    jobs: int
    needs_superuser: tuple[str, ...]
    extensions: dict[str, tuple[str, ...]]

    def custom(self) -> Made:
        """Dump into one file, compressed on other cores if pg_dump cannot compress in parallel."""
        inside = self._packs_itself()
        name = self.bench.archive_name("custom", compressed=not inside)
        words = [*self._words(inside=inside), "--format=custom"]
        advance = self.bench.watch.advance
        with (
            self.bench.write(name, on_bytes=advance) as writer,
            self._running(words, stdout=subprocess.PIPE) as running,
            beside(lambda stopped: _pump(running, writer, stopped)) as pumping,
        ):
            told = self._tell()
            pumping.wait()
            self._finish(running)
        return self._made("custom", told, [writer.file(name)], writer.unpacked_bytes, inside=inside)

    def directory(self) -> Made:
        """Dump into a folder with a file for each table, several at once."""
        self.client.require_here("--jobs", hint="leave out --jobs, or ")
        inside = self._packs_itself()
        folder = self.bench.path(self.bench.archive_name("directory", compressed=False))
        words = ["--format=directory", f"--jobs={self.jobs}", f"--file={folder}"]
        with (
            self._running(
                [*self._words(inside=inside), *words], stdout=subprocess.DEVNULL
            ) as running,
            beside(lambda stopped: self._watch(folder, stopped)),
        ):
            told = self._tell()
            self._finish(running)
        folder.chmod(0o700)
        size = sum(path.stat().st_size for path in folder.iterdir())
        self.bench.watch.begin("compressing", size)
        files = [self._packed(path, inside=inside) for path in sorted(folder.iterdir())]
        return self._made("directory", told, files, size, inside=inside)

    def _packs_itself(self) -> bool:
        return self.options.programs.can_compress(self.client, "zstd")

    def _words(self, *, inside: bool) -> list[str]:
        return [
            f"--snapshot={export_snapshot(self.connection)}",
            f"--lock-wait-timeout={self.options.lock_seconds * 1000}",
            "--no-password",
            # A role's client_encoding would apply to the dump, and may lack characters of the data.
            f"--encoding={self.connection.scalar(sa.text('SHOW server_encoding'))}",
            _INSIDE if inside else _OUTSIDE,
            *_PARTS.get(self.options.part, []),
        ]

    def _running(self, words: list[str], *, stdout: int) -> AbstractContextManager[Running]:
        return self.options.programs.running(
            self.client,
            words,
            url=self.server.url,
            stdout=stdout,
            handed_on=(self.bench.staging.lock,),
        )

    def _tell(self) -> _Told:
        if self.options.part == "schema-only":
            return _Told(measure(self.database, self.connection, rows=False), None)
        with self.bench.index() as index:
            contents = measure(self.database, self.connection, on_entries=index.add)
        return _Told(contents, index.file())

    def _finish(self, running: Running) -> None:
        for line in running.finish():
            if "warning:" in line:
                self.bench.watch.warning(line)

    def _watch(self, folder: Path, stopped: Event) -> None:
        seen = 0
        while not stopped.wait(_POLL_SECONDS):
            size = sum(path.stat().st_size for path in folder.glob("*"))
            self.bench.watch.advance(size - seen)
            seen = size

    def _packed(self, path: Path, *, inside: bool) -> BackupFile:
        """Compress a table's file under the name pg_dump would use; hash and count the others.

        All of them are encrypted if requested.
        """
        advance = self.bench.watch.advance
        name = f"{path.parent.name}/{path.name}"
        is_left = inside or path.name == TOC or path.suffix != ".dat"
        around = "" if is_left else COMPRESSED
        around += ENCRYPTED if self.bench.is_encrypted else ""
        if not around:
            path.chmod(0o600)
            with path.open("rb") as stream:
                return sum_up(stream, name, on_bytes=advance)
        with (
            self.bench.write(name + around, on_bytes=advance) as writer,
            path.open("rb") as stream,
        ):
            while data := stream.read(PIECE):
                writer.write(data)
        path.unlink()
        return writer.file(name + around)

    def _made(
        self, kind: Kind, told: _Told, files: list[BackupFile], size: int, *, inside: bool
    ) -> Made:
        return Made(
            kind=kind,
            tool="pg_dump",
            tool_version=self.client.version_text,
            server_version=self.server.version,
            schema=self.server.schema,
            compression="inside" if inside else "zstd",
            files=(*files, *filter(None, [told.index])),
            index=told.index,
            unpacked_bytes=size,
            contents=told.contents,
            needs_superuser=self.needs_superuser,
            extensions=self.extensions,
        )


def _pump(running: Running, writer: ArchiveWriter, stopped: Event) -> None:
    """Pass on the program's output, until its end or until the reader stops."""
    descriptor = running.stdout.fileno()
    widen_pipe(descriptor)
    # With a time limit, so that a stop is seen while the program writes nothing.
    while not stopped.is_set():
        if select.select([descriptor], [], [], _POLL_SECONDS)[0]:
            data = os.read(descriptor, PIECE)
            if not data:
                return
            writer.write(data)
