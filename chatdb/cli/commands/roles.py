"""`chatdb roles`: least-privileged login roles for applications, on PostgreSQL."""

import os
import secrets
import sys
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from chatdb.cli.confirm import confirm, would_be
from chatdb.cli.context import CommandContext
from chatdb.cli.lazy_group import group_app
from chatdb.cli.options import DataCommand, DryRunOption, YesOption, argument, option
from chatdb.cli.organizations_meant import tell_nothing
from chatdb.cli.text import counted, one_line
from chatdb.errors import RefusedError, StorageError, UsageError

app = group_app("List, create and drop the login roles of applications.")


_PASSWORD_BYTES = 24


class RoleChoice(StrEnum):
    """What the role may do."""

    APP = "app"
    READONLY = "readonly"


@dataclass(frozen=True, slots=True)
class CreatedRole:
    """The role that was made; `password` is set only if chatdb made it and saved it to no file.

    `url` is the application's; the password in it is struck out unless `password` is set.
    """

    name: str
    kind: str
    database: str
    schema: str
    created: bool
    password: str | None
    password_file: str | None
    url: str


@app.command(name="list", cls=DataCommand)
def list_roles(context: typer.Context) -> None:
    """List the roles that may read the messages.

    Row-level security applies to application roles, never to a superuser or the owner of the
    tables.

    \b
    Example:
      chatdb roles list
    """
    from chatdb.operations.security import roles

    command = CommandContext.of(context)
    with command.open_database() as database:
        found = roles.list_roles(database)
    command.output.rows(found, roles.Role)
    if not found:
        tell_nothing(command, "role")


@app.command(cls=DataCommand)
def create(
    context: typer.Context,
    kind: Annotated[
        RoleChoice, argument("app|readonly", "app: read and write; readonly: read only.")
    ],
    name: Annotated[
        str | None, option("--name", "Role name.  [default: chatdb_app or chatdb_readonly]")
    ] = None,
    password_file: Annotated[
        str | None,
        option("--password-file FILE|-", "Read the password from this file's first line."),
    ] = None,
    generate: Annotated[
        bool, option("--generate", "Generate a password and show it once.")
    ] = False,
    save_password: Annotated[
        Path | None,
        option("--save-password FILE", "Generate a password and write it to this new file."),
    ] = None,
    existing: Annotated[
        bool, option("--existing", "Grant an existing role its privileges in this database.")
    ] = False,
) -> None:
    """Create a login role with only the privileges it needs.

    It reads and writes what belongs to app.organization_id (and app.user_id) of its transaction.
    The password is asked for on a terminal; the server receives only its SCRAM digest.

    \b
    Examples:
      chatdb roles create app
      chatdb roles create readonly --name reports --save-password reports.password
    """
    from chatdb.operations.security import roles

    command = CommandContext.of(context)
    source = _PasswordSource(password_file, generate, save_password)
    name = f"chatdb_{kind.value}" if name is None else name
    with command.open_database() as database:
        roles.check_new(database, name, existing=existing)
        password = source.password(command, name, needed=not existing)
        try:
            made = roles.create(
                database, roles.RoleKind(kind.value), name, password=password, existing=existing
            )
        except BaseException:
            if save_password is not None:
                save_password.unlink(missing_ok=True)
            raise
    shown = CreatedRole(
        name=made.name,
        kind=made.kind.value,
        database=made.database,
        schema=made.schema,
        created=made.created,
        password=password if generate else None,
        password_file=None if save_password is None else str(save_password),
        url=_application_url(command, made.name, password, shown=generate),
    )
    command.output.record(shown)
    if not command.options.quiet and command.output.is_table:
        command.diagnostics.block(_statements(command.org))
    command.diagnostics.note(
        "to check its privileges: chatdb security check; its rules: docs/tenants.md"
    )


def _application_url(
    command: CommandContext, name: str, password: str | None, *, shown: bool
) -> str:
    """Return the URL by which the application connects; `shown` leaves the password in it."""
    url = replace(command.url, user=name, password=password or "").redacted()
    return url.replace(":***@", f":{password}@", 1) if shown else url


def _statements(org: str) -> str:
    """Return what an application says in each transaction."""
    from chatdb.records import organization_id_of

    return "\n".join(
        [
            "An application begins each transaction with:",
            f"  SET LOCAL app.organization_id = '{organization_id_of(org)}';  -- {one_line(org)}",
            "  SET LOCAL app.user_id = 'ann';  -- only this user's; leave it out for all",
        ]
    )


@app.command(cls=DataCommand)
def drop(
    context: typer.Context,
    name: Annotated[str, argument("NAME", "The role.")],
    keep_role: Annotated[
        bool, option("--keep-role", "Revoke its privileges in this database, but do not drop it.")
    ] = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Revoke a role's privileges and drop it.

    \b
    Example:
      chatdb roles drop chatdb_app --dry-run
    """
    from chatdb.operations.security import roles

    command = CommandContext.of(context)
    with command.open_database() as database:
        found = roles.check_droppable(database, name)
        what = "the privileges of the role" if keep_role else "the role"
        plan = [f"{what} {one_line(name)} ({found.kind})"]
        if found.sessions:
            plan.append(
                f"{counted(found.sessions, 'session')} using it will get errors from now on"
            )
        if not dry_run:
            confirm(command, plan, yes=yes)
            roles.drop(database, name, keep_role=keep_role)
    command.output.record(found, words=would_be("removed", plan) if dry_run else None)
    if not dry_run and not keep_role:
        again = "app" if found.kind == "app" else "readonly"
        command.diagnostics.note(
            f"to create it again: chatdb roles create {again} --name {quote(one_line(name))}"
        )


@dataclass(frozen=True, slots=True)
class _PasswordSource:
    """The source of the password: at most one of the three options, else the terminal."""

    file: str | None
    generate: bool
    save_to: Path | None

    def __post_init__(self) -> None:
        if sum([self.file is not None, self.generate, self.save_to is not None]) > 1:
            raise UsageError(
                "--password-file, --generate and --save-password exclude each other",
                hint="leave out all but one",
            )

    def password(self, command: CommandContext, name: str, *, needed: bool) -> str | None:
        if self.file is not None:
            return _read_password(self.file)
        if self.generate or self.save_to is not None:
            made = secrets.token_urlsafe(_PASSWORD_BYTES)
            if self.save_to is not None:
                _save(self.save_to, made)
            return made
        return _ask_password(command, name) if needed else None


def _read_password(name: str) -> str:
    """Read the first line of a file, or of standard input for `-`."""
    try:
        text = sys.stdin.readline() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise StorageError(f"{name} cannot be read: {reason}", hint="give a text file") from error
    password = text.partition("\n")[0].rstrip("\r")
    if not password:
        raise UsageError(
            "the password is missing: the first line is empty", hint="or use --generate"
        )
    return password


def _ask_password(command: CommandContext, name: str) -> str:
    if not command.diagnostics.can_ask:
        raise RefusedError(
            "there is no terminal to ask for a password on",
            hint="add --password-file FILE, --generate or --save-password FILE",
        )
    first, again = (
        command.diagnostics.ask_hidden(f"{question} for {one_line(name)}:").rstrip("\r\n")
        for question in ("Password", "Repeat the password")
    )
    if first != again:
        raise UsageError("the two passwords differ", hint="run the command again")
    if not first:
        raise UsageError("no password was typed", hint="type one, or generate one: --generate")
    return first


def _save(path: Path, password: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(password + "\n")
    except FileExistsError as error:
        raise StorageError(f"{path} already exists", hint="give another file") from error
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written: {error.strerror or error}", hint="give another file"
        ) from error
