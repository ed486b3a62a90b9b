"""Restores a pg_dump archive: all of chatdb's own objects, and others if possible.

First the entries before the rows, then the rows as a stream, then the indexes in parallel. An
application's object that cannot be created is reported; one of chatdb's ends the restore.
"""

import shlex
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field

from chatdb.backups.dump_entries import DumpEntry, IsOwn, in_phases
from chatdb.backups.left_out import LeftOut, write_down
from chatdb.backups.names import COMPRESSED, ENCRYPTED
from chatdb.db.connect import connect_postgresql
from chatdb.db.migrating.revision import translated
from chatdb.db.url import DatabaseUrl
from chatdb.errors import ChatdbError, RefusedError
from chatdb.operations.dumps.public import OnBytes, Prepared, feed, use_list
from chatdb.operations.restoring import deferred_checks
from chatdb.operations.restoring.tuning import Tuning
from chatdb.servers.dump_programs import DumpPrograms, Running
from chatdb.servers.restore_errors import NO_FAULT_OF_THE_OBJECT, RestoreError, RestoreErrors

_CALLED = ("FUNCTION", "AGGREGATE", "OPERATOR")
_TOC_ENTRY = "-- TOC entry "


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveRestore:
    """One run: `is_own` recognises what must be restored, `file` is the name in messages.

    Without `with_rights` everything belongs to the restoring user, and no privileges are granted.
    """

    programs: DumpPrograms
    prepared: Prepared
    url: DatabaseUrl
    tuning: Tuning
    is_own: IsOwn
    file: str
    with_rights: bool = True
    on_bytes: OnBytes | None = None
    _left_out: dict[DumpEntry, LeftOut] = field(default_factory=dict)

    def run(self) -> list[LeftOut]:
        """Fill the empty database; return the objects left out.

        Raises what keeps one of chatdb's own objects from being created, or concerns the server.
        """
        prepared = self.prepared
        if not prepared.is_in_phases:
            self._fed(prepared.entries)
            return list(self._left_out.values())
        phases = in_phases(prepared.entries)
        self._of_head(phases["pre-data"], jobs=1)
        if self._has_functions():
            self._run_sql(deferred_checks.defer(one_session=False))
        if prepared.archive.folder is None:
            self._fed(phases["data"])
        else:
            self._in_parallel(phases["data"])
        checks = []
        if self._has_functions():
            checks = self._run_sql(deferred_checks.restore(one_session=False))
        self._in_parallel(phases["post-data"])
        return [*self._left_out.values(), *checks]

    def _has_functions(self) -> bool:
        """Tell whether a check constraint may call functions: chatdb's own call none."""
        made = self.prepared.entries
        return any(
            e.kind == "EXTENSION" or (e.kind in _CALLED and not self.is_own(e)) for e in made
        )

    def _in_parallel(self, entries: Sequence[DumpEntry]) -> None:
        """Restore chatdb's own entries, which an error ends, and then the others."""
        own = [entry for entry in entries if self.is_own(entry)]
        others = [entry for entry in entries if not self.is_own(entry)]
        if own:
            words = [*use_list(self.prepared, own), *self._jobs(), "--exit-on-error"]
            with self._running([*words, str(self.prepared.head)]) as running:
                running.finish()
        self._of_head(others, jobs=self.tuning.jobs)

    def _of_head(self, entries: Sequence[DumpEntry], *, jobs: int) -> None:
        if not entries:
            return
        words = [*use_list(self.prepared, entries), *(self._jobs() if jobs > 1 else [])]
        with self._told(entries, [*words, str(self.prepared.head)], in_order=jobs == 1):
            pass

    def _fed(self, entries: Sequence[DumpEntry]) -> None:
        if not entries:
            return
        words = use_list(self.prepared, entries)
        with self._told(entries, words, in_order=True, stdin=subprocess.PIPE) as running:
            feed(running, self.prepared.archive, self.on_bytes)

    def _jobs(self) -> list[str]:
        return [f"--jobs={self.tuning.jobs}"] if self.tuning.jobs > 1 else []

    @contextmanager
    def _told(
        self,
        entries: Sequence[DumpEntry],
        words: Sequence[str],
        *,
        in_order: bool,
        stdin: int = subprocess.DEVNULL,
    ) -> Iterator[Running]:
        """Run it to its end; errors of entries that are not chatdb's own are recorded.

        Only `in_order` does the output say to which entry an error belongs.
        """
        heard = RestoreErrors()
        # Several jobs write a line in pieces: what each reports would stand within the errors.
        told = ["--verbose", *words] if in_order else words
        with self._running(told, stdin=stdin, heard=heard) as running:
            yield running
            code = running.wait()
            # pg_restore also exits with 1 after a complete run with errors in it.
            if code != 0 and not heard.has_ended:
                raise running.failure(running.said)
            self._write_down(running, heard.errors, entries, in_order=in_order)

    def _running(
        self,
        words: Sequence[str],
        *,
        stdin: int = subprocess.DEVNULL,
        heard: RestoreErrors | None = None,
    ) -> AbstractContextManager[Running]:
        rights = [] if self.with_rights else ["--no-owner", "--no-privileges"]
        return self.programs.running(
            self.prepared.client,
            [*rights, "--no-password", *words],
            url=self.url,
            stdin=stdin,
            stdout=subprocess.DEVNULL,
            options=self.tuning.options(),
            on_line=None if heard is None else heard.hear,
        )

    def _write_down(
        self,
        running: Running,
        errors: Sequence[RestoreError],
        entries: Sequence[DumpEntry],
        *,
        in_order: bool,
    ) -> None:
        if not errors:
            return
        whose = self._in_order(entries) if in_order else self._by_statement(entries)
        for error in errors:
            entry, found = (
                whose(error),
                running.failure([f"error: could not execute query: ERROR:  {error.text}"]),
            )
            if entry is None or isinstance(found, NO_FAULT_OF_THE_OBJECT):
                raise found
            if self.is_own(entry):
                raise self._own(entry, error, found)
            told = LeftOut(entry.describe(), error.text, self._remedy(entry, error))
            write_down(self._left_out, entry, told)

    def _in_order(self, entries: Iterable[DumpEntry]) -> Callable[[RestoreError], DumpEntry | None]:
        by_id = {entry.id: entry for entry in entries}
        return lambda error: by_id.get(error.entry)

    def _by_statement(
        self, entries: Sequence[DumpEntry]
    ) -> Callable[[RestoreError], DumpEntry | None]:
        """Find the entry by its statement: the output of several jobs is mixed."""
        by_id = {entry.id: entry for entry in entries}
        texts: dict[DumpEntry, str] = {}
        filled = {entry.name: entry for entry in entries if entry.kind == "TABLE DATA"}
        others = [entry for entry in entries if entry.kind != "TABLE DATA"]
        words = [*use_list(self.prepared, others), "--verbose", "--file=-", str(self.prepared.head)]
        if others:
            with self.programs.running(self.prepared.client, words) as running:
                script = running.stdout.read().decode("utf-8", "replace")
                running.finish()
            for text in script.split(_TOC_ENTRY)[1:]:
                texts[by_id[int(text.split(maxsplit=1)[0])]] = text

        def find(error: RestoreError) -> DumpEntry | None:
            if error.table is not None:
                return filled.get(error.table)
            wanted = error.statement.strip()
            return next((each for each, text in texts.items() if wanted and wanted in text), None)

        return find

    def _own(self, entry: DumpEntry, error: RestoreError, found: ChatdbError) -> ChatdbError:
        """Return the error of one of chatdb's own entries; it may need a missing extension."""
        missing = [other.name for other in self._left_out if other.kind == "EXTENSION"]
        if not missing:
            return found
        return RefusedError(
            f"{entry.describe()} cannot be created: {error.text}; left out before: extension "
            f"{', '.join(missing)}",
            hint="let a superuser restore it, or restore into a database that has the extension: "
            "--in-place",
        )

    def _remedy(self, entry: DumpEntry, error: RestoreError) -> str:
        if entry.kind != "TABLE DATA":
            return error.statement.strip()
        schema, table = shlex.quote(entry.schema), shlex.quote(entry.name)
        words = f"pg_restore --data-only --schema={schema} --table={table} --dbname=URL"
        return _unpacking(self.file, words)

    def _run_sql(self, statement: str) -> list[LeftOut]:
        """Run a statement of ours in the new database; return what its warnings say."""
        told: list[LeftOut | None] = []
        with translated(self.url), closing(connect_postgresql(self.url)) as connection:
            connection.add_notice_handler(
                lambda notice: told.append(deferred_checks.heard(notice.message_primary or ""))
            )
            connection.execute(statement.encode())
            connection.commit()
        return [each for each in told if each is not None]


def _unpacking(file: str, command: str) -> str:
    """Return a command that is fed with the archive as pg_restore reads it."""
    steps = [shlex.quote(file)]
    if file.endswith(ENCRYPTED):
        steps = [f"age -d -i KEY {steps[0]}"]
        file = file.removesuffix(ENCRYPTED)
    if file.endswith(COMPRESSED):
        steps = [f"zstd -dc {steps[0]}"] if len(steps[0].split()) == 1 else [*steps, "zstd -dc"]
    if steps == [shlex.quote(file)]:
        return f"{command} {steps[0]}"
    return " | ".join([*steps, command])
