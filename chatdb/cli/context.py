"""What a command works with: settings, database, output and diagnostics.

A command reads its options, calls one operation and renders the result.

    @app.command(cls=DataCommand)
    def show(context: typer.Context) -> None:
        \"\"\"Show something.  (first line: imperative, under 70 characters)\"\"\"
        from chatdb.operations import things           # heavy: inside the body

        command = CommandContext.of(context)
        with command.open_database() as database:
            answer = things.list_page(database, organization_key=command.org)
        command.output.rows(answer.items, things.Thing)

`docs/architecture.md` has a complete module. Errors are raised, never printed: the boundary
prints them. Notes, warnings and progress go through `command.diagnostics`.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from chatdb import config as settings
from chatdb.cli.diagnostics import Diagnostics
from chatdb.cli.next_command import for_the_same_database
from chatdb.cli.next_page import list_of
from chatdb.cli.options import GlobalOptions
from chatdb.cli.output import Output
from chatdb.db import lock_waits
from chatdb.errors import DatabaseMissingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import tzinfo

    import typer

    from chatdb.db.database import Database
    from chatdb.db.url import DatabaseUrl
    from chatdb.primitives.file_store import FileStore


class CommandContext:
    """What a command works with; each part is made on first use."""

    def __init__(
        self, options: GlobalOptions, *, list_name: str = "", words: Sequence[str] = ()
    ) -> None:
        """Take the global options, the name of the list that is printed, and the words typed."""
        self.options = options
        self.list_name = list_name
        self.words = words
        color = settings.uses_color() and not options.no_color
        self.output = Output(
            options.format,
            color=color,
            pager=lambda: self.pager,
            raw_csv=options.raw_csv,
            zone=lambda: self.zone,
        )
        self.diagnostics = Diagnostics(
            quiet=options.quiet,
            verbose=options.verbose,
            color=color,
            complete=lambda text: for_the_same_database(text, options),
        )
        lock_waits.listen(self.diagnostics.note)

    @classmethod
    def of(cls, context: typer.Context) -> Self:
        """Return the context of the command that Typer calls."""
        return cls(
            context.find_root().ensure_object(GlobalOptions),
            list_name=list_of(context),
            words=context.meta.get("chatdb.args", ()),
        )

    @cached_property
    def config(self) -> settings.Config:
        """The settings; raises ConfigurationError."""
        config = settings.load(
            database_url=self.options.database_url,
            direct_url=self.options.direct_url,
            schema=self.options.schema,
            org=self.options.org,
            attachments_dir=self.options.attachments_dir,
        )
        for note in config.notes:
            self.diagnostics.warning(note)
        return config

    @property
    def org(self) -> str:
        """The key of the organization to work on."""
        return self.config.org.value

    @property
    def schema(self) -> str | None:
        """The PostgreSQL schema of chatdb's tables, if one is set."""
        setting = self.config.schema
        return None if setting is None else setting.value

    @property
    def pager(self) -> str:
        """The pager's command line, "" for none."""
        return self.config.pager.value.strip()

    @cached_property
    def zone(self) -> tzinfo:
        """The time zone of times that are typed, and printed for people.

        Raises ConfigurationError naming its source.
        """
        setting = self.config.timezone
        if setting.value == "UTC":
            return UTC
        from chatdb.errors import ConfigurationError, UsageError
        from chatdb.primitives.time_words import zone_of

        try:
            return zone_of(setting.value)
        except UsageError as error:
            raise ConfigurationError(f"{error.text} ({setting.source})", hint=error.hint) from error

    @property
    def bindir(self) -> Path | None:
        """The folder of PostgreSQL's programs, if one is set."""
        setting = self.config.pg_bindir
        return None if setting is None else Path(setting.value)

    @cached_property
    def url(self) -> DatabaseUrl:
        """The URL of the database; raises ConfigurationError naming the setting it came from."""
        return _parsed(self.config.database_url)

    @property
    def attachments_folder(self) -> Path | None:
        """The folder of kept attachments: the setting's, else beside a SQLite file."""
        setting = self.config.attachments_dir
        return attachments_beside(self.url) if setting is None else Path(setting.value)

    def file_store_of(self, other: DatabaseUrl | None = None) -> FileStore | None:
        """Return the kept attachments of the configured database, or of another.

        Of another one the folder has to be typed, or is beside its file; None without a folder.
        """
        from chatdb.primitives.file_store import FileStore

        folder = self.attachments_folder
        if other is not None:
            typed = self.options.attachments_dir
            folder = attachments_beside(other) if typed is None else Path(typed)
        return None if folder is None else FileStore(folder)

    @cached_property
    def file_store(self) -> FileStore:
        """The kept attachments; raises UsageError for PostgreSQL without a folder for them."""
        from chatdb.errors import UsageError
        from chatdb.primitives.file_store import FileStore

        folder = self.attachments_folder
        if folder is None:
            foreign = self.config.foreign_attachments_dir
            unused = "" if foreign is None else f" ({foreign.source} is for another database)"
            raise UsageError(
                f"no folder is set for the attachments of this PostgreSQL database{unused}",
                hint="give one: --attachments-dir FOLDER, or CHATDB_ATTACHMENTS_DIR beside "
                "DATABASE_URL",
            )
        return FileStore(folder)

    @cached_property
    def direct_url(self) -> DatabaseUrl | None:
        """The URL that bypasses the pooler, if one is set."""
        setting = self.config.direct_url
        return None if setting is None else _parsed(setting)

    @contextmanager
    def open_database(
        self,
        *,
        create: bool = False,
        any_schema: bool = False,
        missing_ok: bool = False,
        user: str | None = None,
    ) -> Iterator[Database]:
        """Open the database for the command and close it after.

        The schema must be current: with `create`, for what writes the first rows, an empty or new
        SQLite file is migrated first (with a note); without it a missing file raises
        DatabaseMissingError, unless `missing_ok`. Any other mismatch raises SchemaMismatchError.
        `any_schema` skips the check, for commands that inspect or change the schema. Every
        transaction is limited to the organization in use, and with `user` to that user, if
        row-level security applies to the role. Raises DatabaseUnreachableError.
        """
        from chatdb.db.database import Database, Tenant
        from chatdb.records import organization_id_of

        if not (create or missing_ok):
            self.require_database_file()
        _ = self.zone  # A wrong one is an error before anything is written.
        settings.export_libpq(self.config)
        database = Database.open(
            self.url,
            schema=self.schema,
            direct_url=self.direct_url,
            create=create,
            tenant=Tenant(organization_id_of(self.org), user),
        )
        try:
            with self.naming_the_last_database():
                if not any_schema:
                    self._prepare(database, create=create)
                yield database
        finally:
            database.close()

    def require_database_file(self) -> None:
        """Raise DatabaseMissingError for a SQLite file that is not there."""
        path = self.url.path
        if path is not None and not path.exists():
            from chatdb.cli.last_database import no_database

            raise no_database(self.url, self.config.database_url.source, self.words)

    @contextmanager
    def naming_the_last_database(self) -> Iterator[None]:
        """Name the database used last in the error for a server without the configured one."""
        try:
            yield
        except DatabaseMissingError as error:
            if error.place == self.url.redacted():
                from chatdb.cli.last_database import last_used

                hints = (last_used(self.url, self.words), error.hint)
                error.hint = "; ".join(filter(None, hints))
            raise

    def tell_more(self, after: str, *, than: int | None = None, are_sure: bool = True) -> None:
        """Note that a list ends after `than` rows, and the command for the next page.

        `are_sure`: there are more, not only perhaps. People get a short cursor, programs the one
        that is good on any machine.
        """
        from chatdb.cli.next_page import next_command, short_cursor

        more = "there are more" if are_sure else "there may be more"
        more = more if than is None else f"{more} than {than}"
        cursor = short_cursor(self.list_name, after) if self.output.is_table else after
        self.diagnostics.command(f"{more}, on the next page", next_command(self.words, cursor))

    def _prepare(self, database: Database, *, create: bool) -> None:
        from chatdb.cli.last_database import remember_database
        from chatdb.operations.schema.schema import prepare_new_sqlite, require_current

        if create and prepare_new_sqlite(database):
            self.diagnostics.note(f"made a new database at {self.url.redacted()}")
        require_current(database)
        remember_database(self.url)


def attachments_beside(url: DatabaseUrl) -> Path | None:
    """Return the folder beside a SQLite file, None for PostgreSQL."""
    return None if url.path is None else url.path.with_name(url.path.name + "-attachments")


def _parsed(setting: settings.Setting) -> DatabaseUrl:
    from chatdb.db.url import parse_url
    from chatdb.errors import ConfigurationError

    try:
        return parse_url(setting.value)
    except ConfigurationError as error:
        raise ConfigurationError(f"{error.text} ({setting.source})", hint=error.hint) from error
