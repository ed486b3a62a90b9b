"""`chatdb dev-db checkpoint`: copies of the development database, made in seconds."""

from typing import TYPE_CHECKING, Annotated

import typer

from chatdb.cli.confirm import confirm
from chatdb.cli.context import CommandContext
from chatdb.cli.dev_server import checkpoint_url
from chatdb.cli.lazy_group import group_app
from chatdb.cli.options import DryRunOption, Format, FormatOption, YesOption
from chatdb.cli.progress import BYTES, amount_text

if TYPE_CHECKING:
    from chatdb.operations.checkpoints import Checkpoint

app = group_app("Keep copies of the development database, and go back.")

NameArgument = Annotated[str, typer.Argument(help="The checkpoint's name.")]
ForceOption = Annotated[bool, typer.Option("--force", help="End the sessions of who is connected.")]


@app.command()
def save(
    context: typer.Context,
    name: NameArgument,
    force: ForceOption = False,
    output_format: FormatOption = Format.TABLE,
) -> None:
    """Keep the database as it is now under a name.

    The server copies its files, which takes seconds. Nobody may be connected meanwhile: who is,
    is named. With --database-url it works on any PostgreSQL where you may create databases.

    \b
    Example:
      chatdb dev-db checkpoint save before-import
    """
    from chatdb.operations import checkpoints

    command = CommandContext.of(context)
    url = checkpoint_url(command)
    saved = checkpoints.save(url, name, force=force, note=command.diagnostics.note)
    _print(command, saved, f"kept {saved.of} as {saved.name}", output_format)
    command.diagnostics.note(f"go back to it: chatdb dev-db checkpoint restore {saved.name}")


@app.command()
def restore(
    context: typer.Context,
    name: NameArgument,
    force: ForceOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    output_format: FormatOption = Format.TABLE,
) -> None:
    """Put a checkpoint in the database's place.

    The database that was there is kept as a checkpoint itself, so this can be undone; the
    command that does it is printed.

    \b
    Example:
      chatdb dev-db checkpoint restore before-import
    """
    from chatdb.operations import checkpoints

    command = CommandContext.of(context)
    url = checkpoint_url(command)
    wanted = checkpoints.find_checkpoint(url, name)
    plan = [f"by {describe(wanted)}", "(the database that is there now is kept as a checkpoint)"]
    if dry_run:
        _print_plan(
            command, wanted, ["This would be replaced:", url.redacted(), *plan], output_format
        )
        return
    confirm(command, plan, yes=yes, action="replace", url=url)
    kept = checkpoints.restore(url, name, force=force, note=command.diagnostics.note)
    _print(command, wanted, f"{wanted.of} is what it was at {_time(wanted)}", output_format)
    tell_way_back(command, kept)


@app.command(name="list")
def list_all(context: typer.Context, output_format: FormatOption = Format.TABLE) -> None:
    """List the checkpoints, the oldest first.

    \b
    Example:
      chatdb dev-db checkpoint list --format json
    """
    from chatdb.operations import checkpoints

    command = CommandContext.of(context)
    found = checkpoints.list_checkpoints(checkpoint_url(command))
    command.output.rows(found, checkpoints.Checkpoint, output_format)
    if not found:
        command.diagnostics.note("there is none yet: chatdb dev-db checkpoint save NAME")


@app.command()
def delete(
    context: typer.Context,
    name: NameArgument,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    output_format: FormatOption = Format.TABLE,
) -> None:
    """Remove a checkpoint for good.

    \b
    Example:
      chatdb dev-db checkpoint delete before-import
    """
    from chatdb.operations import checkpoints

    command = CommandContext.of(context)
    url = checkpoint_url(command)
    wanted = checkpoints.find_checkpoint(url, name)
    plan = [describe(wanted), "(it cannot be brought back)"]
    if dry_run:
        _print_plan(command, wanted, ["This would be removed:", *plan], output_format)
        return
    confirm(command, plan, yes=yes, action="remove a checkpoint of", url=url)
    removed = checkpoints.delete(url, name)
    _print(command, removed, f"removed the checkpoint {removed.name}", output_format)


def describe(checkpoint: "Checkpoint") -> str:
    """Return a checkpoint for people: name, time, size and revision."""
    revision = "no schema" if checkpoint.revision is None else f"revision {checkpoint.revision}"
    return (
        f"the checkpoint {checkpoint.name} of {_time(checkpoint)}"
        f" ({amount_text(checkpoint.bytes, BYTES)}, {revision})"
    )


def tell_way_back(command: CommandContext, kept: "Checkpoint | None") -> None:
    """Say where the database that was there is, and the command that brings it back."""
    if kept is not None:
        command.diagnostics.note(
            f"the database that was there is kept; to bring it back:"
            f" chatdb dev-db checkpoint restore {kept.name}"
        )


def _print_plan(
    command: CommandContext, checkpoint: "Checkpoint", plan: list[str], output_format: Format
) -> None:
    """Print what would be done: the plan for people, else the checkpoint that it is about."""
    if output_format is Format.TABLE:
        command.output.text("\n  ".join(plan))
    else:
        command.output.record(checkpoint, output_format)


def _print(
    command: CommandContext, checkpoint: "Checkpoint", text: str, output_format: Format
) -> None:
    if output_format is Format.TABLE:
        command.output.text(f"{text} ({amount_text(checkpoint.bytes, BYTES)})")
    else:
        command.output.record(checkpoint, output_format)


def _time(checkpoint: "Checkpoint") -> str:
    return f"{checkpoint.made_at:%Y-%m-%d %H:%M:%S}Z"
