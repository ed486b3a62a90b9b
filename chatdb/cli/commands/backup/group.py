"""`chatdb backup`: create, list, verify, compare and prune backups."""

import shlex
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from chatdb.cli.added_columns import warn_of_added_columns
from chatdb.cli.backup_keys import (
    EncryptToOption,
    IdentityOption,
    NotifyOption,
    reading_keys,
    writing_keys,
)
from chatdb.cli.backup_options import (
    BackupArgument,
    PlaceArgument,
    PlaceOption,
    StageWatch,
    backup_place,
    dump_programs,
)
from chatdb.cli.backup_report import (
    cells_of,
    created_figures,
    created_lines,
    verified_lines,
)
from chatdb.cli.commands.backup import check as backup_check
from chatdb.cli.commands.backup import prune as backup_prune
from chatdb.cli.commands.backup import schedule as backup_schedule
from chatdb.cli.commands.backup.notifying import notifying
from chatdb.cli.context import CommandContext
from chatdb.cli.options import DataCommand, argument, option
from chatdb.cli.organizations_meant import tell_who_has_some
from chatdb.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chatdb.backups.contents import OrganizationContents
    from chatdb.backups.manifest import Verification
    from chatdb.operations.backups.compare import ConversationChange
    from chatdb.operations.backups.summary import BackupSummary

_HELP = ("--help", "-h")


class _BackupGroup(TyperGroup):
    """A group that runs `create` if no other of its commands is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words; insert `create` if no command is named."""
        is_named = any(word in self.commands for word in args)
        if not is_named and not any(word in _HELP for word in args):
            args = ["create", *args]
        return list(super().parse_args(ctx, args))


app = typer.Typer(
    cls=_BackupGroup,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Back up the database and manage backups.",
)


@app.callback()
def group() -> None:
    """Accept the group's options; there are none."""


@app.command(cls=DataCommand)
def create(
    context: typer.Context,
    output: PlaceOption = None,
    jobs: Annotated[
        int,
        option(
            "--jobs -j",
            "Number of tables to dump in parallel; writes a directory-format dump.",
            min=1,
        ),
    ] = 1,
    schema_only: Annotated[bool, option("--schema-only", "Tables only, no rows.")] = False,
    data_only: Annotated[bool, option("--data-only", "Rows only, no tables.")] = False,
    encrypt_to: EncryptToOption = None,
    check_it: Annotated[
        bool, option("--verify", "Verify the backup afterwards, like chatdb backup verify.")
    ] = False,
    notify_url: NotifyOption = None,
) -> None:
    """Back up the database (plain `chatdb backup` does the same).

    PostgreSQL is dumped by pg_dump; a SQLite file is copied by its backup API and checked. A
    manifest beside the backup holds every count and checksum, from the same moment as the data.
    With --org KEY only that organization's conversations are written, as native JSON Lines.

    \b
    Examples:
      chatdb backup create
      chatdb backup create --output s3://bucket/chat --encrypt-to age1...
      chatdb backup create --output /mnt/backups --jobs 4 --verify
      chatdb backup create --org acme
    """
    from chatdb.backups.stores import open_store
    from chatdb.operations.backups.create import create_backup, part_of
    from chatdb.operations.backups.parts import BackupOptions
    from chatdb.operations.backups.summary import BackupSummary
    from chatdb.operations.backups.verify import verify_files

    command = CommandContext.of(context)
    # Only if typed: a user with CHATDB_ORG set still wants the whole database backed up.
    organization = command.options.org
    options = BackupOptions(
        programs=dump_programs(command),
        part=part_of(schema_only=schema_only, data_only=data_only, organization=organization),
        organization=organization,
        jobs=jobs,
        file_store=command.file_store_of(),
    )
    with notifying(command, "backup", notify_url) as told:
        store = open_store(backup_place(command, output), writing_keys(command, encrypt_to))
        with (
            command.open_database(any_schema=True) as database,
            StageWatch(command) as watch,
        ):
            backup = create_backup(database, store, options, watch)
            summary = BackupSummary.of(backup)
            told.figures.update(created_figures(summary))
            if organization is not None and not summary.conversations:
                or_all = ", or leave it out to back up the whole database"
                tell_who_has_some(command, database, organization, or_all=or_all)
            result = verify_files(backup, options.programs, watch) if check_it else None
            is_partial = organization is not None and warn_of_added_columns(
                command, database, "the backup of one organization: back up the whole database"
            )
        told.figures["verified"] = None if result is None else result.passed
        if result is not None:
            seen = backup.verifications.adding(result)
            backup = replace(backup, verifications=seen)
        _print_created(command, BackupSummary.of(backup), result)
        if result is not None and not result.passed:
            raise typer.Exit(ExitCode.FAILED)
        if is_partial:
            raise typer.Exit(ExitCode.PARTIAL)


