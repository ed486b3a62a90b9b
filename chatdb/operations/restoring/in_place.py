"""Restores a dump into the existing tables, for users who may not create databases.

One transaction: the old tables are dropped, the new ones created and counted, and only then is it
committed. The previous contents are backed up first.
"""

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

from psycopg import sql

from chatdb.backups.inventory import Backup
from chatdb.backups.plain_sql import for_psql
from chatdb.db.bound_objects import (
    BoundObject,
    prepared_in_the_way,
    require_endable,
    roll_back_prepared,
)
from chatdb.db.connect import connect_postgresql
from chatdb.db.contract.replacement import Replacement
from chatdb.db.encoding import require_utf8_database
from chatdb.db.label import KEY
from chatdb.db.migrating.other_schemas import in_schemas
from chatdb.db.migrating.revision import look, translated
from chatdb.db.opening import open_replacement
from chatdb.db.postgresql.distribution import refuse_distributed_restore
from chatdb.db.postgresql.server_databases import Server
from chatdb.db.schema import TABLE_NAMES, VERSION_TABLE, leases, settings
from chatdb.db.url import DatabaseUrl
from chatdb.errors import ChatdbError, RefusedError, UsageError
from chatdb.operations.dumps.public import run_script
from chatdb.operations.restoring.parts import Restored, RestoreOptions, RestorePlan, Task
from chatdb.operations.restoring.postgresql import ADD_CHECKS, PostgresqlFilling, planned_postgresql
from chatdb.operations.restoring.restore import (
    Clock,
    bring_to_head,
    checked,
    label_of,
    plan_of,
    require_restorable,
)
from chatdb.operations.restoring.server import SHOWN
from chatdb.primitives.watch import Watch

# Readers are waited for, but while a DROP waits for its lock, every new query waits behind it.
_LOCK_WAIT = "10s"

_OBJECTS = """
SELECT CASE relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, format('%%I.%%I', nspname, relname),
       pg_get_userbyid(relowner), pg_has_role(relowner, 'USAGE') OR pg_has_role(nspowner, 'USAGE')
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE nspname = coalesce(%(schema)s, current_schema()) AND relkind IN ('r', 'p', 'v')
  AND relname = ANY(%(names)s)
UNION ALL
SELECT 'FUNCTION', p.oid::regprocedure::text,
       pg_get_userbyid(proowner), pg_has_role(proowner, 'USAGE') OR pg_has_role(nspowner, 'USAGE')
FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
WHERE nspname = coalesce(%(schema)s, current_schema()) AND proname LIKE 'chatdb\\_%%'
"""
# One DROP of all of a kind: references among them do not stop it.
_AT_ONCE = ("VIEW", "MATERIALIZED VIEW", "TABLE")
_ONE_BY_ONE = ("FUNCTION", "PROCEDURE", "AGGREGATE", "SEQUENCE", "DOMAIN", "TYPE")
"""Each of these may depend on any other: a domain on a function, and that on another domain."""

Save = Callable[[], Backup]


@contextmanager
def planned_in_place(
    backup: Backup, url: DatabaseUrl, options: RestoreOptions, watch: Watch, save: Save
) -> Iterator["RestoreInPlace"]:
    """Check everything that could prevent it; `save` backs up the current contents.

    Nothing is written yet. Raises as `planned_restore` does, UsageError for a SQLite file.
    """
    if url.path is not None:
        raise UsageError("--in-place is for PostgreSQL: a SQLite file is replaced as a whole")
    refuse_distributed_restore(url)
    require_utf8_database(url)
    task = Task(backup, url, options, watch)
    require_restorable(task)
    with (
        open_replacement(url, watch.note) as replacement,
        planned_postgresql(task, in_place=True) as filling,
    ):
        planned = RestoreInPlace(task, replacement, filling, save)
        planned.require_one_set()
        planned.require_rights()
        yield planned


