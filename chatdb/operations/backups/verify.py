"""Is a backup intact? Checks every file's checksum, and reads its archive to the end."""

import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Event
from typing import IO

import chatdb
from chatdb.backups.archives import PIECE, CheckedStream, unpacked, write_archive
from chatdb.backups.attachments import check_files as check_attached
from chatdb.backups.checks import (
    DumpedRows,
    check_index,
    check_native,
    check_plain,
    rows_that_differ,
)
from chatdb.backups.contents import Contents, differences
from chatdb.backups.inventory import Backup, remember
from chatdb.backups.left_out import ONLY_A_SUPERUSER, LeftOut
from chatdb.backups.manifest import BackupFile, Manifest, Verification, Way
from chatdb.backups.reading import check_files, recognised
from chatdb.db.database import Database
from chatdb.db.sqlite.copies import damages_of
from chatdb.db.url import DatabaseUrl
from chatdb.errors import InvalidInputError, NotFoundError, StorageError, UsageError
from chatdb.operations.backups.sqlite import finished_copy
from chatdb.operations.restoring.public import RestoreOptions, Trial, verify_by_restoring
from chatdb.operations.schema.public import SEARCH_INDEX
from chatdb.operations.searching.public import check_search_index, search_index_warning
from chatdb.primitives.beside import beside
from chatdb.primitives.watch import Watch
from chatdb.servers.dump_programs import Client, DumpPrograms, Running, widen_pipe
from chatdb.store.contents import measure

Problems = list[str]
Check = Callable[[IO[bytes]], Problems]

_WANTED_LINES = 20


def verify_files(backup: Backup, programs: DumpPrograms, watch: Watch) -> Verification:
    """Read the backup to its end and save the result beside it.

    Damage is a result, not an error. Raises ProgramMissingError if the archive needs a program that
    is not installed.
    """
    started = time.monotonic()
    way: Way = "files" if can_be_opened(backup) else "checksums"
    warnings: list[str] = []
    problems = find_problems(backup, programs, watch, warnings)
    names = () if backup.manifest is None else backup.manifest.needs_superuser
    left_out = tuple(LeftOut(name, ONLY_A_SUPERUSER) for name in names)
    return _result(backup, way, Trial(tuple(problems), left_out, tuple(warnings)), started, watch)


def verify_restored(
    backup: Backup, url: DatabaseUrl, options: RestoreOptions, watch: Watch
) -> Verification:
    """Restore the backup into a scratch database, compare, drop it; save the result.

    `url` names the server for a PostgreSQL dump. Raises errors unrelated to the backup: an
    unreachable server, a missing program, a part of a database.
    """
    manifest = backup.manifest
    if manifest is not None and manifest.part in ("schema-only", "data-only"):
        raise UsageError(
            f"{backup.name} is {manifest.part}: a part cannot be restored on its own",
            hint=f"to read it to the end: chatdb backup verify {backup.name}",
        )
    started = time.monotonic()
    found = verify_by_restoring(backup, url, options, watch)
    if not found.problems:
        # What is restored is the database: what stands beside it is compared as it lies there.
        warnings: list[str] = []
        problems = _attached_problems(backup, watch, warnings)
        found = replace(found, problems=tuple(problems), warnings=(*found.warnings, *warnings))
    return _result(backup, "restore", found, started, watch)


def _attached_problems(backup: Backup, watch: Watch, warnings: list[str]) -> Problems:
    manifest = backup.manifest
    if manifest is None or manifest.attachments is None:
        return []
    check = partial(check_attached, told=manifest.attachments, warnings=warnings)
    (file,) = (each for each in manifest.files if each.name == manifest.attachments.name)
    return _read(backup, file, check, watch)


def broken(backup: Backup, result: Verification) -> list[LeftOut]:
    """Return what was left out beyond what the backup itself mentions."""
    known = () if backup.manifest is None else backup.manifest.needs_superuser
    return [each for each in result.left_out if each.object not in known]


def _result(
    backup: Backup,
    way: Way,
    found: Trial,
    started: float,
    watch: Watch,
) -> Verification:
    verification = Verification(
        at=datetime.now(UTC).replace(microsecond=0),
        way=way,
        passed=not found.problems,
        seconds=round(time.monotonic() - started, 3),
        problems=found.problems[:_WANTED_LINES],
        left_out=found.left_out,
        warnings=found.warnings[:_WANTED_LINES],
        attachments=_attached_count(backup) if way != "checksums" else 0,
        chatdb_version=chatdb.__version__,
    )
    write_down(backup, verification, watch)
    return verification