def _print_created(
    command: CommandContext,
    summary: "BackupSummary",
    result: "Verification | None",
) -> None:
    command.output.record(summary, words="\n".join(created_lines(summary)))
    if not command.output.is_table:
        return
    if summary.needs_superuser:
        names = ", ".join(summary.needs_superuser)
        command.diagnostics.note(
            f"only a superuser can restore {names}; other users restore the rest"
        )
    if result is not None:
        command.output.text("\n".join(verified_lines(summary.name, result)))
        _warn(command, result)
        return
    is_restored_alone = summary.part in ("full", "organization")
    way = "--restore " if is_restored_alone else ""
    verify_it = f"chatdb backup verify {way}{shlex.quote(summary.file)}"
    what = "can be restored" if is_restored_alone else "is intact"
    command.diagnostics.note(f"to check that it {what}, run: {verify_it}")


def _warn(command: CommandContext, result: "Verification") -> None:
    for text in result.warnings:
        command.diagnostics.warning(text)


@app.command(name="list", cls=DataCommand)
def list_backups(
    context: typer.Context,
    place: PlaceArgument = None,
) -> None:
    """List backups, newest first, including other tools'.

    \b
    Examples:
      chatdb backup list
      chatdb backup list /mnt/backups --format json
    """
    from chatdb.backups.inventory import find_all
    from chatdb.backups.stores import open_store
    from chatdb.operations.backups.summary import BackupSummary

    command = CommandContext.of(context)
    store = open_store(backup_place(command, place))
    rows = [BackupSummary.of(backup) for backup in find_all(store)]
    command.output.rows(rows, BackupSummary, table=cells_of, shortened=("verified",))
    if rows and command.output.is_table:
        command.diagnostics.note(f"place: {store.address}")
    elif command.output.is_table:
        command.diagnostics.note(
            f"there are no backups in {store.address}; to make one: chatdb backup"
        )


@app.command(cls=DataCommand)
def show(context: typer.Context, file: BackupArgument) -> None:
    """Show everything known about a backup: counts and checksums.

    \b
    Examples:
      chatdb backup show latest
      chatdb backup show backups/relay_20261125T193300Z.dump.zst --format json
    """
    from chatdb.backups.contents import OrganizationContents
    from chatdb.backups.inventory import find
    from chatdb.backups.manifest import BackupFile, Verification
    from chatdb.operations.backups.summary import ShownBackup, TableRows

    command = CommandContext.of(context)
    shown = ShownBackup.of(find(file, backup_place(command, None)))
    if not command.output.is_table:
        command.output.record(shown)
        return
    output = command.output
    output.record(shown.summary())
    for rows, kind in (
        (shown.files, BackupFile),
        (shown.rows_by_table(), TableRows),
        (shown.organizations, OrganizationContents),
        (shown.verifications, Verification),
    ):
        if rows:
            output.text("")
            table = _organization_cells if kind is OrganizationContents else None
            output.rows(rows, kind, table=table, shortened=("sha256", "content_hash"))


