"""`chatdb dev-db checkpoint`: copies of the development database, made in seconds."""

from typing import TYPE_CHECKING, Annotated

import typer

from chatdb.cli.confirm import confirm, would_be
from chatdb.cli.context import CommandContext
from chatdb.cli.dev_server import checkpoint_url
from chatdb.cli.lazy_group import group_app
from chatdb.cli.options import DataCommand, DisconnectOption, DryRunOption, YesOption, argument
from chatdb.primitives.sizes import size_text

if TYPE_CHECKING:
    from chatdb.operations.dev_db.checkpoints import Checkpoint

app = group_app("Save copies of the development database; go back to them.")

NameArgument = Annotated[str, argument(None, "Name of the checkpoint.")]


@app.command(cls=DataCommand)
def save(
    context: typer.Context,
    name: NameArgument,
    force: DisconnectOption = False,
) -> None:
    """Save the current state of the database under a name.

    The server copies the database's files, which takes seconds. No other session may be connected
    meanwhile; any that are get listed. With --database-url it works on any PostgreSQL where you may
    create databases.

    \b
    Example:
      chatdb dev-db checkpoint save before-import
    """
    from chatdb.operations.dev_db import checkpoints

    command = CommandContext.of(context)
    url = checkpoint_url(command)
    saved = checkpoints.save(url, name, force=force, note=command.diagnostics.note)
    command.output.record(saved, words=f"kept {saved.of} as {saved.name} ({_size(saved)})")
    command.diagnostics.note(f"to go back to it: chatdb dev-db checkpoint restore {saved.name}")


@app.command(cls=DataCommand)
def restore(
    context: typer.Context,
    name: NameArgument,
    force: DisconnectOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Replace the database by a checkpoint.

    The replaced database becomes a checkpoint itself, so this can be undone; the command for it is
    printed.

    \b
    Example:
      chatdb dev-db checkpoint restore before-import
    """
    from chatdb.operations.dev_db import checkpoints

    command = CommandContext.of(context)
    url = checkpoint_url(command)
    wanted = checkpoints.find_checkpoint(url, name)
    plan = [f"by {describe(wanted)}", "(the current database is kept as a checkpoint)"]
    if dry_run:
        command.output.record(wanted, words=would_be("replaced", [url.redacted(), *plan]))
        return
    confirm(command, plan, yes=yes, action="replace", url=url)
    kept = checkpoints.restore(url, name, force=force, note=command.diagnostics.note)
    words = f"{wanted.of} is restored to its state of {_time(wanted)} ({_size(wanted)})"
    command.output.record(wanted, words=words)
    tell_way_back(command, kept)


@app.command(name="list", cls=DataCommand)
def list_all(context: typer.Context) -> None:
    """List the checkpoints, oldest first.

    \b
    Example:
      chatdb dev-db checkpoint list --format json
    """
    from chatdb.operations.dev_db import checkpoints

    command = CommandContext.of(context)
    found = checkpoints.list_checkpoints(checkpoint_url(command))
    command.output.rows(found, checkpoints.Checkpoint)
    if not found:
        command.diagnostics.note(
            "there are no checkpoints; to save one: chatdb dev-db checkpoint save NAME"
        )


@app.command(cls=DataCommand)
def delete(
    context: typer.Context,
    name: NameArgument,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Remove a checkpoint permanently.

    \b
    Example:
      chatdb dev-db checkpoint delete before-import
    """
    from chatdb.operations.dev_db import checkpoints

    command = CommandContext.of(context)
    url = checkpoint_url(command)
    wanted = checkpoints.find_checkpoint(url, name)
    plan = [describe(wanted), "(it cannot be restored)"]
    if dry_run:
        command.output.record(wanted, words=would_be("removed", plan))
        return
    confirm(command, plan, yes=yes, action="remove a checkpoint of", url=url)
    removed = checkpoints.delete(url, name)
    words = f"removed the checkpoint {removed.name} ({_size(removed)})"
    command.output.record(removed, words=words)


def describe(checkpoint: "Checkpoint") -> str:
    """Describe a checkpoint in words: name, time, size and revision."""
    revision = "no schema" if checkpoint.revision is None else f"revision {checkpoint.revision}"
    return (
        f"the checkpoint {checkpoint.name} of {_time(checkpoint)} ({_size(checkpoint)}, {revision})"
    )


def tell_way_back(command: CommandContext, kept: "Checkpoint | None") -> None:
    """Print where the replaced database is, and the command that restores it."""
    if kept is not None:
        command.diagnostics.note(
            "the replaced database is kept; to restore it: chatdb dev-db checkpoint restore "
            f"{kept.name}"
        )


def _size(checkpoint: "Checkpoint") -> str:
    return size_text(checkpoint.bytes)


def _time(checkpoint: "Checkpoint") -> str:
    return f"{checkpoint.made_at:%Y-%m-%d %H:%M:%S}Z"