@dataclass(frozen=True, slots=True)
class RestoreInPlace:
    """A restore in one transaction that can be run."""

    task: Task
    replacement: Replacement
    filling: PostgresqlFilling
    save: Save

    def plan(self) -> RestorePlan:
        """Return what will happen."""
        return plan_of(self.task, self.filling, replaces=True, in_place=True)

    def require_one_set(self) -> None:
        """Raise RefusedError if it would create chatdb's tables beside those of another schema."""
        names = [name.replace('"', "").rpartition(".") for name in self.filling.dump.tables]
        made = {schema for schema, _, table in names if table == VERSION_TABLE}
        there = look(self.task.url, schema=self.task.schema).elsewhere
        if not made or not there or made & set(there):
            return
        raise RefusedError(
            f"{self.task.url.redacted()} has chatdb's tables {in_schemas(there)}; those of the "
            f"backup would be created {in_schemas(sorted(made))} beside them; nothing was changed",
            hint="replace the whole database, without --in-place, or use another: --into",
        )

    def require_rights(self) -> None:
        """Raise RefusedError that lists chatdb's objects which this user may not replace."""
        there, _ = self._look()
        lost = [
            f"  {kind.lower()} {name}, of {owner}" for kind, name, owner, own in there if not own
        ]
        if not lost:
            return
        if len(lost) > SHOWN:
            lost = [*lost[:SHOWN], f"  and {len(lost) - SHOWN} more"]
        heading = (
            f"the user of {self.task.url.redacted()} does not own the objects that would be "
            "replaced:"
        )
        raise RefusedError(
            "\n".join([heading, *lost]),
            hint="connect as the owner of all of it: --database-url; or change the owner: ALTER "
            "... OWNER TO",
        )

    def require_alone(self) -> None:
        """Raise RefusedError for a prepared transaction in the way, unless it may be rolled back.

        Other sessions are waited for while taking the locks.
        """
        prepared = self._prepared()
        if self.task.options.force:
            require_endable(self.task.url, prepared)
        elif prepared:
            lines = [f"  {each.becomes('')}" for each in prepared]
            raise RefusedError(
                "\n".join(["tables that would be replaced are locked:", *lines]),
                hint="end it, or have it ended: add --force",
            )

    def run(self) -> Restored:
        """Restore; whatever is raised before the commit, the database is unchanged."""
        task, clock = self.task, Clock()
        saved = self.save()
        if task.options.force:
            roll_back_prepared(task.url, self._prepared())
            with Server.open(task.url) as server:
                server.end_sessions(task.url.database)
        with clock.counting("fill"):
            self._replace_all()
        try:
            with clock.counting("analyze"):
                self.filling.finish(task.url)
            with clock.counting("check"):
                task.watch.begin("comparing", None)
                contents, rows = checked(task, self.filling, task.url)
            with clock.counting("fill"):
                revision = bring_to_head(task, task.url)
        except ChatdbError as error:
            error.text += "; it is committed, and the previous contents are backed up"
            error.hint = f"to restore them: chatdb restore {shlex.quote(saved.file)} --in-place"
            raise
        return Restored(
            backup=task.backup.file,
            database=task.url.redacted(),
            kept=None,
            saved=saved.file,
            revision=revision,
            conversations=None if contents is None else contents.conversations,
            messages=None if contents is None else contents.messages,
            rows=rows,
            left_out=tuple(self.filling.left_out),
            seconds=clock.seconds("fill"),
            analyze_seconds=clock.seconds("analyze"),
            check_seconds=clock.seconds("check"),
        )

    def _prepared(self) -> list[BoundObject]:
        with translated(self.task.url), closing(connect_postgresql(self.task.url)) as connection:
            return prepared_in_the_way(connection, sorted(TABLE_NAMES))

    def _replace_all(self) -> None:
        """Run the whole change as one script."""
        programs, tuning = self.task.options.programs, self.filling.server.tuning
        client = programs.find("psql", self.filling.server.major, url=self.task.url)
        there, schemas = self._look()
        rights = [statement.encode() for statement in self.filling.rights_of_the_place()]
        before = list(_drops([*(each[:2] for each in there), *self._made()]))
        omissions, tolerant = self.filling.omissions(schemas), self.filling.tolerant(in_place=True)

        def hear(line: str) -> None:
            if not self.filling.hear(tolerant, line) and "WARNING:" in line:
                self.task.watch.warning(line.partition("WARNING:")[2].strip())

        self.filling.begin()
        with self.filling.script() as stream:
            run_script(
                programs,
                client,
                for_psql(stream, omissions, tolerant),
                self.task.url,
                options=[*tuning.options(), f"-c lock_timeout={_LOCK_WAIT}"],
                restricted=not self.task.options.trust,
                around=(before, [ADD_CHECKS, *self._ends(), *rights]),
                on_line=hear,
            )
        self.filling.left_out.extend(tolerant.left_out.values())

    def _look(self) -> tuple[list[tuple[str, str, str, bool]], frozenset[str]]:
        """Return chatdb's existing objects, and the names of the schemas.

        For each: its kind, name and owner, and whether this user may drop it.
        """
        names = {"schema": self.task.schema, "names": sorted(TABLE_NAMES)}
        with translated(self.task.url), closing(connect_postgresql(self.task.url)) as connection:
            there = connection.execute(_OBJECTS, names).fetchall()
            schemas = connection.execute("SELECT nspname FROM pg_namespace").fetchall()
        return there, frozenset(name for (name,) in schemas)

    def _made(self) -> list[tuple[str, str]]:
        """Return what the dump creates."""
        dump = self.filling.dump
        return [*(("TABLE", name) for name in dump.tables), *dump.others]

    def _ends(self) -> Iterator[bytes]:
        """Yield the statements before the commit: counting, and the target's label."""
        yield from _counts(self._wanted_rows())
        schema = self.task.schema or "public"
        tables = {name.replace('"', "") for name in self.filling.dump.tables}
        if f"{schema}.{leases.name}" in tables:
            # The jobs that held them ended long ago; their leases would stop new ones.
            yield b"DELETE FROM " + _name(schema, leases.name)
        if f"{schema}.{settings.name}" not in tables:
            return
        label, keeps_label = label_of(self.task, is_there=True)
        if not keeps_label:
            table = _name(schema, settings.name)
            yield b"DELETE FROM " + table + f" WHERE key = '{KEY}'".encode()
            if label is not None:
                values = sql.SQL("({}, {})").format(KEY, label).as_bytes(None)
                yield b"INSERT INTO " + table + b" (key, value) VALUES " + values

    def _wanted_rows(self) -> dict[bytes, int]:
        manifest, dump = self.task.backup.manifest, self.filling.dump
        if manifest is not None and manifest.has_rows:
            schema = manifest.schema or "public"
            return {_name(schema, table): n for table, n in manifest.contents.rows.items()}
        if self.filling.archive is None and not dump.has_inserts:
            return {table.encode(): count for table, count in dump.rows.items()}
        return {}