def _attached_count(backup: Backup) -> int:
    manifest = backup.manifest
    return 0 if manifest is None or manifest.attachments is None else manifest.attachments.files


def write_down(backup: Backup, verification: Verification, watch: Watch) -> None:
    """Save the result beside the backup; a place that cannot be written is a warning."""
    try:
        remember(backup, lambda before: before.adding(verification))
    except StorageError as error:
        watch.warning(f"the result was not saved: {error.text}")


def find_problems(
    backup: Backup, programs: DumpPrograms, watch: Watch, warnings: list[str] | None = None
) -> Problems:
    """Return everything that is wrong with the files of a backup, each once.

    Problems without loss of data are added to `warnings`.
    """
    warnings = [] if warnings is None else warnings
    if backup.state in ("incomplete", "damaged"):
        return [backup.problem or f"{backup.name} is {backup.state}"]
    watch.begin("verifying", backup.bytes)
    manifest = backup.manifest
    if manifest is None:
        return _foreign_problems(backup, programs, watch, warnings)
    problems: Problems = []
    is_open = can_be_opened(backup)
    for file in manifest.files:
        check = _check_of(file, manifest, programs, backup, warnings) if is_open else None
        problems += _read(backup, file, check, watch)
    if manifest.kind == "directory" and is_open and not problems:
        problems += _check_folder(backup, manifest, programs)
    return problems


def _foreign_problems(
    backup: Backup, programs: DumpPrograms, watch: Watch, warnings: list[str]
) -> Problems:
    """Read another tool's archive according to its first bytes."""
    backup = recognised(backup)
    kind = backup.kind
    if kind == "directory":
        return _restored_folder(backup, programs)
    try:
        check_files(backup)
    except InvalidInputError as error:
        return [error.text]
    (name,) = backup.archive_names
    check: Check = _drained
    if kind in ("custom", "tar"):
        client = programs.newest("pg_restore")
        check = partial(_restored_to_nowhere, programs=programs, client=client)
    elif kind == "sqlite":
        check = partial(_checked_copy, backup=backup, contents=None, warnings=warnings)
    elif kind == "plain" or backup.bytes == 0:
        check = partial(check_plain, name=name)
    return _read(backup, BackupFile(name, -1, ""), check, watch)


def _check_of(
    file: BackupFile,
    manifest: Manifest,
    programs: DumpPrograms,
    backup: Backup,
    warnings: list[str],
) -> Check:
    """Return the check for the unpacked data of one file of our backup."""
    contents = manifest.contents
    if file.name == manifest.index:
        return partial(check_index, contents=contents, name=file.name)
    if manifest.attachments is not None and file.name == manifest.attachments.name:
        return partial(check_attached, told=manifest.attachments, warnings=warnings)
    if manifest.kind == "custom":
        client = _pg_restore(programs, manifest)
        return partial(_restored_to_nowhere, programs=programs, client=client, manifest=manifest)
    if manifest.kind == "sqlite":
        return partial(_checked_copy, backup=backup, contents=contents, warnings=warnings)
    if manifest.kind == "native":
        return partial(check_native, contents=contents, name=file.name)
    return _drained


def can_be_opened(backup: Backup) -> bool:
    """Tell whether the data can be read: it is not encrypted, or there is a key."""
    manifest = backup.manifest
    is_encrypted = manifest is not None and manifest.encryption != "none"
    return not is_encrypted or backup.store.keys.identities is not None


def _read(backup: Backup, file: BackupFile, check: Check | None, watch: Watch) -> Problems:
    """Read one file once: its checksum on the way, its data by the check if there is one.

    A wrong checksum is reported first; problems of the data then follow from it.
    """
    wanted = None if file.bytes < 0 else file
    problems: Problems = []
    try:
        raw = backup.store.open(file.name)
    except NotFoundError as error:
        return [error.text]
    with ExitStack() as stack:
        summed = stack.enter_context(CheckedStream(raw, wanted, on_bytes=watch.advance))
        try:
            if check is not None:
                data = stack.enter_context(unpacked(summed, file.name, backup.store.keys))
                problems += check(data)
                _drained(data)
            summed.verify()
        except InvalidInputError as error:
            problems.append(error.text)
    if problems:
        problems = [*_altered(backup, file, wanted), *problems]
    return list(dict.fromkeys(problems))


def _altered(backup: Backup, file: BackupFile, wanted: BackupFile | None) -> Problems:
    """Compare a file with its checksum alone: a check of the data may have stopped early."""
    try:
        with CheckedStream(backup.store.open(file.name), wanted) as summed:
            summed.verify()
    except InvalidInputError as error:
        return [error.text]
    return []


def _drained(data: IO[bytes]) -> Problems:
    while data.read(PIECE):
        pass
    return []


