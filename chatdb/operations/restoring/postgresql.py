"""Restores a dump into an empty PostgreSQL database: archives by pg_restore, scripts by psql."""

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from chatdb.backups.archives import PIECE
from chatdb.backups.inventory import Backup
from chatdb.backups.left_out import LeftOut
from chatdb.backups.names import COMPRESSED, ENCRYPTED
from chatdb.backups.plain_sql import Omissions, PlainDump, for_psql, inspect, rights
from chatdb.backups.reading import OnBytes, open_data, packed_bytes
from chatdb.backups.tolerant_script import TolerantScript
from chatdb.db.connect import connect_postgresql
from chatdb.db.migrating.revision import translated
from chatdb.db.postgresql.bulk import FORMER_SEARCH_INDEXES, SEARCH_INDEX
from chatdb.db.postgresql.rights import carried_rights
from chatdb.db.url import DatabaseUrl
from chatdb.errors import ChatdbError, InvalidInputError, StorageError
from chatdb.operations.dumps.public import (
    Archive,
    Prepared,
    archive_script,
    can_restrict,
    count_rows,
    prepared,
    run_script,
)
from chatdb.operations.restoring import deferred_checks
from chatdb.operations.restoring.archive_restore import ArchiveRestore
from chatdb.operations.restoring.own_objects import OwnObjects
from chatdb.operations.restoring.parts import Task
from chatdb.operations.restoring.server import (
    SHOWN,
    TABLES,
    TargetServer,
    look_at_server,
    lost_tables,
    missing_extensions,
    require_harmless,
    require_newer,
)
from chatdb.primitives.private_folder import private_folder

ADD_CHECKS = deferred_checks.restore(one_session=True).encode()
"""What follows the rows in a script that a `TolerantScript` passes on."""

_UNCHECKED = """
SELECT relname, conname FROM pg_constraint c JOIN pg_class t ON t.oid = conrelid
  JOIN pg_namespace n ON n.oid = relnamespace
WHERE nspname = %s AND NOT convalidated
"""


