"""`chatdb restore`: restore a backup, and undo that."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chatdb.cli import completion
from chatdb.cli.backup_keys import IdentityOption, reading_keys, writing_keys
from chatdb.cli.backup_options import StageWatch, backup_place, dump_programs
from chatdb.cli.commands.restore.attachments import bring_attachments, store_for
from chatdb.cli.commands.restore.report import (
    UndoneRestore,
    kept_lines,
    plan_lines,
    restored_lines,
    utc_text,
    way_back,
)
from chatdb.cli.confirm import confirm
from chatdb.cli.context import CommandContext
from chatdb.cli.lazy_group import command_app
from chatdb.cli.next_command import for_the_same_database
from chatdb.cli.options import DataCommand, DryRunOption, YesOption, argument, option
from chatdb.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from chatdb.backups.inventory import Backup
    from chatdb.db.url import DatabaseUrl
    from chatdb.operations.restoring.in_place import RestoreInPlace
    from chatdb.operations.restoring.parts import RestoreOptions, RestorePlan
    from chatdb.operations.restoring.restore import Restore

app = command_app()


@app.command(cls=DataCommand)
def restore(
    context: typer.Context,
    file: Annotated[
        str | None,
        argument(
            "[FILE]",
            "Backup name, one of its files, or: latest.",
            show_default=False,
            autocompletion=completion.backups,
        ),
    ] = None,
    into: Annotated[
        str | None,
        option("--into URL", "Restore into this database instead of the configured one."),
    ] = None,
    in_place: Annotated[
        bool,
        option(
            "--in-place", "Replace the tables inside the existing database, in one transaction."
        ),
    ] = False,
    conversations: Annotated[
        list[str] | None,
        option("--conversation ID", "Merge in only this conversation; repeatable."),
    ] = None,
    user: Annotated[
        str | None, option("--user ID", "Merge in only this user's conversations.")
    ] = None,
    via: Annotated[
        str | None,
        option("--via URL", "PostgreSQL server used to unpack a dump when the target is SQLite."),
    ] = None,
    undo: Annotated[
        bool, option("--undo", "Put back the database that the last restore replaced.")
    ] = False,
    force: Annotated[
        bool,
        option(
            "--force",
            "Disconnect other sessions; go ahead even if the backup lacks tables or is truncated.",
        ),
    ] = False,
    trust: Annotated[
        bool, option("--trust", "Run an SQL file even if it could start programs.")
    ] = False,
    jobs: Annotated[
        int | None,
        option("--jobs -j", "Number of indexes to build in parallel.  [default: auto]", min=1),
    ] = None,
    no_owner: Annotated[
        bool, option("--no-owner", "Make you the owner of everything and grant no privileges.")
    ] = False,
    no_migrate: Annotated[
        bool, option("--no-migrate", "Leave the schema at the backup's revision.")
    ] = False,
    identity: IdentityOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Restore a backup and swap it in for the current database.

    The backup is restored into a new database: checksums are compared first, then the contents are
    counted, compared with the manifest and brought to the newest revision. Only then are the two
    databases swapped by renaming. The replaced database is kept; --undo puts it back. If any step
    fails, the current database is unchanged.

    With --conversation, --user or --org, only those conversations are restored: they are merged
    into the current database, including deleted ones.

    \b
    Examples:
      chatdb restore latest
      chatdb restore relay_dev.sql --into postgresql://localhost/relay
      chatdb restore latest --conversation 0192f0c1 --dry-run
      chatdb restore --undo
    """
    from chatdb.operations.restoring.parts import RestoreOptions

    command = CommandContext.of(context)
    if file is None and not undo:
        raise UsageError("give a backup to restore", hint="chatdb restore latest")
    url = _target(command, into)
    if file is None or undo:
        undoing = _Undoing(command=command, url=url, into=into, yes=yes, dry_run=dry_run)
        undoing.put_back(file, force=force)
        return
    options = RestoreOptions(
        programs=dump_programs(command),
        schema=command.schema,
        jobs=jobs,
        force=force,
        trust=trust,
        owner=not no_owner,
        migrate=not no_migrate,
    )
    restoring = _Restoring(
        command=command,
        backup=_find(command, file, url, identity),
        url=url,
        into=into,
        options=options,
        yes=yes,
        dry_run=dry_run,
    )
    key = restoring.organization()
    if conversations or user is not None or key is not None:
        if in_place:
            raise UsageError(
                "--in-place replaces everything; --conversation, --user and --org merge a part",
                hint="use one or the other",
            )
        restoring.selection(key or command.org, conversations or [], user, via)
    else:
        restoring.all(in_place=in_place)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Restoring:
    """One restore of a backup into a target database."""

    command: CommandContext
    backup: "Backup"
    url: "DatabaseUrl"
    into: str | None
    options: "RestoreOptions"
    yes: bool
    dry_run: bool

    def organization(self) -> str | None:
        """Return the key that was typed, or that of a backup of one organization."""
        manifest = self.backup.manifest
        return self.command.options.org or (None if manifest is None else manifest.organization)

    def all(self, *, in_place: bool) -> None:
        """Restore the whole backup into a new database, or into the existing tables."""
        command = self.command
        store = store_for(command, self.backup, self.url if self.into else None)
        with StageWatch(command) as watch, self._planned(watch, in_place=in_place) as planned:
            plan = planned.plan()
            if self.dry_run:
                watch.end()
                self._print_plan(plan)
                return
            planned.require_alone()
            watch.end()
            if plan.replaces:
                action = "replace the tables of" if in_place else "replace"
                confirm(command, self._plan_lines(plan), yes=self.yes, action=action, url=self.url)
            for remark in plan.remarks if self.yes or not plan.replaces else ():
                command.diagnostics.warning(remark)
            done = planned.run()
            bring_attachments(self.backup, store, watch)
        command.output.record(done, words="\n".join(restored_lines(done)))
        _tell(command, way_back(done.kept, self.into, saved=done.saved))
        if done.left_out:
            raise typer.Exit(ExitCode.PARTIAL)

    def _planned(
        self, watch: StageWatch, *, in_place: bool
    ) -> "AbstractContextManager[Restore | RestoreInPlace]":
        from chatdb.operations.restoring.restore import planned_restore

        if not in_place:
            return planned_restore(self.backup, self.url, self.options, watch)
        from chatdb.operations.restoring.in_place import planned_in_place

        return planned_in_place(
            self.backup, self.url, self.options, watch, lambda: self._save(watch)
        )

    def _save(self, watch: StageWatch) -> "Backup":
        """Back up the current contents."""
        from chatdb.backups.stores import open_store
        from chatdb.db.database import Database
        from chatdb.operations.backups.create import create_backup
        from chatdb.operations.backups.parts import BackupOptions

        keys = writing_keys(self.command, None)
        store = open_store(backup_place(self.command, None), keys)
        with Database.open(self.url, schema=self.options.schema) as database:
            return create_backup(
                database,
                store,
                BackupOptions(
                    programs=self.options.programs,
                    file_store=self.command.file_store_of(self.url if self.into else None),
                ),
                watch,
            )

    def selection(
        self, organization: str, conversations: list[str], user: str | None, via: str | None
    ) -> None:
        """Merge some conversations of the backup into the database."""
        from chatdb.db.database import Database
        from chatdb.db.url import parse_url
        from chatdb.operations.restoring.selection import RestoreSelection, restore_selection
        from chatdb.operations.schema.schema import prepare_new_sqlite, require_current

        store = store_for(self.command, self.backup, self.url if self.into else None)
        wanted = RestoreSelection(
            organization=organization, conversations=tuple(conversations), user=user
        )
        with (
            StageWatch(self.command) as watch,
            Database.open(self.url, schema=self.options.schema, create=True) as database,
        ):
            if not self.dry_run and prepare_new_sqlite(database):
                watch.note(f"made a new database at {self.url.redacted()}")
            require_current(database)
            done = restore_selection(
                self.backup,
                database,
                wanted,
                self.options,
                watch,
                server=self.url if via is None else parse_url(via),
                dry_run=self.dry_run,
            )
            if not self.dry_run:
                bring_attachments(self.backup, store, watch, missing_in=(database, organization))
        self.command.output.record(done)
        if done.skipped or done.columns_left_out:
            raise typer.Exit(ExitCode.PARTIAL)

    def _plan_lines(self, plan: "RestorePlan") -> list[str]:
        options = self.command.options
        return [for_the_same_database(line, options) for line in plan_lines(plan, self.into)]

    def _print_plan(self, plan: "RestorePlan") -> None:
        what = "replace the tables of" if plan.in_place else "replace"
        lines = [f"would {what} {plan.database}:", *self._plan_lines(plan)]
        self.command.output.record(plan, words="\n  ".join(lines))


