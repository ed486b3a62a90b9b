"""Dumps among the inputs of an import: restored first, then read as the databases they contain."""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from shlex import quote
from typing import IO

from chatdb.backups.dump_files import DumpFile
from chatdb.backups.plain_sql import PlainDump, inspect
from chatdb.backups.table_script import (
    LEFT_OUT,
    WITH_TYPES,
    ScriptStart,
    look_at_start,
    table_script,
)
from chatdb.backups.tar_archives import require_whole_tar
from chatdb.db.connect import connect_postgresql
from chatdb.db.migrating.revision import translated
from chatdb.db.migrating.scripts import VERSION_TABLE
from chatdb.db.schema import TABLE_NAMES
from chatdb.errors import (
    ChatdbError,
    DatabaseFailedError,
    InvalidInputError,
    ProgramMissingError,
    RefusedError,
    StorageError,
)
from chatdb.operations.dumps.public import (
    Archive,
    Prepared,
    archive_script,
    prepared,
    run_script,
    schema_of,
)
from chatdb.operations.importing.dump_places import DumpPlace, Places, ScratchOptions, places
from chatdb.operations.importing.inputs import Input, Inputs, check_layout
from chatdb.primitives.watch import Watch
from chatdb.servers.dump_programs import DumpPrograms
from chatdb.servers.postgres_tools import EMBEDDED_EXTRA

_SHOWN = 8
_OLDEST = 15
# A role or a database may have timeouts for its application; loading a table takes longer.
_OPTIONS = ("-c statement_timeout=0", "-c lock_timeout=0")
_MISSING = re.compile(r'(?:type|function|operator class) "?([^"\s(]+)"?.* does not exist')


@contextmanager
def restored_dumps(inputs: Inputs, options: ScratchOptions, watch: Watch) -> Iterator[Inputs]:
    """Restore the dumps among the inputs; yield the inputs with a database for each of them.

    The databases, and a server started for them, are removed at the end of the block. If one of
    several cannot be restored, its error is recorded; a single one raises it.
    """
    if not inputs.has_dump:
        yield inputs
        return
    with places(options, watch) as made:
        found = []
        for each in inputs.inputs:
            try:
                found.append(each if each.dump is None else restored_dump(each, each.dump, made))
            except ChatdbError as error:
                if len(inputs.inputs) == 1:
                    raise
                found.append(replace(each, failure=error))
        ready = replace(inputs, inputs=tuple(found))
        if len(found) == 1:
            check_layout(ready, found[0])
        yield ready


def restored_dump(each: Input, dump: DumpFile, made: Places) -> Input:
    """Return the input with the database that its dump was restored into.

    Raises RefusedError for a dump that would run programs, or needs an unavailable extension,
    InvalidInputError for one that is truncated or has no tables, ProgramMissingError.
    """
    try:
        return _restored(each, dump, made)
    except (InvalidInputError, ProgramMissingError) as error:
        if str(dump.path) not in error.text:
            error.text = f"{dump.path} cannot be unpacked: {error.text}"
        if isinstance(error, ProgramMissingError):
            error.hint = f"{EMBEDDED_EXTRA} provides the newest; or {error.hint}"
        raise


def _restored(each: Input, dump: DumpFile, made: Places) -> Input:
    programs, watch = made.options.programs, made.watch
    with _looked_at(dump, made) as (what, start, archive):
        _require_readable(dump, what)
        place = made.make(str(dump.path), start, major=what.server_major or _OLDEST)
        watch.begin("restoring", dump.size)
        try:
            said = _restore(dump, archive, place, programs, watch)
        except ChatdbError as error:
            explained = _explained(dump, what, place, error)
            if explained is error:
                raise
            raise explained from error
        _tell_what_is_left_out(dump, place, said, watch)
    return replace(each, url=place.url, source_name=dump.database)


@contextmanager
def _looked_at(
    dump: DumpFile, made: Places
) -> Iterator[tuple[PlainDump, ScriptStart, Prepared | None]]:
    """Return the contents of a dump: of a script all of it, of an archive its table of contents."""
    url = made.require_any(str(dump.path))
    if dump.kind == "plain":
        made.watch.begin("reading", dump.size)
        with dump.open() as stream:
            start = look_at_start(stream)
        with dump.open(made.watch.advance) as stream:
            what = inspect(stream)
        yield what, start, None
        return
    # pg_restore 18 reads a truncated tar archive in an endless loop.
    if dump.kind == "tar":
        with dump.open() as stream:
            require_whole_tar(stream, str(dump.path))
    folder = dump.path if dump.kind == "directory" else None
    archive = Archive(kind=dump.kind, open=dump.open, folder=folder)
    programs = made.options.programs
    with prepared(programs, archive, url=url, tool_major=None) as readable:
        with schema_of(programs, readable) as running:
            start = look_at_start(running.stdout)
        yield readable.script, start, readable