@dataclass(frozen=True, slots=True)
class PostgresqlFilling:
    """A dump that was inspected and can be restored on this server."""

    task: Task
    server: TargetServer
    dump: PlainDump
    archive: Prepared | None
    remarks: tuple[str, ...] = field(default=())
    left_out: list[LeftOut] = field(default_factory=list)

    def fill(self, new: DatabaseUrl) -> None:
        """Restore into the empty database."""
        self.begin()
        if self.archive is not None and self.archive.suits(self.server.major):
            is_amiss = bool(self._missing_roles() or self._other_owners())
            # An owner that cannot be set is an error to pg_restore: then
            # rights are set one by one later.
            with_rights = self.task.options.owner and not is_amiss
            restoring = ArchiveRestore(
                programs=self.task.options.programs,
                prepared=self.archive,
                url=new,
                tuning=self.server.tuning,
                is_own=self.own.has,
                file=self.task.backup.file,
                with_rights=with_rights,
                on_bytes=self.task.watch.advance,
            )
            self.left_out.extend(restoring.run())
            if self.task.options.owner and is_amiss:
                self._apply_rights(new)
        else:
            self._run_script(new)

    @property
    def own(self) -> OwnObjects:
        """chatdb's own objects in the dump."""
        return OwnObjects.of(self.task.schema)

    def finish(self, new: DatabaseUrl) -> None:
        """Run ANALYZE: a dump contains no planner statistics."""
        self.task.watch.begin("analyzing", None)
        with translated(new), closing(connect_postgresql(new, autocommit=True)) as connection:
            connection.execute("ANALYZE")

    def carry_over(self, new: DatabaseUrl) -> None:
        """Give chatdb's tables the owners, privileges and policies they have in the target."""
        statements = self.rights_of_the_place()
        with translated(new), closing(connect_postgresql(new, autocommit=True)) as connection:
            connection.add_notice_handler(
                lambda told: self.task.watch.warning(told.message_primary or "")
            )
            for statement in statements:
                connection.execute(statement.encode())

    def rights_of_the_place(self) -> list[str]:
        """Return the statements for them; none if there is nothing, or they are not requested."""
        if not (self.server.is_there and self.task.options.owner):
            return []
        url = self.task.url
        with translated(url), closing(connect_postgresql(url)) as connection:
            return carried_rights(connection, self.task.schema)

    def check(self, new: DatabaseUrl, *, thorough: bool) -> list[str]:  # noqa: ARG002
        """Return the constraints that were not validated for every row, and missing rows."""
        with translated(new), closing(connect_postgresql(new, autocommit=True)) as connection:
            rows = connection.execute(_UNCHECKED, (self.own.schema,)).fetchall()
            problems = [
                f"the constraint {name} of {table} is not validated"
                for table, name in rows
                if (table, name) in self.own.names
            ]
            if self.archive is None:
                wanted = self.dump.rows
                found = count_rows(connection, wanted)
                problems += [
                    f"{table} has {found[table]} rows, not {wanted[table]}"
                    for table in wanted
                    if found[table] != wanted[table] and not self.dump.has_inserts
                ]
        return problems

    def count(self, new: DatabaseUrl) -> dict[str, int]:
        """Return the rows of every table by its name with its schema."""
        with translated(new), closing(connect_postgresql(new, autocommit=True)) as connection:
            names = connection.execute(
                f"SELECT format('%I.%I', nspname, relname) FROM ({TABLES}) t".encode()
            ).fetchall()
            return count_rows(connection, [name for (name,) in names])

    def begin(self) -> None:
        """Mark the point where the data begins to load."""
        size = packed_bytes(self.task.backup)
        self.task.watch.begin("restoring", size if self.archive is None or self._streams else None)

    @property
    def _streams(self) -> bool:
        return self.archive is not None and self.archive.archive.folder is None

    def _missing_roles(self) -> frozenset[str]:
        return frozenset(self.dump.roles) - self.server.roles

    def _other_owners(self) -> frozenset[str]:
        """Return the existing owners to which this user cannot assign anything."""
        return (frozenset(self.dump.owners) & self.server.roles) - self.server.own_roles

    def omissions(self, schemas: frozenset[str] = frozenset()) -> Omissions:
        """Return what cannot be restored from the dump, or exists already."""
        roles = self.dump.roles if not self.task.options.owner else self._missing_roles()
        return Omissions(
            roles=frozenset(roles),
            owners=self._other_owners(),
            schemas=schemas,
            server_major=self.server.major,
            commands=not self.task.options.trust,
        )

    def _run_script(self, new: DatabaseUrl) -> None:
        programs = self.task.options.programs
        client = programs.find("psql", self.server.major, url=new)
        tolerant = self.tolerant(in_place=False)
        with self.script() as stream:
            run_script(
                programs,
                client,
                for_psql(stream, self.omissions(), tolerant),
                new,
                options=self.server.tuning.options(),
                restricted=not self.task.options.trust,
                around=((), [ADD_CHECKS]),
                on_line=lambda line: self.hear(tolerant, line),
            )
        self.left_out.extend(tolerant.left_out.values())

    def tolerant(self, *, in_place: bool) -> TolerantScript:
        """Return what lets an application's objects fail in the script of the dump."""
        dump = self.dump
        domains = [name for kind, name in dump.others if kind == "DOMAIN"]
        made = [*dump.tables, *domains] if in_place else None
        before = deferred_checks.defer(made, one_session=True)
        return TolerantScript(self.own.has, before.encode(), in_place=in_place)

    def hear(self, tolerant: TolerantScript, line: str) -> bool:
        """Take a line of psql's output; tell whether it was about an object left out."""
        if (check := deferred_checks.heard(line)) is not None:
            self.left_out.append(check)
            return True
        return tolerant.hear(line)

    @contextmanager
    def script(self) -> Iterator[Any]:
        """Open the dump as SQL: the file itself, or the output of pg_restore for an archive."""
        if self.archive is None:
            name = self.task.backup.archive_names[0]
            with open_data(self.task.backup, name, on_bytes=self.task.watch.advance) as stream:
                yield stream
            return
        programs, advance = self.task.options.programs, self.task.watch.advance
        with archive_script(programs, self.archive, advance) as stream:
            yield stream

    def _apply_rights(self, new: DatabaseUrl) -> None:
        """Give owners and privileges to the existing roles."""
        with (
            self.script_of_rights() as stream,
            translated(new),
            closing(connect_postgresql(new)) as connection,
        ):
            for statement in rights(stream, self.omissions()):
                self._apply(connection, statement)
            connection.commit()

    def _apply(self, connection: Any, statement: bytes) -> None:
        """Grant one privilege; one on an object left out cannot be granted."""
        from psycopg import errors

        gone = (errors.UndefinedObject, errors.UndefinedTable, errors.UndefinedFunction)
        try:
            # A savepoint: a failed GRANT must not undo those before.
            with connection.transaction():
                connection.execute(statement)
        except gone:
            if not self.left_out:
                raise

    @contextmanager
    def script_of_rights(self) -> Iterator[IO[bytes]]:
        """Have pg_restore write the DDL of the archive."""
        if self.archive is None:
            raise TypeError("a script contains its privileges")
        words = ["--schema-only", "--file=-", str(self.archive.head)]
        with self.task.options.programs.running(self.archive.client, words) as running:
            yield running.stdout
            running.finish()