def _target(command: CommandContext, into: str | None) -> "DatabaseUrl":
    """Return the URL of the target, the direct one if it is known."""
    from chatdb import config as settings
    from chatdb.db.label import look_at_label
    from chatdb.db.url import parse_url

    settings.export_libpq(command.config)
    url = parse_url(into) if into is not None else command.direct_url or command.url
    return url if url.name else url.with_database(look_at_label(url).name)


def _named(command: CommandContext, url: "DatabaseUrl") -> str:
    """Return the database that `latest` refers to: the configured one, whatever the target.

    Not if it is of another kind than the target.
    """
    configured = command.direct_url or command.url
    is_of_a_kind = configured.dialect_name.startswith(url.dialect_name)
    return configured.name if is_of_a_kind and configured.name else url.name


def _find(
    command: CommandContext, text: str, url: "DatabaseUrl", identity: Path | None
) -> "Backup":
    from chatdb.backups.inventory import find
    from chatdb.backups.names import safe_database
    from chatdb.backups.reading import recognised

    found = find(
        text,
        backup_place(command, None),
        database=safe_database(_named(command, url)),
        full_first=command.options.org is None,
        keys=reading_keys(command, identity),
    )
    return recognised(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Undoing:
    """Putting back the database that a restore replaced."""

    command: CommandContext
    url: "DatabaseUrl"
    into: str | None
    yes: bool
    dry_run: bool

    def put_back(self, name: str | None, *, force: bool) -> None:
        """Put back the database that the last restore, or the named one, replaced."""
        from chatdb.db.contract.replacement import KEPT
        from chatdb.db.opening import open_replacement

        with open_replacement(self.url, self.command.diagnostics.note) as replacement:
            kept = replacement.find_kept(name)
            lines = kept_lines(kept, is_there=replacement.is_there())
            lines += [each.becomes(KEPT) for each in replacement.bound()]
            if not self.dry_run:
                if not force:
                    replacement.require_unbound()
                confirm(self.command, lines, yes=self.yes, action="replace", url=self.url)
                aside = replacement.put_back(kept, force=force)
        place = self.url.redacted()
        undone = UndoneRestore(
            database=place,
            put_back=kept.name,
            until=kept.kept_at,
            kept=None if self.dry_run or aside is None else aside.name,
            dry_run=self.dry_run,
        )
        words = f"{place} is restored to its state of {utc_text(kept.kept_at)}"
        if self.dry_run:
            words = "\n  ".join([f"would replace {place}:", *lines])
        self.command.output.record(undone, words=words)
        _tell(self.command, way_back(undone.kept, self.into))


def _tell(command: CommandContext, lines: list[str]) -> None:
    for line in lines:
        command.diagnostics.note(line)