def _require_readable(dump: DumpFile, what: PlainDump) -> None:
    """Raise for a dump that is truncated, empty, chatdb's own, of a whole server, or unsafe."""
    name, typed = dump.path, quote(str(dump.path))
    if what.dangers:
        lines = [f"  {danger}" for danger in what.dangers[:_SHOWN]]
        if len(what.dangers) > _SHOWN:
            lines.append(f"  and {len(what.dangers) - _SHOWN} more")
        raise RefusedError(
            "\n".join([f"{name} contains statements that do not belong in a dump:", *lines]),
            hint=f"check these lines; if you trust the file: chatdb restore {typed} --trust "
            "--into URL, and import from there",
        )
    if what.databases > 1:
        raise InvalidInputError(
            f"{name} contains several databases: it was made by pg_dumpall",
            hint="dump only the one you need: pg_dump -Fc DATABASE",
        )
    if not what.tables:
        raise InvalidInputError(
            f"{name} creates no tables; rows without tables cannot be read",
            hint="dump both, without --data-only: pg_dump -Fc DATABASE",
        )
    if dump.kind == "plain" and what.tool_version is not None and not what.is_complete:
        raise InvalidInputError(
            f"{name} is truncated: pg_dump's end marker is missing",
            hint=f"dump it again; to use the part that exists: chatdb restore {typed} --force "
            "--into URL, and import from there",
        )
    tables = {each.rpartition(".")[2].strip('"') for each in what.tables}
    if VERSION_TABLE in tables and tables <= {*TABLE_NAMES, VERSION_TABLE}:
        raise InvalidInputError(
            f"{name} is a dump of chatdb's own database",
            hint=f"to restore it: chatdb restore {typed}",
        )


def _restore(
    dump: DumpFile, archive: Prepared | None, place: DumpPlace, programs: DumpPrograms, watch: Watch
) -> list[str]:
    """Load types, tables and rows into the place; return the output of psql."""
    client = programs.find("psql", place.major, url=place.url)
    with _script(dump, archive, programs, watch) as stream:
        pieces = table_script(stream, missing=place.left_out)
        said = run_script(programs, client, pieces, place.url, options=_OPTIONS)
    with translated(place.url), closing(connect_postgresql(place.url, autocommit=True)) as database:
        # A dump has no statistics, and the layouts' queries join several of its tables.
        database.execute("ANALYZE")
    return said


def _tell_what_is_left_out(dump: DumpFile, place: DumpPlace, said: list[str], watch: Watch) -> None:
    if place.left_out:
        names = ", ".join(place.left_out)
        noun, them = ("extension", "it") if len(place.left_out) == 1 else ("extensions", "them")
        watch.note(f"left out of {dump.path.name}: {noun} {names}; no column has a type of {them}")
    left = [line.partition(LEFT_OUT)[2] for line in said if LEFT_OUT in line]
    if left:
        more = f" and {len(left) - 1} more" if len(left) > 1 else ""
        watch.note(f"left out of {dump.path.name}: {left[0]}{more}; the rows do not need it")


def _script(
    dump: DumpFile, archive: Prepared | None, programs: DumpPrograms, watch: Watch
) -> AbstractContextManager[IO[bytes]]:
    """Open the dump as SQL: the file itself, or the output of pg_restore for an archive."""
    if archive is None:
        return dump.open(watch.advance)
    return archive_script(programs, archive, watch.advance)


def _explained(
    dump: DumpFile, what: PlainDump, place: DumpPlace, error: ChatdbError
) -> ChatdbError:
    """Return the error in terms of the dump: what it lacks, or where it stopped."""
    if isinstance(error, ProgramMissingError):
        return error
    if isinstance(error, StorageError):
        error.text = f"{dump.path} could not be restored: {error.text}"
        error.hint = "free some space, or set TMPDIR to a folder with more"
        return error
    missing = _MISSING.search(error.text)
    if missing is None or not place.left_out:
        error.text = f"{dump.path} could not be restored: {error.text}"
        if isinstance(error, DatabaseFailedError):
            error.hint = None
        if (major := what.server_major or 0) > place.major:
            error.hint = f"it comes from PostgreSQL {major}, but {place.server} is older"
        return error
    lacking = missing[1].rpartition(".")[2]
    named = [name for name in place.left_out if lacking in WITH_TYPES.get(name, ())]
    names = " or ".join(named or place.left_out)
    return RefusedError(
        f"{dump.path}: its tables need {lacking} of the extension {names}, which cannot be "
        f"created on {place.server}",
        hint="install it (packages postgresql-NN-pgvector, postgresql-contrib), or give a server "
        "that has it, and a user who may create it: --scratch-url postgresql://...",
    )