@contextmanager
def planned_postgresql(task: Task, *, in_place: bool = False) -> Iterator[PostgresqlFilling]:
    """Inspect the dump and the server; raises what makes a restore impossible.

    `in_place` keeps the other tables of the database, so that none is lost. Raises RefusedError for
    a server that is older, lacks an extension or has tables that the dump lacks, and for a script
    that could run programs.
    """
    with _looked_at(task) as (dump, archive):
        server = look_at_server(task)
        filling = PostgresqlFilling(task, server, dump, archive)
        require_newer(task, dump, server)
        missing = missing_extensions(task, dump, server)
        require_harmless(task, dump, is_script=archive is None)
        lost = [] if in_place else lost_tables(task, dump, server)
        remarks = (*_remarks(task, filling, lost), *_left_out_remarks(task, server, missing))
        yield PostgresqlFilling(task, server, dump, archive, remarks)


@contextmanager
def _looked_at(task: Task) -> Iterator[tuple[PlainDump, Prepared | None]]:
    backup = task.backup
    if backup.kind == "plain":
        task.watch.begin("reading", packed_bytes(backup))
        with open_data(backup, backup.archive_names[0], on_bytes=task.watch.advance) as stream:
            dump = inspect(stream)
        if dump.databases > 1:
            raise InvalidInputError(
                f"{backup.name} contains several databases: it was made by pg_dumpall",
                hint="dump only the one you need: pg_dump -Fc DATABASE",
            )
        _require_all_of_it(task, dump)
        yield dump, None
        return
    with (
        _archive(task) as archive,
        prepared(
            task.options.programs,
            archive,
            url=task.url,
            tool_major=_tool_major(backup),
            without=() if task.options.search_index else (SEARCH_INDEX, *FORMER_SEARCH_INDEXES),
        ) as readable,
    ):
        yield readable.script, readable


def _require_all_of_it(task: Task, dump: PlainDump) -> None:
    """Raise InvalidInputError for a file without a table, or without pg_dump's end marker."""
    if not dump.tables:
        raise InvalidInputError(
            f"{task.backup.name} creates no tables; there is nothing to restore",
            hint="try another backup: chatdb backup list; to load data only, use psql",
        )
    if dump.tool_version is not None and not dump.is_complete and not task.options.force:
        raise InvalidInputError(
            f"{task.backup.name} is truncated: pg_dump's end marker is missing",
            hint="try another backup, or restore the part that exists: --force",
        )