def _organization_cells(contents: "OrganizationContents") -> dict[str, Any]:
    return {
        "key": contents.key or contents.id,
        "conversations": contents.conversations,
        "messages": contents.messages,
        "newest_message_at": contents.newest_message_at,
        "content_hash": contents.content_hash,
    }


@app.command(cls=DataCommand)
def verify(
    context: typer.Context,
    file: BackupArgument,
    restore: Annotated[
        bool,
        option(
            "--restore",
            "Also restore it into a scratch database, compare, then drop that database.",
        ),
    ] = False,
    identity: IdentityOption = None,
    notify_url: NotifyOption = None,
) -> None:
    """Read a backup to the end and report whether it is intact.

    Each checksum of the manifest is compared, each table's data is unpacked and its rows counted,
    and SQLite checks a SQLite file. With --restore it is also restored (a PostgreSQL dump on the
    configured server), and every count and hash is compared. The result and its time are saved
    beside the backup. The exit code is 1 if anything is wrong. For an encrypted backup without its
    key, only checksums are compared.

    \b
    Examples:
      chatdb backup verify latest
      chatdb backup verify latest --restore
      chatdb backup verify backups/relay_dev_20231220_143022.sql.gz
    """
    from chatdb.backups.inventory import find
    from chatdb.operations.backups.summary import VerifiedBackup
    from chatdb.operations.backups.verify import broken, verify_files, verify_restored
    from chatdb.operations.restoring.parts import RestoreOptions

    command = CommandContext.of(context)
    with notifying(command, "verify", notify_url) as told:
        keys = reading_keys(command, identity)
        backup = find(file, backup_place(command, None), keys=keys)
        told.figures["file"] = backup.file
        programs = dump_programs(command)
        with StageWatch(command) as watch:
            if restore:
                options = RestoreOptions(programs=programs, schema=command.schema)
                result = verify_restored(backup, command.direct_url or command.url, options, watch)
            else:
                result = verify_files(backup, programs, watch)
        left_out = [each.object for each in result.left_out]
        told.figures.update(way=result.way, problems=result.problems, left_out=left_out)
        words = "\n".join(verified_lines(backup.name, result, backup.manifest))
        command.output.record(VerifiedBackup.of(backup, result), words=words)
        _warn(command, result)
        if not result.passed:
            raise typer.Exit(ExitCode.FAILED)
        if restore and broken(backup, result):
            raise typer.Exit(ExitCode.PARTIAL)


@app.command(cls=DataCommand)
def diff(
    context: typer.Context,
    before: Annotated[str, argument("BEFORE", "Older backup.")],
    after: Annotated[str, argument("AFTER", "Newer backup.  [default: latest]")] = "latest",
    identity: IdentityOption = None,
) -> None:
    """Show which conversations were added, removed or changed.

    Compares the lists of conversations beside the two backups; opens neither archive. A
    conversation counts as changed if its number of messages differs.

    \b
    Examples:
      chatdb backup diff relay_20261118T020000Z latest
      chatdb backup diff relay_20261118T020000Z latest --format jsonl
    """
    from chatdb.backups.inventory import find
    from chatdb.operations.backups.compare import ConversationChange, compare_backups

    command = CommandContext.of(context)
    place = backup_place(command, None)
    keys = reading_keys(command, identity)
    changes = compare_backups(find(before, place, keys=keys), find(after, place, keys=keys))
    counts = Counter[str]()

    def counted_changes() -> "Iterator[ConversationChange]":
        for change in changes:
            counts[change.change] += 1
            yield change

    command.output.rows(counted_changes(), ConversationChange, shortened=("organization", "title"))
    command.diagnostics.note(
        ", ".join(f"{counts[word]} {word}" for word in ("appeared", "vanished", "changed"))
    )


app.command(cls=DataCommand)(backup_prune.prune)
app.command(cls=DataCommand)(backup_check.check)
app.command(cls=DataCommand)(backup_schedule.schedule)