def _pg_restore(programs: DumpPrograms, manifest: Manifest) -> Client:
    return programs.find("pg_restore", int(manifest.tool_version.partition(".")[0]))


def _restored_to_nowhere(
    data: IO[bytes],
    *,
    programs: DumpPrograms,
    client: Client,
    manifest: Manifest | None = None,
) -> Problems:
    """Let pg_restore read the whole archive, and count the rows of its output."""
    found = DumpedRows()
    pipe = subprocess.PIPE
    with (
        programs.running(client, ["--file=-"], stdin=pipe, stdout=pipe) as running,
        beside(lambda stopped: _feed(data, running.stdin, stopped)) as feeding,
        _ended_on_failure(running),
    ):
        widen_pipe(running.stdout.fileno())
        while text := running.stdout.read(PIECE):
            found.feed(text)
        feeding.wait()
        running.finish()
    if manifest is None or not manifest.has_rows:
        return []
    return rows_that_differ(manifest.contents, manifest.schema, found.rows)


def _restored_folder(backup: Backup, programs: DumpPrograms) -> Problems:
    """Let pg_restore read another tool's folder, which must be local, to its end."""
    folder = backup.store.local_path(backup.archive_names[0].partition("/")[0])
    if folder is None:
        raise UsageError(
            f"{backup.file} is a folder in a remote store, which pg_restore cannot read",
            hint="restore it, or verify a local copy",
        )
    client = programs.newest("pg_restore")
    client.require_here("a folder")
    words = ["--file=-", str(folder)]
    with programs.running(client, words, stdout=subprocess.DEVNULL) as running:
        try:
            running.finish()
        except InvalidInputError as error:
            return [error.text]
    return []


def _feed(data: IO[bytes], pipe: IO[bytes], stopped: Event) -> None:
    """Feed the archive to the program, which closes its input once it has read enough."""
    try:
        with suppress(BrokenPipeError):
            while not stopped.is_set() and (piece := data.read(PIECE)):
                pipe.write(piece)
    finally:  # Also if the data is damaged: the program would wait for the rest.
        with suppress(BrokenPipeError):
            pipe.close()


@contextmanager
def _ended_on_failure(running: Running) -> Iterator[None]:
    """Kill the program at once if the block fails: a thread may be waiting for it to read."""
    try:
        yield
    except BaseException:
        running.end()
        raise


def _check_folder(backup: Backup, manifest: Manifest, programs: DumpPrograms) -> Problems:
    """Let pg_restore read the table of contents; the tables' own files were read before."""
    folder = backup.store.local_path(manifest.archive[0].name.partition("/")[0])
    if folder is None:
        return []
    client = _pg_restore(programs, manifest)
    client.require_here("a folder")
    with programs.running(client, ["--list", str(folder)], stdout=subprocess.DEVNULL) as running:
        try:
            running.finish()
        except InvalidInputError as error:
            return [error.text]
    return []


def _checked_copy(
    data: IO[bytes], *, backup: Backup, contents: Contents | None, warnings: list[str]
) -> Problems:
    """Unpack a SQLite file and let SQLite check it; count its contents if the counts are known.

    Problems of its full-text index, which can be rebuilt, are only a warning.
    """
    with scratch_folder(backup) as folder:
        path = folder / "unpacked.db"
        with write_archive(path) as writer:
            while piece := data.read(PIECE):
                writer.write(piece)
        problems = damages_of(path)
        if problems:
            return problems
        if contents is not None:
            with Database.open(finished_copy(path)) as copied, copied.transaction() as connection:
                problems = list(differences(contents, measure(copied, connection)))
        warnings += _index_warnings(path)
        return problems


def _index_warnings(path: Path) -> Iterator[str]:
    """Check the full-text index, if there is one, in a copy that we may write to."""
    with Database.open(DatabaseUrl(dialect_name="sqlite", path=path)) as copied:
        with copied.transaction() as connection:
            tables = set(copied.dialect.existing_tables(connection))
        if {"chatdb_settings", SEARCH_INDEX} <= tables:
            for problem in check_search_index(copied).problems:
                yield search_index_warning(problem)


@contextmanager
def scratch_folder(backup: Backup) -> Iterator[Path]:
    """Make a folder beside the backup during the block, elsewhere if that is not possible."""
    staging = None
    with suppress(StorageError):
        staging = backup.store.staging(f"{backup.name}_verify")
    if staging is None:
        with tempfile.TemporaryDirectory(prefix="chatdb-") as folder:
            yield Path(folder)
        return
    try:
        yield staging.folder
    finally:
        backup.store.release(staging)