@contextmanager
def _archive(task: Task) -> Iterator[Archive]:
    backup, names = task.backup, task.backup.archive_names
    if backup.kind is None or not names:
        raise InvalidInputError(f"{backup.name} has no archive")

    def opened(on_bytes: OnBytes | None) -> AbstractContextManager[IO[bytes]]:
        return open_data(backup, names[0], on_bytes=on_bytes)

    if backup.kind != "directory":
        yield Archive(kind=backup.kind, open=opened)
        return
    folder = backup.store.local_path(names[0].partition("/")[0])
    if folder is not None and not any(name.endswith((COMPRESSED, ENCRYPTED)) for name in names):
        yield Archive(kind="directory", open=opened, folder=folder)
        return
    with private_folder("restore") as unpacked:
        _unpack(task, unpacked)
        yield Archive(kind="directory", open=opened, folder=unpacked)


def _unpack(task: Task, folder: Path) -> None:
    """Unpack a directory that is remote, or that this pg_restore may not be able to unpack."""
    manifest = task.backup.manifest
    size = packed_bytes(task.backup) if manifest is None else manifest.unpacked_bytes
    if (free := shutil.disk_usage(folder).free) < size:
        raise StorageError(
            f"not enough space to unpack {task.backup.name} in {folder.parent}: {size:,} bytes "
            f"needed, {free:,} free",
            hint="set TMPDIR to a folder with more space",
        )
    task.watch.begin("unpacking", packed_bytes(task.backup))
    for name in task.backup.archive_names:
        target = folder / name.rpartition("/")[2].removesuffix(ENCRYPTED).removesuffix(COMPRESSED)
        with (
            open_data(task.backup, name, on_bytes=task.watch.advance) as stream,
            target.open("wb") as file,
        ):
            shutil.copyfileobj(stream, file, PIECE)


def _tool_major(backup: Backup) -> int | None:
    if backup.manifest is None:
        return None
    with suppress(ValueError):
        return int(backup.manifest.tool_version.partition(".")[0])
    return None


def _remarks(task: Task, filling: PostgresqlFilling, lost: list[str]) -> Iterator[str]:
    dump, server = filling.dump, filling.server
    if dump.server_major is not None and dump.server_major < server.major:
        yield f"it comes from PostgreSQL {dump.server_major} and is restored on {server.major}"
    missing = sorted(set(dump.roles) - server.roles)
    if missing and task.options.owner:
        yield f"the server lacks role {', '.join(missing)}; you will own its objects"
    others = sorted((dump.owners & server.roles) - server.own_roles)
    if others and task.options.owner:
        yield f"you are not a member of role {', '.join(others)}; you will own its objects"
    if lost:
        yield f"tables missing from the backup: {', '.join(lost[:SHOWN])}"
    if filling.archive is None:
        whose = "a superuser" if server.is_superuser else "you"
        yield f"a plain SQL file can run any statement as {whose}; only restore files you trust"
        if not dump.is_complete:
            yield "the file lacks pg_dump's end marker; it may be truncated"
        with suppress(ChatdbError):
            client = task.options.programs.find("psql", server.major, url=task.url)
            if not can_restrict(client):
                yield f"{client.describe()} is too old to block its own backslash commands"


def _left_out_remarks(task: Task, server: TargetServer, missing: list[str]) -> Iterator[str]:
    if missing:
        yield f"the server does not have the extension {', '.join(missing)}: left out"
    manifest = task.backup.manifest
    if manifest is not None and manifest.needs_superuser and not server.is_superuser:
        yield (
            "left out because only a superuser can create it: "
            f"{', '.join(manifest.needs_superuser)}"
        )