def _drops(objects: Sequence[tuple[str, str]]) -> Iterator[bytes]:
    """Yield the statements that drop the objects; other objects that depend on them stop it."""
    for kind in _AT_ONCE:
        names = list(dict.fromkeys(name for each, name in objects if each == kind))
        if names:
            yield f"DROP {kind} IF EXISTS {', '.join(names)}".encode()
    rest = [
        f"{each} IF EXISTS {name}" for kind in _ONE_BY_ONE for each, name in objects if each == kind
    ]
    if rest:
        words = ", ".join(sql.Literal(each).as_string(None) for each in dict.fromkeys(rest))
        yield f"""DO $chatdb$ DECLARE todo text[] := ARRAY[{words}]; rest text[]; each text; BEGIN
WHILE todo <> '{{}}' LOOP
  rest := '{{}}';
  FOREACH each IN ARRAY todo LOOP
    BEGIN EXECUTE 'DROP ' || each;
    EXCEPTION WHEN dependent_objects_still_exist THEN rest := rest || each; END;
  END LOOP;
  IF rest = todo THEN EXECUTE 'DROP ' || rest[1]; END IF;
  todo := rest;
END LOOP; END $chatdb$""".encode()


def _counts(rows: dict[bytes, int]) -> Iterator[bytes]:
    """Yield statements that raise an error unless every table has the expected rows."""
    for table, count in rows.items():
        shown = table.replace(b"'", b"''").replace(b"%", b"%%")
        yield b"".join(
            (
                b"DO $chatdb$ DECLARE found bigint; BEGIN SELECT count(*) INTO found FROM ",
                table,
                f"; IF found <> {count} THEN RAISE EXCEPTION '".encode(),
                shown,
                f" has % rows, not {count}', found; END IF; END $chatdb$".encode(),
            )
        )


def _name(schema: str, table: str) -> bytes:
    return sql.Identifier(schema, table).as_bytes(None)
